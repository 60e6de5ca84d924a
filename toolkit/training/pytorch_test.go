package training

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/backend/backendtest"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/optimizer"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/tensorfile"
)

// TestAgainstPyTorch takes three steps beside a PyTorch implementation, from the same weights, with the
// same batch and gates, in float32: the losses and all parameters must agree to rounding. It needs the
// folder of that implementation in STOCHDEPTH_PEERS and a Python with torch and safetensors in PYTHON,
// and is skipped without.
func TestAgainstPyTorch(t *testing.T) {
	peers, python := os.Getenv("STOCHDEPTH_PEERS"), os.Getenv("PYTHON")
	if peers == "" || python == "" {
		t.Skip("set STOCHDEPTH_PEERS and PYTHON to compare with PyTorch")
	}
	dir := t.TempDir()
	out, err := exec.Command(python, "testdata/pytorch_steps.py", peers, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	start, end := readTensors(t, filepath.Join(dir, "start.safetensors")), readTensors(t, filepath.Join(dir, "end.safetensors"))

	b := backendtest.Open(t)
	for _, form := range []string{"survivors", "resnet"} {
		recipe := runs.Default()
		recipe.Dataset, recipe.Depth, recipe.DeathRate, recipe.Form = "cifar10", 20, 0.5, form
		m, err := NewModel(b, recipe, 10, dataset.Normalization{Mean: []float32{0, 0, 0}, Deviation: []float32{1, 1, 1}})
		require.NoError(t, err)
		importStart(t, m, dir, start)
		losses := threeSteps(t, b, m, start)
		for i, loss := range losses {
			want := end["losses"].values[i]
			t.Logf("%-9s  step %d: loss %.7f, PyTorch %.7f, difference %.1e", form, i+1, loss, want, math.Abs(loss-want))
			require.InDelta(t, want, loss, 1e-4)
		}
		groups := map[string]float64{}
		require.NoError(t, m.visit(func(name string, part variablePart) error {
			values, err := part.read()
			require.NoError(t, err)
			for i, v := range part.toTorch(values) {
				d := math.Abs(v - end[name].values[i])
				kind := name[strings.LastIndex(name, ".")+1:]
				groups[kind] = max(groups[kind], d)
				require.LessOrEqual(t, d, 1e-3*max(1, math.Abs(v)), "%s[%d]: %g, PyTorch %g", name, i, v, end[name].values[i])
			}
			return nil
		}))
		t.Logf("%-9s  largest differences of all parameters after three steps: %v", form, groups)
	}
}

type namedTensor struct {
	shape  []int
	values []float64
}

func readTensors(t *testing.T, path string) map[string]namedTensor {
	list, _, err := tensorfile.Read(path)
	require.NoError(t, err)
	named := make(map[string]namedTensor)
	for _, tensor := range list {
		if tensor.DType == "I64" { // PyTorch counts batches
			continue
		}
		values, err := decode(tensor)
		require.NoError(t, err)
		named[tensor.Name] = namedTensor{tensor.Shape, values}
	}
	return named
}

// importStart imports the weights through a file of their own.
func importStart(t *testing.T, m *Model, dir string, start map[string]namedTensor) {
	var weights []tensorfile.Tensor
	for name, tensor := range start {
		if !strings.HasPrefix(name, "batch.") {
			weights = append(weights, encode(name, tensor.shape, tensor.values, m.Network.ParameterDType()))
		}
	}
	path := filepath.Join(dir, "weights.safetensors")
	require.NoError(t, tensorfile.Write(path, weights, nil))
	require.NoError(t, m.Import(path))
}

// threeSteps trains on images that are floats already, with the model's network, loss and optimizer.
func threeSteps(t *testing.T, b compute.Backend, m *Model, start map[string]namedTensor) (losses []float64) {
	step := model.MustNewExec(b, m.Store, func(scope *model.Scope, images, labels, gates *graph.Node) *graph.Node {
		scope.Store().SetTraining(images.Graph(), true)
		loss := graph.ReduceAllMean(crossEntropy(m.forward(scope, images, gates), labels))
		(&optimizer.SGD{Momentum: 0.9, WeightDecay: 1e-4}).UpdateGraph(scope, images.Graph(), loss)
		return loss
	})
	require.NoError(t, m.SetLearningRate(0.1))
	images, gates := start["batch.images"], start["batch.gates"]
	var labels []int32
	for _, l := range start["batch.labels"].values {
		labels = append(labels, int32(l))
	}
	for i := range gates.shape[0] {
		row := gates.values[i*gates.shape[1] : (i+1)*gates.shape[1]]
		outputs := step.MustCall(
			tensors.FromFlatDataAndDimensions(narrow(images.values), images.shape...),
			tensors.FromFlatDataAndDimensions(labels, len(labels)),
			tensors.FromFlatDataAndDimensions(narrow(row), len(row)))
		losses = append(losses, float64(outputs[0].Value().(float32)))
	}
	require.Len(t, losses, 3)
	return losses
}
