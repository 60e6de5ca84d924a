package claims

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The committed pages and notebooks agree with the committed records about outcomes.
func TestTheCommittedTexts(t *testing.T) {
	require.NoError(t, Verify("../../../.."))
}
