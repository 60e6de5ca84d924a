package network

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/runs/recipes"
)

// TestAgainstPyTorch compares three steps with those of package bench's network in PyTorch, from the same weights and with the
// same minibatch and gates. In float64 the losses and all parameters agree to 1e-8, so their differences in float32 are
// rounding. The test needs a Python with torch in BENCH_PYTHON, such as the one of make bench-peers, and is skipped without.
func TestAgainstPyTorch(t *testing.T) {
	python := pythonWith(t, "torch")
	b := backendtest.Open(t)
	for _, c := range []struct {
		dtype, form     string
		loss, parameter float64 // largest differences allowed
	}{{"float64", "survivors", 1e-9, 1e-8}, {"float32", "survivors", 1e-4, 5e-3}, {"float32", "resnet", 1e-4, 5e-3}} {
		dir := t.TempDir()
		out, err := exec.Command(python, "testdata/pytorch_steps.py", "bench/peers", dir, c.dtype).CombinedOutput()
		require.NoError(t, err, "%s", out)
		start, end := readTensors(t, filepath.Join(dir, "start.safetensors")), readTensors(t, filepath.Join(dir, "end.safetensors"))

		recipe := recipes.Default()
		recipe.Dataset, recipe.Epochs, recipe.Depth, recipe.DeathRate = "cifar10", 1, 20, 0.5
		recipe.Form, recipe.DType = c.form, c.dtype
		m, err := NewModel(b, recipe, Input{rgb, 10, dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}})
		require.NoError(t, err)
		importStart(t, m, dir, start)
		for i, loss := range threeSteps(t, b, m, start) {
			want := end["losses"].values[i]
			t.Logf("%s %-9s  step %d: loss %.10f, PyTorch %.10f, difference %.1e",
				c.dtype, c.form, i+1, loss, want, math.Abs(loss-want))
			require.InDelta(t, want, loss, c.loss)
		}
		largest := map[string]float64{}
		require.NoError(t, m.visit(func(name string, part variablePart) error {
			values, err := part.read()
			require.NoError(t, err)
			for i, v := range part.toTorch(values) {
				kind := name[strings.LastIndex(name, ".")+1:]
				d := math.Abs(v - end[name].values[i])
				largest[kind] = max(largest[kind], d)
				require.LessOrEqual(t, d, c.parameter*max(1, math.Abs(v)), "%s[%d]: %g, PyTorch %g", name, i, v, end[name].values[i])
			}
			return nil
		}))
		t.Logf("%s %-9s  largest differences of all parameters after three steps: %v", c.dtype, c.form, largest)
	}
}

// pythonWith returns the path of a Python that has these packages. Without one the test is skipped.
func pythonWith(t *testing.T, packages string) string {
	t.Helper()
	python := os.Getenv("BENCH_PYTHON")
	if python == "" {
		t.Skipf("set BENCH_PYTHON to the whole path of a Python with %s to compare with PyTorch", packages)
	}
	return python
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
		values, err := decode(tensor)
		require.NoError(t, err)
		named[tensor.Name] = namedTensor{tensor.Shape, values}
	}
	return named
}

// importStart imports the weights through a file.
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

// threeSteps trains on images that already are floats, with the model's network, loss and optimizer.
func threeSteps(t *testing.T, b compute.Backend, m *Model, start map[string]namedTensor) (losses []float64) {
	step := model.MustNewExec(b, m.Store, func(scope *model.Scope, images, labels, gates *graph.Node) *graph.Node {
		scope.Store().SetTraining(images.Graph(), true)
		loss := graph.ReduceAllMean(CrossEntropy(m.Network.ForwardIn(m.Form, scope, images, gates), labels))
		m.optimizer().UpdateGraph(scope, images.Graph(), loss)
		return loss
	})
	require.NoError(t, m.SetLearningRate(0.01)) // small: rounding grows with it
	images, gates := start["batch.images"], start["batch.gates"]
	var labels []int32
	for _, l := range start["batch.labels"].values {
		labels = append(labels, int32(l))
	}
	for i := range gates.shape[0] {
		row := gates.values[i*gates.shape[1] : (i+1)*gates.shape[1]]
		outputs := step.MustCall(
			residual.Tensor(m.Network.ParameterDType(), images.values, images.shape...),
			tensors.FromFlatDataAndDimensions(labels, len(labels)),
			residual.Tensor(m.Network.ParameterDType(), row, len(row)))
		losses = append(losses, first(t, outputs[0]))
	}
	require.Len(t, losses, 3)
	return losses
}

func first(t *testing.T, x *tensors.Tensor) float64 {
	v, err := vector(x)
	require.NoError(t, err)
	return v[0]
}

