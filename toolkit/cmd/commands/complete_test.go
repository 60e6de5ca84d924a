package commands

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// The shell's script asks through a hidden command, which answers as follows.
func TestCompletion(t *testing.T) {
	folder := t.TempDir()
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	for _, name := range []string{"one", "more/two", "x\x1b[31m"} {
		w, err := runs.Create(filepath.Join(folder, "runs", name), recipe)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "fig.json"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "net.safetensors"), nil, 0o644))
	for line, want := range map[string]string{
		"runs ":                              "more/two one :4",
		"runs one ":                          "more/two :4",
		"eval --models " + folder + " ":      "more/two one net :4",
		"compare one ":                       "more/two :4",
		"compare one more/two ":              ":4",
		"export --checkpoint ":               "best last :4",
		"train --recipe ":                    "cifar10 cifar10-1202 cifar100 folder quickstart shapes svhn :0",
		"find-rate --recipe quick":           "quickstart :0",
		"train --run ":                       "more/two one :4",
		"rates comp":                         "composer/resnet50 :4",
		"train --rule ":                      "linear linear-from-zero linear-short stagewise uniform exponential logarithmic sigmoid sine square step list :4",
		"train --augment ":                   "none shift crop :4",
		"train --set form=":                  "form=survivors form=resnet :4",
		"train --set network=resnet1":        "network=resnet18 network=resnet101 network=resnet152 :4",
		"train --set survival":               "survival_probabilities= survival_schedule= :6",
		"runs --where freeze-closed=":        "freeze-closed=true freeze-closed=false :4",
		"runs --sort t":                      "test-error time :4",
		"runs --format ":                     "table tsv csv json :4",
		"figures --format ":                  "png svg pdf :4",
		"figures --format svg,p":             "svg,png svg,pdf :4",
		"prune --order greedy,e":             "greedy,every-other :4",
		"figures --theme ":                   "light dark :4",
		"data get ":                          "cifar10 cifar100 svhn :4",
		"sweep run --sweeps " + folder + " ": "fig :4",
		"runs --runs ":                       ":16", // folders
	} {
		args := strings.Split(line, " ")
		args = append([]string{"__complete", args[0]}, args[1:]...)
		withRuns := []string{"runs", "eval", "compare", "export", "train"}
		if sub := args[1]; !strings.HasSuffix(line, "--runs ") && slices.Contains(withRuns, sub) {
			args = append([]string{"__complete", sub, "--runs", filepath.Join(folder, "runs")}, args[2:]...)
		}
		out, err := call(t, args...)
		require.NoError(t, err, line)
		out, _, _ = strings.Cut(out, "Completion ended")
		require.Equal(t, want, strings.Join(strings.Fields(out), " "), line)
	}
	out, err := call(t, "__complete", "figures", "fig")
	require.NoError(t, err)
	require.Contains(t, out, "fig1\n")

	help, err := call(t, "completion", "--help")
	require.NoError(t, err)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, help, "stochdepth completion "+shell)
		script := succeed(t, stochdepth(t, "completion", shell))
		require.Contains(t, script, "__complete")
		require.Equal(t, script, escape(script), "the script comes whole through the terminal's guard")
	}
	require.Contains(t, succeed(t, stochdepth(t, "--help")), "completion ")
}
