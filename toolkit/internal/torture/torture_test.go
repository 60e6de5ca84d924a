package torture

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	t.Setenv(Environment, "")
	require.False(t, Asked())
	Report(t, "nothing", 1, 1)

	table := filepath.Join(t.TempDir(), "table")
	t.Setenv(Environment, table)
	require.True(t, Asked())
	Report(t, "kills", 7, 2)
	Report(t, "crashes", 1000, 0)
	lines, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Equal(t, "kills\t7\t5\t2\ncrashes\t1000\t1000\t0\n", string(lines))
}
