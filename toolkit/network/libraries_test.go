package network

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

// postactivated is the block of torchvision's ResNet-50, the only one that Composer makes stochastic.
type postactivated struct{ resnet.Basic }

func (b postactivated) Parameters() []residual.Parameter {
	middle := b.Out / 4
	return slices.Concat(
		resnet.ConvolutionParameters("kernel1", 1, b.In, middle), b.BatchNormParameters("1", middle),
		resnet.ConvolutionParameters("kernel2", 3, middle, middle), b.BatchNormParameters("2", middle),
		resnet.ConvolutionParameters("kernel3", 1, middle, b.Out), b.BatchNormParameters("3", b.Out))
}

func (b postactivated) Branch(p *residual.Branch, x *graph.Node) *graph.Node {
	f := resnet.Relu(resnet.BatchNorm(p, "1", resnet.Convolution(p, x, p.Value("kernel1"), 1)))
	f = resnet.Relu(resnet.BatchNorm(p, "2", resnet.Convolution(p, f, p.Value("kernel2"), b.Stride)))
	return resnet.BatchNorm(p, "3", resnet.Convolution(p, f, p.Value("kernel3"), 1))
}

// A question to testdata/pytorch_libraries.py.
type question struct {
	Library  string      `json:"library"`
	Block    string      `json:"block"`
	Survival []float64   `json:"survival"`
	Gates    [][]float64 `json:"gates"` // [batch][blocks] that are to be drawn, or nil for any
	Weights  string      `json:"weights"`
	Answer   string      `json:"answer"`
}

// TestAgainstLibrariesOfPyTorch compares a training step and an evaluation with those of networks in PyTorch whose branches
// are dropped by layers of torchvision and timm and by Composer's blocks: from the same weights, with the same minibatch, the
// gates that the library drew, and the settings that stand for the library here. In float64 loss, gradients, running averages
// and logits agree to 1e-6, of the largest value of each tensor.
//
// Half of the steps close the last of three blocks with weights as they start. That block fills up its new channels with
// zeros, and the ReLU after the next batch normalisation gets exact zeros, where its gradient must be that of PyTorch.
//
// The test needs the Python of TestAgainstPyTorch; without the package mosaicml Composer is left out.
func TestAgainstLibrariesOfPyTorch(t *testing.T) {
	python := pythonWith(t, "torch, torchvision, timm and safetensors")
	require.NoError(t, resnet.Register("postactivated",
		func(s resnet.Shape) residual.Block { return postactivated{resnet.Basic{Shape: s}} }))
	dir, b, batch := t.TempDir(), backendtest.Open(t), 3
	rng := rand.New(rand.NewPCG(1, 2))
	images, labels := make([]float64, batch*rgb.Bytes()), []float64{3, 0, 7}
	for i := range images {
		images[i] = rng.NormFloat64()
	}
	require.NoError(t, tensorfile.Write(filepath.Join(dir, "batch.safetensors"), []tensorfile.Tensor{
		encode("images", rgb.Batch(batch), images, dtypes.Float64), encode("labels", []int{batch}, labels, dtypes.Float64)}, nil))

	layers := map[string]int{"basic": 8, "preactivation": 8, "bottleneck": 11, "transformer": 3, "postactivated": 8}
	kinds := []string{"basic", "preactivation", "bottleneck", "transformer"}
	type comparison struct {
		model     *Model
		questions []question
	}
	var comparisons []comparison
	var asked []question
	for _, c := range []struct {
		gatesPer, scaleAt, rule string
		libraries, blocks       []string
	}{
		{"minibatch", "train", "linear-from-zero", []string{"torchvision batch"}, kinds},
		{"sample", "train", "linear-from-zero", []string{"torchvision row", "timm"}, kinds},
		{"sample", "test", "linear-from-zero", []string{"timm unscaled"}, []string{"basic", "transformer"}},
		{"minibatch", "test", "linear", []string{"composer block"}, []string{"postactivated"}},
		{"sample", "test", "linear", []string{"composer sample"}, []string{"postactivated"}},
	} {
		for _, block := range c.blocks {
			r := recipes.Default()
			r.Dataset, r.Epochs, r.DType, r.BatchNormScale = "cifar10", 1, "float64", "uniform"
			r.Block, r.Depth, r.Rule, r.DeathRate, r.GatesPer, r.ScaleAt = block, layers[block], c.rule, 0.5, c.gatesPer, c.scaleAt
			m, err := NewModel(b, r, Input{rgb, 10, dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}})
			require.NoError(t, err)
			var questions []question
			for _, library := range c.libraries {
				for _, moved := range []bool{false, true} {
					gates := [][]float64{{1, 1, 0}, {1, 1, 0}, {1, 1, 0}}
					switch {
					case moved && c.gatesPer == "sample" && block == "transformer":
						gates = nil // in other blocks closed images are part of the batch statistics there, and not here
					case moved:
						gates = [][]float64{{1, 0, 1}, {1, 0, 1}, {1, 0, 1}}
					}
					path := filepath.Join(dir, fmt.Sprintf("%s, %s, %t", library, block, moved))
					writeWeights(t, m, path+" weights", moved)
					questions = append(questions, question{library, block, m.Network.Survival, gates, path + " weights", path})
				}
			}
			comparisons, asked = append(comparisons, comparison{m, questions}), append(asked, questions...)
		}
	}
	text, err := json.Marshal(asked)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "questions.json"), text, 0o600))
	versions, err := exec.Command(python, "testdata/pytorch_libraries.py", dir).CombinedOutput()
	require.NoError(t, err, "%s", versions)
	t.Logf("versions: %s", versions)
	for _, c := range comparisons {
		for _, form := range []resnet.Form{c.model.Form, resnet.Textbook{}} {
			compareWithLibraries(t, c.model, form, c.questions, images, labels)
		}
	}
}

