package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

func TestManualPages(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "man1")
	out, err := call(t, "man", folder)
	require.NoError(t, err)
	require.Regexp(t, `^\d\d manual pages written to `, out)
	page, err := os.ReadFile(filepath.Join(folder, "stochdepth-sweep-run.1"))
	require.NoError(t, err)
	require.Contains(t, string(page), ".SH NAME")
	require.Contains(t, string(page), `\fB--retry\fP`)
	root, err := project.Root()
	require.NoError(t, err)
	require.NotContains(t, string(page), root, "no path of this machine")
	require.Contains(t, string(page), `"data/runs"`)
	require.NoFileExists(t, filepath.Join(folder, "stochdepth-sweep-worker.1"), "hidden commands have no page")
}
