package notebook

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// The page of a notebook that JupyterLab has saved, without the name of a lexer, has its code coloured as Go: to Python's lexer
// the apostrophe below begins a text, and "is" is an operator.
func TestExportedCodeIsGo(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	python := filepath.Join(root, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("make setup installs nbconvert")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "saved.ipynb")
	require.NoError(t, os.WriteFile(file, []byte(`{"nbformat": 4, "nbformat_minor": 5,
		"metadata": {"kernelspec": {"name": "gonb", "display_name": "Go (gonb)"}, "language_info": {"name": "go", "pygments_lexer": ""}},
		"cells": [{"cell_type": "code", "id": "a", "metadata": {}, "execution_count": null, "outputs": [],
			"source": "// this is the cell's comment\nfunc f() {}"}]}`), 0o644))
	convert := exec.Command(python, "-m", "nbconvert", "--log-level=ERROR", "--to", "html", file)
	convert.Env = append(os.Environ(), "JUPYTER_CONFIG_PATH="+filepath.Join(root, "notebooks", "jupyter"),
		"JUPYTER_CONFIG_DIR="+filepath.Join(root, ".venv", "etc", "jupyter"), "JUPYTER_DATA_DIR="+filepath.Join(root, ".venv", "share", "jupyter"))
	out, err := convert.CombinedOutput()
	require.NoError(t, err, string(out))
	page, err := os.ReadFile(filepath.Join(dir, "saved.html"))
	require.NoError(t, err)
	require.Regexp(t, `<span class="c1">// this is the cell(&#39;|')s comment</span>`, string(page))
	require.Contains(t, string(page), `<span class="kd">func</span>`)
}