// writeWeights writes the weights of a model as they start, or with offsets, biases and running averages moved.
func writeWeights(t *testing.T, m *Model, path string, moved bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	var list []tensorfile.Tensor
	require.NoError(t, m.visit(func(name string, part variablePart) error {
		values, err := part.read()
		for i := range values {
			switch {
			case !moved:
			case strings.HasSuffix(name, ".bias"), strings.HasSuffix(name, ".running_mean"):
				values[i] += 0.1 * rng.NormFloat64()
			case strings.HasSuffix(name, ".running_var"):
				values[i] += rng.Float64()
			}
		}
		list = append(list, encode(name, part.torchShape(), part.toTorch(values), dtypes.Float64))
		return err
	}))
	require.NoError(t, tensorfile.Write(path, list, nil))
}

// compareWithLibraries compares a model in one form with the answers to questions.
func compareWithLibraries(t *testing.T, m *Model, form resnet.Form, questions []question, images, labels []float64) {
	t.Helper()
	both, blocks := bothPasses(t, m, form), len(m.Network.Survival)
	classes := make([]int32, len(labels))
	for i, l := range labels {
		classes[i] = int32(l)
	}
	for _, q := range questions {
		if _, err := os.Stat(q.Answer); os.IsNotExist(err) && strings.HasPrefix(q.Library, "composer ") {
			t.Logf("%s is left out: this Python does not have it (pip install --no-deps mosaicml)", q.Library)
			continue
		}
		start, want := readTensors(t, q.Weights), readTensors(t, q.Answer)
		drawn := want["gates"]
		delete(want, "gates")
		open := slices.Clone(drawn.values[:blocks]) // for any image
		for i, gate := range drawn.values {
			open[i%blocks] = max(open[i%blocks], gate)
		}
		gates := residual.Tensor(dtypes.Float64, drawn.values, drawn.shape...)
		if m.Recipe.GatesPer == "minibatch" {
			gates = residual.Tensor(dtypes.Float64, open, blocks)
		}
		require.NoError(t, m.Import(q.Weights))
		got := both(residual.Tensor(dtypes.Float64, images, rgb.Batch(len(labels))...),
			tensors.FromFlatDataAndDimensions(classes, len(classes)), gates)
		require.Len(t, got, len(want))
		largest := map[string]float64{}
		for name, w := range want {
			what := fmt.Sprintf("%s, %s, %T: %s", q.Library, q.Block, form, name)
			kind, block := "gradients", 0
			switch _, err := fmt.Sscanf(name, "blocks.%d.", &block); {
			case name == "evaluation" && q.Library == "timm unscaled":
				continue // it scales neither in training nor at test, which no setting here does
			case name == "evaluation" || name == "loss":
				kind = name
			case strings.Contains(name, ".running_"):
				kind = "averages"
				if err == nil && open[block] == 0 && q.Library != "composer block" {
					// They compute closed branches, too, and the averages move.
					require.Equal(t, start[name].values, got[name], what)
					require.NotEqual(t, start[name].values, w.values, what)
					continue
				}
			case name == "head.bn.bias" && open[blocks-1] == 0:
				half := len(w.values) / 2
				require.Equal(t, make([]float64, half), w.values[half:], "PyTorch's gradient for channels of zeros")
				require.Equal(t, make([]float64, half), got[name][half:], what)
			}
			difference, size := 0.0, 0.0
			for i, v := range w.values {
				difference, size = max(difference, math.Abs(got[name][i]-v)), max(size, math.Abs(v))
			}
			if difference > 0 {
				difference /= size
			}
			require.True(t, difference <= 1e-6, "%s differs by %g", what, difference)
			largest[kind] = max(largest[kind], difference)
		}
		t.Logf("%-17s %-13s %-15T gates %v: largest differences: loss %.1e, gradients %.1e, averages %.1e, at test %.1e", q.Library,
			q.Block, form, drawn.values, largest["loss"], largest["gradients"], largest["averages"], largest["evaluation"])
	}
}

