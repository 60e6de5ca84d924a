package sweep

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// list is a JSON list of n different values.
func list(n int) string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprint(i + 1)
	}
	return "[" + strings.Join(values, ",") + "]"
}

// A grid is counted before any of it is made.
func TestGridsAreCountedFirst(t *testing.T) {
	const want = "the grid has more than 100,000 combinations, the most that a sweep may have: give fewer values, or " +
		"make several sweeps"
	for name, grid := range map[string]string{
		"a product": fmt.Sprintf(`{"seed": %s, "epochs": %[1]s, "warmup_epochs": %[1]s, "evaluate_every": %[1]s}`, list(100)),
		"overflow": fmt.Sprintf(`{"seed": %s, "epochs": %[1]s, "warmup_epochs": %[1]s, "evaluate_every": %[1]s, "test_every": %[1]s, "train_images": %[1]s, "test_images": %[1]s}`,
			list(1000)),
		"a long list":  fmt.Sprintf(`{"seed": %s}`, list(100_001)),
		"a wrong axis": fmt.Sprintf(`{"seed": %s, "epochs": [1, 2]}`, list(50_001)),
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "it", `{"grid": `+grid+`}`)
			_, err := Read(path)
			require.EqualError(t, err, "sweep "+path+": "+want)
		})
	}
}

// A large grid is expanded while one waits, so nothing needs to interrupt it.
func TestALargeGrid(t *testing.T) {
	start := time.Now()
	s, err := Read(write(t, "it", fmt.Sprintf(`{"grid": {"seed": %s, "death_rate": [0.5, 0.6]}}`, list(10_000))))
	require.NoError(t, err)
	require.Len(t, s.Jobs, 20_000)
	t.Logf("%d runs in %s", len(s.Jobs), time.Since(start))
}

func TestSweepNamesAreThoseOfRuns(t *testing.T) {
	for _, name := range []string{"..", ".hidden", "a/../b", "a/", "/abs", "-x", "a\\nb", "a\\u001b[2J", strings.Repeat("a", 201)} {
		_, err := Read(write(t, "it", `{"name": "`+name+`", "grid": {"depth": [8]}}`))
		require.ErrorContains(t, err, "is not suitable for run folders: use letters, digits, dots and dashes", name)
		require.NotContains(t, err.Error(), "\x1b")
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := Read(write(t, "it", `{"grid": {"depth": [8, 99999999999999999999]}}`))
	require.ErrorContains(t, err, "depth 99999999999999999999 is out of range")
	_, err = Read(filepath.Dir(write(t, "it", "")))
	require.ErrorContains(t, err, "is no regular file")
}

func TestClusterNumbers(t *testing.T) {
	s, err := Read(write(t, "it", `{"grid": {"depth": [8]}}`))
	require.NoError(t, err)
	for want, o := range map[string]SlurmOptions{
		"--cpus is -1: it must be from 0 to 1,048,576":                               {CPUs: -1},
		"--gpus is 2000: it must be from 0 to 1,024":                                 {GPUs: 2000},
		"--at-once is -5: it must be from 0 to 100,000":                              {AtOnce: -5},
		"--time -1h0m0s is negative: give a time such as 2h, or leave it out":        {Time: -time.Hour},
		"a time limit of 1m0s is too short for a task to start and stop in: give it": {Time: time.Minute},
	} {
		o.Runs = t.TempDir()
		_, err := s.Slurm(o)
		require.ErrorContains(t, err, want)
	}
	_, err = s.Kubernetes(KubernetesOptions{AtOnce: -1})
	require.EqualError(t, err, "--at-once is -1: it must be from 0 to 100,000")
}
