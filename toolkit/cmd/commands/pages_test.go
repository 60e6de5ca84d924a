package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/page"
	"stochdepth/toolkit/internal/project"
)

// The committed pages agree with the committed records; a page that does not, or is missing, is named, and a stale one written
// again.
func TestPages(t *testing.T) {
	_, err := call(t, "pages", "--check")
	require.NoError(t, err)

	root, err := project.Root()
	require.NoError(t, err)
	copied := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(root, "data"), filepath.Join(copied, "data")))
	var written []string
	for _, name := range append(page.Names(root), "go.mod") {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		if strings.Contains(string(text), "\n<!-- begin ") {
			written = append(written, name)
		}
		if !strings.HasPrefix(name, "data/") {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(copied, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(copied, name), text, 0o644))
		}
	}
	require.ElementsMatch(t, written, page.Written)
	t.Setenv(project.EnvRoot, copied)
	speed := filepath.Join(copied, "toolkit", "network", "bench", "README.md")
	require.NoError(t, os.Rename(speed, speed+".away"))
	_, err = call(t, "pages", "--check")
	require.EqualError(t, err, "these pages are missing: toolkit/network/bench/README.md; "+
		"`git restore toolkit/network/bench/README.md` brings them back")
	require.NoError(t, os.Rename(speed+".away", speed))
	readme := filepath.Join(copied, "README.md")
	want, err := os.ReadFile(readme)
	require.NoError(t, err)
	stale := append([]byte("<!-- begin networks, written by `stochdepth pages` -->\n\nold\n\n<!-- end -->\n"), want...)
	require.NoError(t, os.WriteFile(readme, stale, 0o644))
	_, err = call(t, "pages", "--check")
	require.EqualError(t, err, "these pages do not agree with the records: README.md; `stochdepth pages` writes them again")
	out, err := call(t, "pages")
	require.NoError(t, err)
	require.Equal(t, readme+"\n", out)
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	require.Contains(t, string(text), "\n| [cifar10-38-constant](cifar10-38-constant.safetensors) | ")
	require.Contains(t, string(text), string(want), "the results stay")

	require.NoError(t, os.WriteFile(readme, []byte("<!-- begin what, written by `stochdepth pages` -->\n<!-- end -->\n"), 0o644))
	_, err = call(t, "pages")
	require.ErrorContains(t, err, `README.md: there is no part "what": the parts are results, networks, `)
}
