package runs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Only a run that nobody writes is deleted.
func TestRemove(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, runs.Remove(filepath.Join(root, "missing")))

	other := filepath.Join(root, "other")
	require.NoError(t, os.MkdirAll(other, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(other, "letters"), nil, 0o644))
	require.ErrorContains(t, runs.Remove(other), "not deleted, because it cannot be read as a run")
	require.FileExists(t, filepath.Join(other, "letters"))

	dir := filepath.Join(root, "mine")
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	w, err := runs.Create(dir, recipe)
	require.NoError(t, err)
	var locked runs.ErrLocked
	require.ErrorAs(t, runs.Remove(dir), &locked)
	require.DirExists(t, dir)
	require.NoError(t, w.Close())
	require.NoError(t, runs.Remove(dir))
	require.NoDirExists(t, dir)
}
