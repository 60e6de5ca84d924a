package claims

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What the committed pages and notebooks say about outcomes is what the committed records say.
func TestTheCommittedTexts(t *testing.T) {
	require.NoError(t, Verify("../../../.."))
}
