package network

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// inPyTorch is a case of testdata/pytorch_recipes.py.
type inPyTorch struct {
	Settings map[string]string
	Losses   []float64 // of the steps
	Test     float64   // mean cross-entropy of the same images at test, after the steps
	Gates    [][]float32
	Draws    [][]float32 // of mixed images
}

// Twenty steps with each key of a recipe beyond the paper's, and with all of them together, have the losses of PyTorch and timm,
// and so does the trained network at test. The table is the output of testdata/pytorch_recipes.py; with BENCH_PYTHON, the Python of
// TestAgainstPyTorch with timm, it is made again.
func TestRecipesAsInPyTorch(t *testing.T) {
	table, err := os.ReadFile("testdata/pytorch_recipes.json")
	require.NoError(t, err)
	var cases, again []inPyTorch
	require.NoError(t, json.Unmarshal(table, &cases))
	if python := os.Getenv("BENCH_PYTHON"); python != "" && exec.Command(python, "-c", "import timm").Run() == nil {
		table, err = exec.Command(python, "testdata/pytorch_recipes.py", "bench/peers").Output()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(table, &again))
		for i, c := range again {
			require.Equal(t, cases[i].Settings, c.Settings)
			require.InDeltaSlice(t, cases[i].Losses, c.Losses, 1e-8, c.Settings)
		}
	}
	for i, c := range cases {
		t.Run(fmt.Sprint(c.Settings), func(t *testing.T) {
			r := recipes.Default()
			r.Dataset, r.ImageSize, r.Depth, r.DType, r.BatchSize, r.Epochs = "shapes", 8, 8, "float64", 6, len(c.Losses)
			if r.Milestones = nil; i < len(cases)-1 { // the engine, in the last case, takes longer to compile
				r.Form = "resnet"
			}
			for key, value := range c.Settings {
				require.NoError(t, r.Set(key, value))
			}
			r.DeathRate = 0.5
			require.NoError(t, r.Validate())
			m, batch := asInPyTorch(t, r)
			schedule := m.RateSchedule()
			worst := 0.0
			for step, want := range c.Losses {
				require.NoError(t, m.SetLearningRate(schedule.At(int64(step), 1)))
				batch.Gates = c.Gates[step]
				if r.Mixes() {
					batch.Mix = c.Draws[step]
				}
				got := takeStep(t, m, batch).Loss
				require.InDelta(t, want, got, 1e-6, "step %d", step+1)
				worst = max(worst, math.Abs(want-got))
			}
			images := &dataset.Images{Format: batch.Format, Pixels: batch.Pixels}
			for _, label := range batch.Labels {
				images.Labels = append(images.Labels, uint16(label))
			}
			test := evaluate(t, m, dataset.NewView(images)).Loss
			require.InDelta(t, c.Test, test, 1e-6)
			t.Logf("largest difference of the losses of %d steps %.1e, of the loss at test %.1e", len(c.Losses), worst,
				math.Abs(c.Test-test))
		})
	}
}

// asInPyTorch returns the model and the minibatch with which testdata/pytorch_recipes.py starts.
func asInPyTorch(t *testing.T, r recipes.Recipe) (*Model, *Batch) {
	t.Helper()
	format := r.Image()
	m, err := NewModel(backendtest.Open(t), r, Input{format, 10,
		dataset.Normalization{Mean: []float32{127.5, 127.5, 127.5}, Deviation: []float32{64, 64, 64}}})
	require.NoError(t, err)
	x := uint32(1)
	next := func() int {
		x = x*1664525 + 1013904223
		return int(x >> 8)
	}
	parts, names := map[string]variablePart{}, []string{}
	require.NoError(t, m.visit(func(name string, part variablePart) error {
		if !strings.Contains(name, "running") {
			parts[name], names = part, append(names, name)
		}
		return nil
	}))
	slices.Sort(names)
	values := make(map[*model.Variable][]partValues)
	for _, name := range names {
		part := parts[name]
		middle, width, drawn := 0.0, 0.2, []float64{}
		if shape := part.torchShape(); len(shape) > 1 {
			fanIn := 1
			for _, d := range shape[1:] {
				fanIn *= d
			}
			width = math.Sqrt(24 / float64(fanIn))
		} else if strings.HasSuffix(name, "weight") {
			middle, width = 0.75, 0.5
		}
		from, to := part.span()
		for range to - from {
			drawn = append(drawn, middle+width*(float64(next())/(1<<24)-0.5))
		}
		values[part.variable] = append(values[part.variable], partValues{part, part.fromTorch(drawn)})
	}
	for v, list := range values {
		require.NoError(t, setParts(v, list))
	}
	batch := &Batch{Format: format, Image: format, Pixels: make([]byte, r.BatchSize*format.Bytes()), Labels: make([]int32, r.BatchSize)}
	for i := range batch.Pixels {
		batch.Pixels[i] = byte(next() % 256)
	}
	for i := range batch.Labels {
		batch.Labels[i] = int32(next() % 10)
	}
	return m, batch
}
