package notebook

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs/recipes"
)

func TestTinyKeepsItsResultsApart(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	t.Setenv(EnvTiny, "")
	full := Must(Preset("quickstart"))
	require.Equal(t, Must(recipes.Preset("quickstart")), full)
	require.Equal(t, filepath.Join(root, ".out", "figures", "a.png"), FigurePath("a.png"))
	require.Equal(t, filepath.Join(root, "data", "runs", "a"), RunDir("a"))

	t.Setenv(EnvTiny, "1")
	for _, name := range recipes.PresetNames() {
		recipe := Must(Preset(name))
		require.NoError(t, recipe.Validate(), name)
		require.LessOrEqual(t, recipe.Epochs*recipe.TrainImages, 256, name)
	}
	require.Equal(t, filepath.Join(root, ".out", "tiny", "figures", "a.png"), FigurePath("a.png"))
	require.Equal(t, filepath.Join(root, ".out", "tiny", "data", "runs", "a"), RunDir("a"))
	require.Equal(t, filepath.Join(root, "data", "models", "a.safetensors"), ModelPath("a"), "nothing is written there")
}

// An error ends the cell, which is a process of its own, with one sentence and without Go's stack trace.
func TestAnErrorEndsTheCellWithASentence(t *testing.T) {
	cells := map[string]struct {
		cell func()
		says string
	}{
		"show":   {func() { Show(figures.Block(depth.Survival{0.5}, 2)) }, "block 2"},
		"figure": {func() { Figure("fig99") }, `there is no figure "fig99"`},
		"save":   {func() { Save(Must(figures.Block(depth.Survival{0.5}, 1)), "a.txt") }, "a.txt"},
		"recipe": {func() { Recipe("quickstart", "depth=deep") }, "depth"},
		"run":    {func() { Run("notebook-nowhere") }, "there is no run notebook-nowhere yet: run the cell that trains it first"},
		"tried": {func() { Tried("quickstart", "seed=99") },
			"quickstart, seed=99 was not trained yet: run the cell that tries it first"},
		"must": {func() { Must(os.ReadFile("nowhere")) }, "nowhere"},
	}
	const variable = "STOCHDEPTH_TEST_CELL"
	if name, inside := os.LookupEnv(variable); inside {
		cells[name].cell()
		return
	}
	for name, c := range cells {
		t.Run(name, func(t *testing.T) {
			process := exec.Command(os.Args[0], "-test.run=^TestAnErrorEndsTheCellWithASentence$")
			process.Env = append(os.Environ(), variable+"="+name)
			var output bytes.Buffer
			process.Stderr = &output
			err := process.Run()
			require.Error(t, err)
			require.Equal(t, 1, process.ProcessState.ExitCode())
			require.Contains(t, output.String(), c.says)
			require.Equal(t, 1, strings.Count(output.String(), "\n"), output.String())
		})
	}
}

func TestExamples(t *testing.T) {
	data := Must(dataset.Load("shapes", dataset.Options{Seed: 1, Train: 100, Validation: 1, Test: 1}))
	pictures := Examples(data.Train, data.Classes, 2)
	require.Len(t, pictures, 20)
	classes := slices.Sorted(slices.Values(data.Classes))
	for i, picture := range pictures {
		require.Equal(t, classes[i/2], picture.Caption)
	}
	first := slices.Index(data.Classes, classes[0])
	for i := range data.Train.Len() {
		if data.Train.Label(i) == first {
			require.Equal(t, data.Train.Image(i), pictures[0].Pixels)
			break
		}
	}
	require.NotEqual(t, pictures[0].Pixels, pictures[1].Pixels)
}

// The notebooks as they are committed: fit to be read, and to run as they are.
func TestNotebooksAreFitToPublish(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	machine := regexp.MustCompile(`/(tmp|root|home|Users|work)/|gonb_[0-9a-f]{8}`)
	run := regexp.MustCompile(`\b(?:RunDir|Run|OpenRun)\("([^"]*)"`)
	for _, file := range slices.Concat(books(t, "notebooks"), books(t, solutions)) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(root, file))
			require.NoError(t, err)
			require.Less(t, len(data), most, "too large for the web and for git")
			book := parse(t, data)
			require.Equal(t, "gonb", book.Metadata.Kernelspec.Name)
			require.Equal(t, "go", book.Metadata.LanguageInfo.Lexer, "its page would be coloured as Python: execute it by make notebooks")
			require.Empty(t, machine.FindString(string(data)), "a path of this machine")
			require.Equal(t, "markdown", book.Cells[0].Type, "it says first what it is")
			for i, cell := range book.Cells {
				if cell.Type != "code" {
					continue
				}
				for line := range strings.Lines(string(cell.Source)) {
					line = strings.TrimSuffix(line, "\n")
					require.False(t, strings.HasPrefix(line, "!"), "cell %d: %s", i, line)
					require.LessOrEqual(t, utf8.RuneCountInString(line), 100, "cell %d has a long line: %s", i, line)
					require.NotContains(t, line, "Show(notebook.Must(",
						"cell %d: Show ends the cell by itself if a figure fails", i)
				}
				for _, name := range run.FindAllStringSubmatch(string(cell.Source), -1) {
					require.True(t, strings.HasPrefix(name[1], "notebook-"),
						"cell %d has the run %s, which git does not ignore: name it notebook-%s", i, name[1], name[1])
				}
				for _, output := range cell.Outputs {
					require.NotEqual(t, "error", output.Type, "cell %d", i)
					require.NotEqual(t, "stderr", output.Name, "cell %d", i)
				}
			}
		})
	}
}

