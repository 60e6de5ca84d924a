package notebook

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// most is the largest size of a notebook's file in bytes, with outputs.
const most = 1_500_000

// The notebooks that `make test` has just executed at a small size have outputs of the same kinds as the committed ones:
// the same figures and tables in the same cells, and no additional text.
func TestTinyOutputsHaveTheShapeOfTheCommitted(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	for _, file := range slices.Concat(books(t, "notebooks"), books(t, solutions)) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			committed := read(t, filepath.Join(root, file))
			small, err := os.ReadFile(filepath.Join(root, ".out", "tiny", filepath.Base(file)))
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("not executed small: make test does that")
			}
			require.NoError(t, err)
			executed := parse(t, small)
			require.Len(t, executed.Cells, len(committed.Cells), "the notebook has changed since: make test executes it again")
			for i, cell := range committed.Cells {
				other := executed.Cells[i]
				if cell.Type == "code" && cell.Source != other.Source {
					t.Skipf("cell %d has changed since: make test executes it again", i)
				}
				require.Equal(t, cell.kinds(), other.kinds(),
					"outputs of cell %d, committed and executed small: %s", i, cell.Source)
			}
		})
	}
}

// The test above distinguishes different kinds of outputs.
func TestKindsOfOutputs(t *testing.T) {
	var c cell
	require.NoError(t, json.Unmarshal([]byte(`{"cell_type": "code", "outputs": [
		{"output_type": "stream", "name": "stdout", "text": "a"}, {"output_type": "stream", "name": "stdout", "text": ["b", "c"]},
		{"output_type": "display_data", "data": {"image/png": "x"}},
		{"output_type": "display_data", "data": {"text/html": ""}},
		{"output_type": "display_data", "data": {"text/html": ["<b>", "x</b>"]}},
		{"output_type": "error", "ename": "ERROR"}]}`), &c))
	require.Equal(t, []string{"stdout", "image/png", "text/html", "error"}, c.kinds())
}

// notebookFile is the part of a notebook that the tests look at.
type notebookFile struct {
	Metadata struct {
		Kernelspec   struct{ Name string }
		LanguageInfo struct {
			Lexer string `json:"pygments_lexer"`
		} `json:"language_info"`
	}
	Cells []cell
}

type cell struct {
	Type    string `json:"cell_type"`
	Source  source
	Outputs []struct {
		Type string `json:"output_type"`
		Name string
		Data map[string]source
	}
}

// solutions is the folder of the notebooks with solutions to the exercises.
const solutions = "notebooks/solutions"

// books lists the notebooks of a folder, relative to the project's folder.
func books(t *testing.T, folder string) []string {
	t.Helper()
	root, err := project.Root()
	require.NoError(t, err)
	files, err := fs.Glob(os.DirFS(root), folder+"/*.ipynb")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func read(t *testing.T, path string) notebookFile {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return parse(t, data)
}

func parse(t *testing.T, data []byte) (book notebookFile) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, &book))
	return book
}

// kinds lists the kinds of a cell's outputs in order: pieces of one stream count as one output, and an output that was
// emptied again (of a button, for example) does not count.
func (c cell) kinds() []string {
	var kinds []string
	for _, output := range c.Outputs {
		kind := output.Type
		switch kind {
		case "stream":
			kind = output.Name
			if n := len(kinds); n > 0 && kinds[n-1] == kind {
				continue
			}
		case "display_data":
			var types []string
			for mime, content := range output.Data {
				if content != "" {
					types = append(types, mime)
				}
			}
			if len(types) == 0 {
				continue
			}
			slices.Sort(types)
			kind = strings.Join(types, " ")
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// figures lists all pictures of a notebook.
func (n notebookFile) figures() (pictures []string) {
	for _, c := range n.Cells {
		for _, kind := range c.kinds() {
			if kind == "image/png" {
				pictures = append(pictures, kind)
			}
		}
	}
	return pictures
}