// pythonOfThePage returns a Python with torch and safetensors, and the first lines for it below a heading of the page on
// PyTorch. Without such a Python the test is skipped.
func pythonOfThePage(t *testing.T, heading string) (python, lines string) {
	t.Helper()
	python = pythonWith(t, "torch and safetensors")
	page, err := os.ReadFile("models/README.md")
	require.NoError(t, err)
	_, lines, _ = strings.Cut(string(page), heading)
	_, lines, _ = strings.Cut(lines, "```python\n")
	lines, _, _ = strings.Cut(lines, "```")
	return python, lines
}

// The lines of the page on PyTorch compute the same as our networks at test, for each setting that changes it. They need the
// Python of TestAgainstPyTorch, with the package safetensors.
func TestThePagesLinesInPyTorch(t *testing.T) {
	python, lines := pythonOfThePage(t, "## Into PyTorch and back")
	require.Contains(t, lines, "def logits(pixels)")
	lines += `
images = load_file("images.safetensors")
loss = F.cross_entropy(logits(images["pixels"].permute(0, 3, 1, 2)), images["labels"].long(), reduction="none").double()
print(json.dumps(loss.mean().item()))
`
	for _, change := range []func(*recipes.Recipe){
		func(*recipes.Recipe) {},
		func(r *recipes.Recipe) { r.ScaleAt = "train" },
		func(r *recipes.Recipe) { r.Shortcut = "subsample" },
		func(r *recipes.Recipe) { r.Normalization = "mean-image" },
	} {
		r := eight(t, 0.9)
		change(&r)
		m, err := Open(backendtest.Open(t), r, "")
		require.NoError(t, err)
		want, dir := evaluate(t, m.Model, m.Data.Test), t.TempDir()
		require.NoError(t, m.Export(filepath.Join(dir, "mine.safetensors"), nil))
		writeImages(t, dir, m.Data.Test)
		cmd := exec.Command(python, "-c", lines)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		loss, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		require.NoError(t, err, "%s", out)
		t.Logf("%s, %s, %s: loss %.6f, PyTorch %.6f", r.ScaleAt, r.Shortcut, r.Normalization, want.Loss, loss)
		require.InEpsilon(t, want.Loss, loss, 1e-4)
	}
}

// The page's lines for networks whose shortcuts have zeros on both sides make a file that gives the same losses here.
func TestZerosOnBothSidesInPyTorch(t *testing.T) {
	python, lines := pythonOfThePage(t, "### Zeros on both sides")
	const network = `
import torch, torch.nn.functional as F
from torch import nn
from safetensors.torch import load_file, save_file

class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.half = inputs != outputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1 + self.half, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        f = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.half:
            zeros = x.shape[1] // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros))
        return F.relu(f + x)

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16), Block(16, 16))
        self.layer2 = nn.Sequential(Block(16, 32), Block(32, 32))
        self.layer3 = nn.Sequential(Block(32, 64), Block(64, 64))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))

torch.manual_seed(1)
network = Network()
for m in network.modules():
    if isinstance(m, nn.BatchNorm2d):
        for p in (m.weight, m.bias, m.running_mean, m.running_var):
            nn.init.uniform_(p, 0.5, 1.5)
network.eval()
images = load_file("images.safetensors")
with torch.no_grad():
    pixels = images["pixels"].permute(0, 3, 1, 2) / 255
    print(F.cross_entropy(network((pixels - 0.5) / 0.25), images["labels"].long()).item())
w = network.state_dict()
w["normalization.mean"], w["normalization.deviation"] = torch.full((3,), 0.5), torch.full((3,), 0.25)
`
	r := eight(t, 0)
	r.Depth, r.Shortcut = 14, "subsample"
	m, err := Open(backendtest.Open(t), r, "")
	require.NoError(t, err)
	dir := t.TempDir()
	writeImages(t, dir, m.Data.Test)
	cmd := exec.Command(python, "-c", network+lines+`save_file(w, "theirs.safetensors")`)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	want, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(t, err, "%s", out)
	require.NoError(t, m.Import(filepath.Join(dir, "theirs.safetensors")))
	got := evaluate(t, m.Model, m.Data.Test)
	t.Logf("loss %.6f, PyTorch %.6f", got.Loss, want)
	require.InEpsilon(t, want, got.Loss, 1e-4)
}

// writeImages writes the pixels, [images, 32, 32, 3] from 0 to 255, and labels of a part to images.safetensors.
func writeImages(t *testing.T, dir string, part dataset.View) {
	t.Helper()
	n := part.Len()
	var pixels, labels []float64
	for i := range n {
		for _, v := range part.Image(i) {
			pixels = append(pixels, float64(v))
		}
		labels = append(labels, float64(part.Label(i)))
	}
	require.NoError(t, tensorfile.Write(filepath.Join(dir, "images.safetensors"), []tensorfile.Tensor{
		encode("pixels", []int{n, 32, 32, 3}, pixels, dtypes.Float32), encode("labels", []int{n}, labels, dtypes.Float32)}, nil))
}