// Readers find things out by themselves: there are questions before the results, answers and hints are folded away, and
// each exercise has a solution.
func TestNotebooksAsk(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	exercise := regexp.MustCompile(`(?m)^(\d)\. `)
	heading := regexp.MustCompile(`(?m)^## Exercises? (\d)(?: and (\d))?$`)
	var solved []string
	for _, file := range books(t, "notebooks") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			book := read(t, filepath.Join(root, file))
			require.NotEmpty(t, book.figures(), "a notebook without figures")
			var text strings.Builder
			for _, cell := range book.Cells {
				if cell.Type == "markdown" {
					text.WriteString(string(cell.Source) + "\n")
				}
			}
			require.GreaterOrEqual(t, strings.Count(text.String(), "**Predict.**"), 2)
			require.GreaterOrEqual(t, strings.Count(text.String(), "<details>"), 2)
			require.Equal(t, strings.Count(text.String(), "<details><summary>"), strings.Count(text.String(), "</details>"))

			_, last, found := strings.Cut(text.String(), "\n## What we learned\n")
			require.True(t, found)
			_, exercises, found := strings.Cut(last, "\n## Exercises\n")
			require.True(t, found)
			require.NotContains(t, exercises, "\n## ")
			require.Contains(t, exercises, "3. *Changes code.*")
			name := filepath.Base(file)[:2] + "_solutions.ipynb"
			require.Contains(t, exercises, "(solutions/"+name+")")
			solved = append(solved, solutions+"/"+name)

			var asked, answered []string
			for _, m := range exercise.FindAllStringSubmatch(exercises, -1) {
				asked = append(asked, m[1])
			}
			executed := false
			for _, cell := range read(t, filepath.Join(root, solutions, name)).Cells {
				executed = executed || len(cell.Outputs) > 0
				for _, m := range heading.FindAllStringSubmatch(string(cell.Source), -1) {
					answered = append(answered, m[1:]...)
				}
			}
			answered = slices.DeleteFunc(answered, func(number string) bool { return number == "" })
			slices.Sort(answered)
			require.Equal(t, asked, answered, "the exercises, and the solutions in %s", name)
			require.True(t, executed, "%s has no outputs", name)
		})
	}
	require.Equal(t, books(t, solutions), solved)
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

// The containers have the Go version of go.mod, and VS Code's container is a stage of the notebooks' container.
func TestContainers(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	text := func(path ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		require.NoError(t, err)
		return string(data)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text("go.mod"))
	require.NotNil(t, version)
	for _, file := range []string{"Containerfile", "toolkit/runs/sweep/Containerfile"} {
		require.Contains(t, text(file), "library/golang:"+version[1]+"-", file)
	}
	var code struct {
		Build struct{ Dockerfile, Context, Target string }
	}
	require.NoError(t, json.Unmarshal([]byte(text(".devcontainer", "devcontainer.json")), &code))
	require.Regexp(t, `(?m)^FROM \S+ AS `+code.Build.Target+"$", text(".devcontainer", code.Build.Dockerfile))
	require.FileExists(t, filepath.Join(root, ".devcontainer", code.Build.Context, "go.mod"))
}

// A figure that is shown in a page is one element, without the head of a file, and its values are in it.
func TestHover(t *testing.T) {
	figure, err := figures.DepthBars(figures.Recorded(""), outcome.DepthErrors{Layers: 20, Constant: outcome.Estimate{Mean: 5.25}})
	require.NoError(t, err)
	page, err := inline(figure)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(page, "<svg style=") && strings.HasSuffix(strings.TrimSpace(page), "</svg>"))
	require.NotContains(t, page, "<?xml")
	require.Contains(t, page, "<title>constant depth\nlayers 20: 5.25</title>")
}
