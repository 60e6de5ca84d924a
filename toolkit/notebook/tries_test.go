package notebook

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// The folder of a try says what differs from the preset, whatever the order and spelling of the settings; equal recipes have
// one folder, and different ones have different folders.
func TestTryDir(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	name := func(preset string, settings ...string) string {
		dir, recipe, err := TryDir(preset, settings...)
		require.NoError(t, err)
		require.Equal(t, Must(Preset(preset, settings...)), recipe)
		below, err := filepath.Rel(filepath.Join(root, "data", "runs"), dir)
		require.NoError(t, err)
		require.NoError(t, runs.CheckName(filepath.ToSlash(below)))
		return below
	}
	require.Equal(t, "notebook-try-quickstart/preset", name("quickstart"))
	require.Equal(t, "notebook-try-quickstart/preset", name("quickstart", "death-rate=0.50"))
	require.Equal(t, "notebook-try-quickstart/death_rate=0.3", name("quickstart", "death_rate=0.3"))
	require.Equal(t, "notebook-try-quickstart/death_rate=0.3-seed=2", name("quickstart", "seed=2", "death_rate=.3"))
	require.Equal(t, "notebook-try-shapes/milestones=0.6_0.8", name("shapes", "milestones=0.6 0.8"))
	require.Equal(t, "notebook-try-quickstart/dataset=folder-mine", name("quickstart", "dataset=folder:mine"))

	long := func(last string) string {
		return name("cifar10-1202", "rule=list", "survival_probabilities=0.123456789,0.123456789,0.123456789,0.123456789,0.123456789,"+
			"0.123456789,0.123456789,0.123456789,0.123456789,0.123456789,0.123456789,0.123456789,"+last)
	}
	require.NotEqual(t, long("0.5"), long("0.6"))
	require.Less(t, len(long("0.5")), 200)

	_, _, err = TryDir("quickstart", "deth_rate=0.3")
	require.ErrorContains(t, err, `did you mean "death_rate"?`)
	_, _, err = TryDir("nothing")
	require.ErrorContains(t, err, "nothing")
	t.Setenv(EnvTiny, "1")
	dir, recipe, err := TryDir("quickstart", "epochs=30")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, ".out", "tiny", "data", "runs", "notebook-try-quickstart", "epochs=30"), dir)
	require.Equal(t, Recipe("quickstart"), recipe, "small, in a folder of its own")
}

// The tries of a preset stand in the order in which they began, each with what it changes.
func TestTries(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+project.Module+"\n"), 0o644))
	t.Setenv(project.EnvRoot, root)
	require.Empty(t, Tries("quickstart"))
	for i, settings := range [][]string{{"death_rate=0.3"}, {}, {"seed=2", "epochs=30"}} {
		dir, recipe, err := TryDir("quickstart", settings...)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, recipe.Write(filepath.Join(dir, "recipe.json")))
		result := []byte(`{"started": "2016-03-30T12:00:0` + string(rune('0'+i)) + `Z", "status": "finished", "completed": true}`)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "result.json"), result, 0o644))
	}
	var texts []string
	for i, try := range Tries("quickstart") {
		require.Equal(t, i+1, try.Number)
		texts = append(texts, try.Text)
	}
	require.Equal(t, []string{"death_rate=0.3", "the preset as it is", "epochs=30, seed=2"}, texts)
	require.Empty(t, Tries("shapes"), "another preset")

	// What all tries change alike is left out. If nothing else is left, the value says what others change.
	for _, settings := range [][]string{{"epochs=30", "death_rate=0.5"}, {"epochs=30"}} {
		dir, recipe, err := TryDir("shapes", settings...)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, recipe.Write(filepath.Join(dir, "recipe.json")))
	}
	texts = nil
	for _, try := range Tries("shapes") {
		texts = append(texts, try.Text)
	}
	require.ElementsMatch(t, []string{"death_rate=0.5", "death_rate=0.3"}, texts)

	run := Tried("quickstart", "death_rate=0.3")
	require.Equal(t, "notebook-try-quickstart/death_rate=0.3", run.Name)
	require.Equal(t, []string{"death_rate=0.3"}, recipes.Changes(Recipe("quickstart"), run.Recipe))
}
