package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// The committed pages agree with the committed records; a page that does not is named, and written again.
func TestPages(t *testing.T) {
	_, err := call(t, "pages", "--check")
	require.NoError(t, err)

	root, err := project.Root()
	require.NoError(t, err)
	copied := t.TempDir()
	for _, name := range []string{"README.md", "go.mod"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), text, 0o644))
	}
	require.NoError(t, os.Symlink(filepath.Join(root, "data"), filepath.Join(copied, "data")))
	t.Setenv(project.EnvRoot, copied)
	page := filepath.Join(copied, "README.md")
	want, err := os.ReadFile(page)
	require.NoError(t, err)
	stale := append([]byte("<!-- begin networks, written by `stochdepth pages` -->\n\nold\n\n<!-- end -->\n"), want...)
	require.NoError(t, os.WriteFile(page, stale, 0o644))
	_, err = call(t, "pages", "--check")
	require.EqualError(t, err, "these pages do not agree with the records: README.md; `stochdepth pages` writes them again")
	out, err := call(t, "pages")
	require.NoError(t, err)
	require.Equal(t, page+"\n", out)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "\n| [cifar10-38-constant](cifar10-38-constant.safetensors) | ")
	require.Contains(t, string(text), string(want), "the results stay")

	require.NoError(t, os.WriteFile(page, []byte("<!-- begin what, written by `stochdepth pages` -->\n<!-- end -->\n"), 0o644))
	_, err = call(t, "pages")
	require.ErrorContains(t, err, `README.md: there is no part "what": the parts are results, networks, `)
}
