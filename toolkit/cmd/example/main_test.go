package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
)

// The example, copied into another folder as its comment says, trains, evaluates and sweeps what is its own: block, rule,
// schedules and data set. The command line without it says what is missing.
func TestTheExample(t *testing.T) {
	plugin, err := backend.Find()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	build := func(name, path string) func(want string, args ...string) {
		program := filepath.Join(dir, name)
		out, err := exec.Command("go", "build", "-o", program, path).CombinedOutput()
		require.NoError(t, err, string(out))
		return func(want string, args ...string) {
			cmd := exec.Command(program, args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "STOCHDEPTH_ROOT=", backend.Environment+"=xla:"+plugin.Path)
			out, _ := cmd.CombinedOutput()
			require.Contains(t, string(out), want, "%v", args)
		}
	}
	example := build("example", ".")
	settings := []string{"--dataset", "stripes", "--depth", "8", "--block", "scaled", "--rule", "second-half", "--death-rate", "0.5",
		"--epochs", "6", "--batch-size", "16", "--set", "survival_schedule=wave", "--set", "schedule=line", "--augment", "none"}
	example("test error 0.0 %", append([]string{"train", "--run", "one"}, settings...)...)
	run, err := runs.Open(filepath.Join(dir, "data", "runs", "one"))
	require.NoError(t, err)
	require.Equal(t, []string{"dataset stripes", "block scaled", "rule second-half", "survival_schedule wave", "schedule line"},
		run.Recipe.Own())
	example("test", "eval", "one")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.json"), []byte(`{"recipe": "`+filepath.Join(run.Dir, "recipe.json")+`",
		"set": {"epochs": 1}, "grid": {"rule": ["second-half"]}}`), 0o644))
	example("1 of 1 runs", "sweep", "run", "mine.json")
	list, err := runs.List(filepath.Join(dir, "data", "runs", "mine"))
	require.NoError(t, err)
	require.Len(t, list, 1)
	for _, run := range list {
		require.True(t, run.Finished(), run.Name)
	}

	stochdepth := build("stochdepth", "stochdepth/toolkit/cmd/stochdepth")
	stochdepth("or one of your own in the program that registers it", "eval", "one")
	stochdepth("second-half", "runs")
}

func TestSecondHalf(t *testing.T) {
	require.Equal(t, depth.Survival{1, 1, 0.7, 0.7, 0.7}, secondHalf(5, 0.3))
}
