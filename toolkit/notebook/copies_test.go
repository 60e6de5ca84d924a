package notebook

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// `make lab` opens copies of the notebooks. A copy that the reader has not changed is kept equal to the newest notebook;
// a changed one is never overwritten.
func TestCopiesOfTheNotebooks(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "a folder")
	from, to := filepath.Join(dir, "notebooks"), filepath.Join(dir, "lab")
	require.NoError(t, os.MkdirAll(from, 0o755))
	write := func(folder, name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
	copied := func() string {
		output, err := exec.Command(filepath.Join(root, "notebooks", "jupyter", "copy.sh"), from, to).CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	requireText := func(name, want string) {
		text, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text), name)
	}
	for _, name := range []string{"0.ipynb", "1.ipynb", "2.ipynb", "README.md"} {
		write(from, name, "old")
	}
	require.Empty(t, copied())
	write(to, "1.ipynb", "mine")
	require.NoError(t, os.Remove(filepath.Join(to, "2.ipynb")))
	require.Empty(t, copied())
	requireText("1.ipynb", "mine")
	requireText("2.ipynb", "old")

	for _, name := range []string{"0.ipynb", "1.ipynb", "2.ipynb", "3.ipynb"} {
		write(from, name, "new")
	}
	require.Contains(t, copied(), "1.ipynb has your changes and stays")
	requireText("0.ipynb", "new")
	requireText("1.ipynb", "mine")
	requireText("2.ipynb", "new")
	requireText("3.ipynb", "new")
	write(to, "1.ipynb", "new") // taken over by hand
	require.Empty(t, copied())
	write(from, "1.ipynb", "newer")
	require.Empty(t, copied())
	requireText("1.ipynb", "newer")
}
