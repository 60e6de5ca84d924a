package notebook

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/project"
	"stochdepth/toolkit/runs"
)

func TestTinyKeepsItsResultsApart(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	t.Setenv(EnvTiny, "")
	full := Must(Preset("quickstart"))
	require.Equal(t, Must(runs.Preset("quickstart")), full)
	require.Equal(t, filepath.Join(root, ".out", "figures", "a.png"), FigurePath("a.png"))
	require.Equal(t, filepath.Join(root, "data", "runs", "a"), RunDir("a"))

	t.Setenv(EnvTiny, "1")
	for _, name := range runs.PresetNames() {
		recipe := Must(Preset(name))
		require.NoError(t, recipe.Validate(), name)
		require.LessOrEqual(t, recipe.Epochs*recipe.TrainImages, 256, name)
	}
	require.Equal(t, filepath.Join(root, ".out", "tiny", "figures", "a.png"), FigurePath("a.png"))
	require.Equal(t, filepath.Join(root, ".out", "tiny", "data", "runs", "a"), RunDir("a"))
	require.Equal(t, filepath.Join(root, "data", "models", "a.safetensors"), ModelPath("a"), "nothing is written there")
}

func TestShowPNGSaysWhatIsWrong(t *testing.T) {
	require.ErrorContains(t, ShowPNG("figures/nowhere.png"), "run the cell that draws it first")
	require.ErrorContains(t, ShowPNG("go.mod"), "is not a PNG")
}

// The notebooks as they are committed: made to be read, and to run as they are.
func TestNotebooksAreFitToPublish(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	files, err := fs.Glob(os.DirFS(root), "notebooks/*.ipynb")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	machine := regexp.MustCompile(`/(tmp|root|home|Users|work)/|gonb_[0-9a-f]{8}`)
	runDir := regexp.MustCompile(`RunDir\("([^"]*)"`)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(root, file))
			require.NoError(t, err)
			require.Less(t, len(data), most, "too large for the web and for git")
			book := parse(t, data)
			require.Equal(t, "gonb", book.Metadata.Kernelspec.Name)
			require.Empty(t, machine.FindString(string(data)), "a path of this machine")
			require.Equal(t, "markdown", book.Cells[0].Type, "it says first what it is")
			last := string(book.Cells[len(book.Cells)-1].Source)
			require.Contains(t, last, "## What we learned")
			require.Contains(t, last, "## Exercises")
			require.Contains(t, last, "3. *Changes code.*")
			for i, cell := range book.Cells {
				for _, line := range strings.Split(string(cell.Source), "\n") {
					require.False(t, cell.Type == "code" && strings.HasPrefix(line, "!"), "cell %d: %s", i, line)
				}
				for _, name := range runDir.FindAllStringSubmatch(string(cell.Source), -1) {
					require.True(t, cell.Type != "code" || strings.HasPrefix(name[1], "notebook-"), "cell %d writes the run %s, which git does not ignore: name it notebook-%s", i, name[1], name[1])
				}
				for _, output := range cell.Outputs {
					require.NotEqual(t, "error", output.Type, "cell %d", i)
					require.NotEqual(t, "stderr", output.Name, "cell %d", i)
				}
			}
		})
	}
}

// source is a cell's text, a string or a list of them.
type source string

func (s *source) UnmarshalJSON(data []byte) error {
	var lines []string
	if json.Unmarshal(data, &lines) == nil {
		*s = source(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}
