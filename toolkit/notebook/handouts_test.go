package notebook

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// handOut writes the hand-outs of notebooks into a new folder, and returns it.
func handOut(t *testing.T, files ...string) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no Python here")
	}
	root, err := project.Root()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "hand outs")
	command := exec.Command(python, append([]string{filepath.Join("notebooks", "jupyter", "handouts.py"), dir}, files...)...)
	command.Dir = root
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return dir
}

// `make handouts` takes out answers and outputs, and nothing else.
func TestHandOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.ipynb")
	cells := []map[string]any{
		{"cell_type": "markdown", "id": "a", "metadata": map[string]any{}, "source": []string{"Guess; the answers are folded away.\n", "\n",
			"**Predict.** *How many?* See below.\n", "\n",
			"<details><summary>Answer</summary>\n", "\n", "It is 42.\n", "\n", "</details>\n", "\n", "## Next\n", "\n",
			"1. Why? <details><summary>Hint</summary>Count.</details>\n", "\n",
			"<details><summary>Is it 43?</summary>\n", "\n", "No.\n", "\n", "</details>"}},
		{"cell_type": "code", "id": "b", "metadata": map[string]any{}, "execution_count": 7, "source": "%%\n<details>",
			"outputs": []any{map[string]any{"output_type": "stream", "name": "stdout", "text": "42"}}},
		{"cell_type": "markdown", "id": "c", "metadata": map[string]any{},
			"source": "The [solutions](solutions/00_solutions.ipynb) are a notebook too.\n\n1. What?"},
	}
	data, err := json.Marshal(map[string]any{"cells": cells, "metadata": map[string]any{}, "nbformat": 4, "nbformat_minor": 5})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o644))
	out, err := os.ReadFile(filepath.Join(handOut(t, file), "x.ipynb"))
	require.NoError(t, err)
	book := parse(t, out)
	require.Len(t, book.Cells, 3)
	require.EqualValues(t, "Guess.\n\n**Predict.** *How many?* See below.\n\n*Your prediction:*\n\n*Your explanation:*\n\n## Next\n\n"+
		"1. Why? <details><summary>Hint</summary>Count.</details>\n\n*Your explanation:*", book.Cells[0].Source)
	require.EqualValues(t, "%%\n<details>", book.Cells[1].Source)
	require.Empty(t, book.Cells[1].Outputs)
	require.Contains(t, string(out), `"execution_count": null`)
	require.EqualValues(t, "1. What?", book.Cells[2].Source)
}

// In the hand-outs of all notebooks no answer is left, no hint is gone, and the code is that of the notebooks.
func TestHandOutsOfTheNotebooks(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	files := books(t, "notebooks")
	dir := handOut(t, append(files, questions)...)
	box := regexp.MustCompile(`<details><summary>(Hint|Try it|What to try|You know Python)?`)
	answers := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			book, out := read(t, filepath.Join(root, file)), read(t, filepath.Join(dir, filepath.Base(file)))
			require.Len(t, out.Cells, len(book.Cells))
			for i, cell := range out.Cells {
				require.Empty(t, cell.Outputs)
				text, original := string(cell.Source), string(book.Cells[i].Source)
				if cell.Type == "code" {
					require.Equal(t, original, text)
					continue
				}
				gone := 0
				for _, m := range box.FindAllStringSubmatch(original, -1) {
					if m[1] == "" {
						gone++
					}
				}
				require.Equal(t, strings.Count(original, "<details>")-gone, strings.Count(text, "<details>"), text)
				require.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"), text)
				require.Equal(t, gone, strings.Count(text, "*Your explanation:*"), text)
				require.Equal(t, strings.Count(original, "<summary>Hint"), strings.Count(text, "<summary>Hint"), text)
				asked := strings.Count(original, "**Predict.**") + strings.Count(original, "**Think first.**")
				require.Equal(t, asked, strings.Count(text, "*Your prediction:*"), text)
				require.NotContains(t, text, "folded away")
				require.NotContains(t, text, "(solutions/")
				answers += gone
			}
		})
	}
	require.Greater(t, answers, 50, "answers of all notebooks")
}

// questions is the page of questions without code.
const questions = "notebooks/questions.md"

// There are ten questions on each notebook, in the order of the README, each with an answer, which is not in the hand-out.
func TestQuestions(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	page := func(path ...string) string {
		content, err := os.ReadFile(filepath.Join(path...))
		require.NoError(t, err)
		return string(content)
	}
	var order, themes []string
	for _, m := range regexp.MustCompile(`(?m)^\| \[(\d\d)_`).FindAllStringSubmatch(page(root, "notebooks", "README.md"), -1) {
		order = append(order, m[1])
	}
	asked := regexp.MustCompile(`^(\d+)\. (.+\?|.+\.) (<details><summary>Answer</summary>.+</details>)$`)
	parts := strings.Split(page(root, questions), "\n## ")[1:]
	handout := page(handOut(t, questions), filepath.Base(questions))
	for _, part := range parts {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		themes = append(themes, lines[0][:2])
		require.Len(t, lines, 12, lines[0])
		for i, line := range lines[2:] {
			m := asked.FindStringSubmatch(line)
			require.NotNil(t, m, line)
			require.Equal(t, strconv.Itoa(i+1), m[1], lines[0])
			require.Contains(t, handout, m[1]+". "+m[2])
		}
	}
	require.Equal(t, order, themes)
	require.NotContains(t, handout, "<details>")
}
