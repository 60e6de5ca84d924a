package commands

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
)

// find-rate trains its rounds and answers; the same command with the same budget trains nothing more, and with --plan the next
// round becomes a sweep file that sweep run makes.
func TestFindRate(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	figure := filepath.Join(folder, "rate.svg")
	args := []string{"find-rate", "--runs", folder, "--recipe", "shapes", "--depth", "8", "--epochs", "4", "--candidates", "1,0.5",
		"--set", "train_images=64", "--set", "validation_images=32", "--set", "test_images=32",
		"--set", "batch_size=32", "--set", "evaluate_every=0"}
	out, err := stochdepth(t, append(args, "--budget", "1ms")...).CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, `--budget: a budget of 0 s is too small: an epoch of each of the 2 candidates takes about \d`, string(out))

	plan := succeed(t, stochdepth(t, append(args, "--budget", "1h", "--plan")...))
	first := filepath.Join(folder, "find-rate-shapes-8-4", "round-1.json")
	require.Contains(t, plan, first+": 2 runs: 2 left. Make them with\n\n  stochdepth sweep run '"+first+"' --runs '"+folder+"'\n")
	succeed(t, stochdepth(t, "sweep", "run", first, "--runs", folder))
	second := filepath.Join(folder, "find-rate-shapes-8-4", "round-2.json")
	require.Contains(t, succeed(t, stochdepth(t, append(args, "--budget", "1h", "--plan")...)), second+": ")

	args = append(args, "--budget", "20s", "--format", "json", "--figure", figure)
	var rows []struct {
		Epochs, Seeds   int
		Survival        float64
		ValidationError *float64 `json:"validation_error"`
		Answer          string
	}
	command := stochdepth(t, args...)
	command.Stderr = nil
	text, err := command.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &rows), string(text))
	require.Equal(t, 4, rows[0].Epochs)
	best := 0
	for _, row := range rows {
		if row.Answer == "best" {
			best++
		}
	}
	require.Equal(t, 1, best)
	require.FileExists(t, figure)

	args[6] = "14"
	out, err = stochdepth(t, append(args, "--name", "shapes-8-4")...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "holds the search for another training (depth: 8, 14; the folder's value first)")
}
