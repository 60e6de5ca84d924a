// Package projecttest gives tests a project of their own.
package projecttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// Empty makes the test's project an empty one, so that nothing is written into the real one's data/cache, and returns its
// folder.
func Empty(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+project.Module+"\n"), 0o644))
	t.Setenv(project.EnvRoot, root)
	return root
}
