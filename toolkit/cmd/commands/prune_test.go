package commands

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs/pruned"
)

// prune prints a line for each network, writes the one that was asked for, which eval finds as recorded and import trains on; and
// a sensitivity's last line is a recipe.
func TestPruneAndSensitivity(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	runs := filepath.Join(folder, "runs")
	succeed(t, stochdepth(t, "train", "--run", "mine", "--runs", runs, "--recipe", "shapes", "--depth", "14", "--epochs", "1",
		"--death-rate", "0.5", "--set", "train_images=64", "--set", "validation_images=32", "--set", "test_images=32", "--set", "batch_size=32"))
	small, figure, page := filepath.Join(folder, "small.safetensors"), filepath.Join(folder, "front.svg"), filepath.Join(folder, "page.html")
	record := filepath.Join(folder, "mine.jsonl")
	out := succeed(t, stochdepth(t, "prune", "mine", "--runs", runs, "--order", "depth", "--keep", "0.7", "-o", small,
		"--figure", figure, "--page", page, "--record", record))
	require.Contains(t, out, "\n4 of 6 blocks: written to "+small+"\n")
	require.Regexp(t, `(?m)^depth +6 +100\.00 +\d.*1 2 3 4 5 6$`, out)
	require.Regexp(t, `(?m)^depth +3 +\d\d\.\d\d +\d.*1 3 5$`, out)
	require.FileExists(t, figure)
	require.FileExists(t, page)
	recorded, err := pruned.Read(record)
	require.NoError(t, err)
	require.Equal(t, "mine", recorded.Network)
	require.Equal(t, []int{1, 2, 3, 5}, recorded.States[2].Kept)
	require.Less(t, recorded.States[2].MultiplyAdds, recorded.States[1].MultiplyAdds)
	evaluated := succeed(t, stochdepth(t, "eval", small, "--runs", runs))
	require.Contains(t, evaluated, "4 of 6 blocks (1, 2, 3 and 5), run mine")
	require.Regexp(t, `(?m)^validation .*as recorded: \d+\.\d\d %\ntest .*as recorded: `, evaluated)
	succeed(t, stochdepth(t, "import", small, "--runs", runs, "--run", "on"))
	succeed(t, stochdepth(t, "train", "--run", "on", "--runs", runs, "--recipe", filepath.Join(runs, "on", "recipe.json")))

	smaller := filepath.Join(folder, "smaller.safetensors")
	succeed(t, stochdepth(t, "prune", small, "--runs", runs, "--order", "depth", "--keep", "0.75", "-o", smaller))
	require.Contains(t, succeed(t, stochdepth(t, "eval", smaller, "--runs", runs)), "3 of 6 blocks (1, 3 and 5), run mine")

	command := stochdepth(t, "prune", small, "--runs", runs, "--format", "json")
	command.Stderr = nil
	text, err := command.Output()
	require.NoError(t, err)
	var rows []struct {
		Order, Kept, Front string
		Blocks             int
		TestError          float64 `json:"test_error"`
	}
	require.NoError(t, json.Unmarshal(text, &rows), string(text))
	require.Len(t, rows, 2, "4 blocks, of which one can go")
	require.Equal(t, "greedy", rows[0].Order)

	out = succeed(t, stochdepth(t, "sensitivity", "shapes-20-linear-0.7", "--budget", "0.75", "--images", "200"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	flags := append([]string{"summary", "--recipe", "shapes", "--depth", "20"}, strings.Fields(lines[len(lines)-1])...)
	require.Contains(t, succeed(t, stochdepth(t, flags...)), "budget=0.75")

	require.NoError(t, os.Mkdir(filepath.Join(folder, "there"), 0o755))
	for want, args := range map[string][]string{
		"--keep says how much of the network -o writes: give both, or none": {"prune", "mine", "--keep", "0.5"},
		"--keep 2: it is a share of the blocks, above 0 and at most 1":      {"prune", "mine", "--keep", "2", "-o", small},
		"--record a.json: the name of a record ends in .jsonl":              {"prune", "mine", "--record", "a.json"},
		"unknown format \"gif\": use png, svg or pdf":                       {"prune", "mine", "--figure", filepath.Join(folder, "a.gif")},
		"unknown format \"xml\": use table":                                 {"prune", "mine", "--format", "xml"},
		"has lost blocks already: a record is of a whole":                   {"prune", small, "--record", filepath.Join(folder, "b.jsonl")},
		"give one --order":                  {"prune", "mine", "--keep", "0.5", "-o", small, "--order", "depth,greedy"},
		`--order "luck": use greedy, depth`: {"prune", "mine", "--order", "luck"},
		"is a folder: name a file in it":    {"prune", "mine", "--keep", "0.5", "-o", filepath.Join(folder, "there")},
		"there is no folder " + filepath.Join(folder, "none") + ": make it first": {"prune", "mine", "--keep", "0.5", "-o",
			filepath.Join(folder, "none", "a.safetensors")},
		"3 of the 6 blocks have to stay, so give at least 0.5": {"prune", "mine", "--keep", "0.2", "-o", small, "--order", "depth"},
		"there is no run and no network nothing":               {"prune", "nothing"},
		"--budget 2 is outside [0.05, 1]":                      {"sensitivity", "mine", "--budget", "2"},
	} {
		text, err := stochdepth(t, append(args, "--runs", runs)...).CombinedOutput()
		require.Error(t, err, args)
		require.Contains(t, string(text), want)
	}
}