// bothPasses returns a function that evaluates a model in one form and then takes a training step, without changing the
// weights. It returns the logits of the "evaluation", the "loss", and by names as in a file gradients and running averages.
func bothPasses(t *testing.T, m *Model, form resnet.Form) func(images, labels, gates *tensors.Tensor) map[string][]float64 {
	var trained []*model.Variable
	step := model.MustNewExec(m.backend, m.Store, func(scope *model.Scope, images, labels, gates *graph.Node) []*graph.Node {
		scope.Store().SetTraining(images.Graph(), true)
		loss := graph.ReduceAllMean(CrossEntropy(m.Network.ForwardIn(form, scope, images, gates), labels))
		for v := range scope.IterVariables() {
			if v.Trainable && v.InUseByGraph(images.Graph()) {
				trained = append(trained, v)
			}
		}
		return append([]*graph.Node{loss}, scope.BuildTrainableVariablesGradientsGraph(loss)...)
	})
	evaluation := model.MustNewExec(m.backend, m.Store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		scope.Store().SetTraining(images.Graph(), false)
		return m.Network.ForwardIn(form, scope, images, nil)
	})
	read := func(x *tensors.Tensor) []float64 {
		values, err := vector(x)
		require.NoError(t, err)
		return values
	}
	return func(images, labels, gates *tensors.Tensor) map[string][]float64 {
		all := map[string][]float64{"evaluation": read(evaluation.MustCall(images)[0])}
		outputs := step.MustCall(images, labels, gates)
		all["loss"] = read(outputs[0])
		gradients := make(map[*model.Variable][]float64)
		for i, v := range trained {
			gradients[v] = read(outputs[1+i])
		}
		require.NoError(t, m.visit(func(name string, part variablePart) error {
			if from, to := part.span(); part.variable.Trainable {
				all[name] = part.toTorch(gradients[part.variable][from:to])
				return nil
			}
			values, err := part.read()
			all[name] = values
			return err
		}))
		return all
	}
}
