package commands

import (
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

// Every committed sweep can be read, and its description names the command that runs it.
func TestCommittedSweeps(t *testing.T) {
	paths, err := filepath.Glob(inProject("data", "sweeps", "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(paths), 20)
	for _, path := range paths {
		s, err := sweep.Read(path)
		require.NoError(t, err)
		require.NotEmpty(t, s.Jobs, path)
		require.Contains(t, s.Description, "Run: stochdepth sweep run "+strings.TrimSuffix(filepath.Base(path), ".json"))
	}
}

// The sweeps of the paper's figures have the paper's settings, and the times in their descriptions are those of all their steps,
// by the lines through the measured steps of 110 layers.
func TestSweepsOfThePaper(t *testing.T) {
	type runsOf struct {
		jobs, epochs int
		augment      recipes.Augment
		layers       []int
		deathRates   []float64
	}
	const half = 0.5
	for name, want := range map[string]runsOf{
		"paper-fig3":       {4, 500, "shift", []int{110}, []float64{0, half}},
		"paper-fig4-left":  {2, 50, "none", []int{152}, []float64{0, half}},
		"paper-fig4-right": {2, 300, "shift", []int{1202}, []float64{0, half}},
		"paper-fig8-left":  {19, 500, "shift", []int{110}, []float64{0, 0.1, 0.2, 0.3, 0.4, half, 0.6, 0.7, 0.8, 0.9}},
		"paper-fig8-right": {36, 500, "shift", []int{20, 38, 56, 74, 92, 110}, []float64{0, 0.1, 0.2, 0.3, 0.4, half}},
		"paper-table1":     {8, 500, "", []int{110}, []float64{0, half}},
		"paper-fig6":       {2, 120, "crop", []int{152}, []float64{0, half}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sweep.Read(inProject("data", "sweeps", name+".json"))
			require.NoError(t, err)
			require.Len(t, s.Jobs, want.jobs)
			gpu, cpu := 0.0, 0.0 // seconds
			for _, job := range s.Jobs {
				r := job.Recipe
				require.Equal(t, [2]int{want.epochs, 128}, [2]int{r.Epochs, r.BatchSize})
				require.Contains(t, want.layers, r.Depth)
				require.Contains(t, want.deathRates, r.DeathRate)
				if want.augment != "" {
					require.Equal(t, want.augment, r.Augment)
				}
				require.Equal(t, []any{1e-4, 0.9, 0.1, int64(1), 0}, []any{r.WeightDecay, r.Momentum, r.LearningRate, r.Seed, r.TrainImages})
				groups, err := r.Groups()
				require.NoError(t, err)
				survival, err := depth.ByRule(r.Rule, groups, r.DeathRate, nil)
				require.NoError(t, err)
				steps := float64(r.Epochs * map[string]int{"svhn": 4675}[r.Dataset])
				if steps == 0 {
					steps = float64(r.Epochs * 352) // CIFAR's in an epoch
				}
				gpu += steps * stepTime(t, "h200-open", survival.ExpectedOpen())
				cpu += steps * stepTime(t, "cpu", survival.ExpectedOpen())
			}
			said := regexp.MustCompile(`About (\d+) hours on an NVIDIA H200 and (\d+) days on two CPU cores`).FindStringSubmatch(s.Description)
			if name == "paper-fig6" {
				require.Nil(t, said)
				require.Equal(t, [4]any{"folder:imagenet", "imagenet", 224, 256},
					[4]any{s.Jobs[0].Recipe.Dataset, s.Jobs[0].Recipe.Stem, s.Jobs[0].Recipe.ImageSize, s.Jobs[0].Recipe.ResizeSize})
				return
			}
			require.NotNil(t, said)
			require.Equal(t, said[1], strconv.Itoa(int(math.Round(gpu/3600))))
			require.Equal(t, said[2], strconv.Itoa(int(math.Round(cpu/86400))))
		})
	}
}

// stepTime is the time of a step with this many open blocks, in seconds, by the line of least squares through the measured steps of
// 110 layers in a record.
func stepTime(t *testing.T, record string, open float64) float64 {
	t.Helper()
	measured, err := bench.Read(inProject("data", "bench", record+".json"))
	require.NoError(t, err)
	var n, x, y, xx, xy float64
	for _, m := range measured.Results {
		if m.Fixed && m.Layers == 110 {
			n, x, y, xx, xy = n+1, x+m.Open, y+m.StepMS, xx+m.Open*m.Open, xy+m.Open*m.StepMS
		}
	}
	require.Equal(t, 5.0, n)
	slope := (n*xy - x*y) / (n*xx - x*x)
	return ((y-slope*x)/n + slope*open) / 1000
}
