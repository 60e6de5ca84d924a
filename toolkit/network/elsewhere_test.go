package network

import (
	"maps"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
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
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/runs/recipes"
)

// elsewhere reads a file of other code as the command import does, and returns the recipe of its network.
func elsewhere(t *testing.T, path string) (*Weights, recipes.Recipe) {
	t.Helper()
	e, err := models.Recognise(path)
	require.NoError(t, err)
	require.NotNil(t, e)
	w, err := ReadWeights(path, Reading{Name: e.Name, ZerosOnBothSides: e.ZerosOnBothSides, Mean: e.Mean, Deviation: e.Deviation})
	require.NoError(t, err)
	recipe := recipes.Default()
	recipe.Dataset, recipe.Epochs = "shapes", 1
	e.Apply(&recipe)
	return w, recipe
}

// logitsOf are the logits at test of images that are normalised already.
func logitsOf(t *testing.T, b compute.Backend, m *Model, images namedTensor) []float64 {
	t.Helper()
	exec := model.MustNewExec(b, m.Store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		scope.Store().SetTraining(images.Graph(), false)
		return m.Network.ForwardIn(m.Form, scope, images, nil)
	})
	values, err := vector(exec.MustCall(residual.Tensor(m.Network.ParameterDType(), images.values, images.shape...))[0])
	require.NoError(t, err)
	return values
}

// difference is the largest one of two lists, over the largest absolute value of the first.
func difference(t *testing.T, want, got []float64) float64 {
	t.Helper()
	require.Len(t, got, len(want))
	largest, most := 0.0, 0.0
	for i, v := range want {
		largest, most = max(largest, math.Abs(v-got[i])), max(most, math.Abs(v))
	}
	require.Greater(t, most, 1e-3)
	return largest / most
}

// TestAgainstElsewhere compares networks that torchvision and timm made with random weights and running averages, and those of
// two repositories for CIFAR, with ours from their files: the logits of the same images, of an odd side for the larger ones,
// agree to 1e-4 in float32 and 1e-10 in float64, also with a death rate, as branches are then scaled in training. So do in
// float64 all gradients of a training step, which in float32 the batch normalisation of two images makes too uncertain. What
// ExportTimm writes loads there, strictly, and gives the same logits; and so does a network whose branches are scaled at test, as
// the paper's are.
//
// The test needs the Python of TestAgainstPyTorch, with torchvision and timm.
func TestAgainstElsewhere(t *testing.T) {
	python := pythonWith(t, "torch, torchvision, timm and safetensors")
	b := backendtest.Open(t)
	names := []string{"torchvision-resnet18", "timm-resnet34", "torchvision-resnet50", "timm-resnet50", "akamaster", "akamasterB", "chenyaofo",
		"timm-vit_tiny_patch16_224", "timm-deit_small_patch16_224"}
	script := func(what, dir, dtype string, names ...string) {
		out, err := exec.Command(python, append([]string{"testdata/pytorch_elsewhere.py", what, dir, dtype}, names...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for dtype, tolerance := range map[string]float64{"float32": 1e-4, "float64": 1e-10} {
		t.Run(dtype, func(t *testing.T) {
			dir := t.TempDir()
			script("make", dir, dtype, names...)
			var exported []string
			ours := make(map[string][]float64) // logits of what is exported
			for _, name := range names {
				t.Run(name, func(t *testing.T) {
					file := filepath.Join(dir, name)
					logits := compareElsewhere(t, b, file, name, dtype, tolerance)
					if logits != nil {
						ours[name], exported = logits, append(exported, name)
					}
				})
			}
			script("load", dir, dtype, exported...)
			for _, name := range exported {
				back := readTensors(t, filepath.Join(dir, name+".back.logits.safetensors"))["logits"].values
				d := difference(t, ours[name], back)
				t.Logf("%s: exported and loaded there: logits differ by %.1e of the largest", name, d)
				require.Less(t, d, tolerance)
			}
		})
	}
}

// compareElsewhere is TestAgainstElsewhere for one network. What it exports to file.back.safetensors has the logits that it returns.
func compareElsewhere(t *testing.T, b compute.Backend, file, name, dtype string, tolerance float64) []float64 {
	t.Helper()
	theirs := readTensors(t, file+".logits.safetensors")
	want, images := theirs["logits"].values, theirs["images"]
	side := images.shape[2]
	images = channelsLast(images)
	load := func(change func(*recipes.Recipe)) *Model {
		w, recipe := elsewhere(t, file+".safetensors")
		recipe.DType = dtype
		change(&recipe)
		require.NoError(t, recipe.Validate())
		m, err := NewModel(b, recipe, Input{dataset.Format{Height: side, Width: side, Channels: 3}, 10,
			dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}})
		require.NoError(t, err)
		require.NoError(t, m.take(w))
		return m
	}
	m := load(func(r *recipes.Recipe) { r.DeathRate = 0.3 })
	d := difference(t, want, logitsOf(t, b, m, images))
	t.Logf("%s: logits differ by %.1e of the largest", m.Notes[0], d)
	require.Less(t, d, tolerance)
	if dtype == "float64" && !strings.HasPrefix(name, "timm-resnet") { // those are torchvision's
		d = gradientsDiffer(t, load(func(*recipes.Recipe) {}), file, images)
		t.Logf("gradients differ by %.1e of the largest of each tensor", d)
		require.Less(t, d, tolerance)
	}
	back := file + ".back.safetensors"
	switch name {
	case "akamaster", "akamasterB": // whose zeros are elsewhere now, or whose own names are others
		return nil
	case "chenyaofo":
		m = load(func(r *recipes.Recipe) { r.DeathRate, r.ScaleAt = 0.5, "test" })
		require.NoError(t, m.ExportTimm(back, nil))
		logits := logitsOf(t, b, m, images)
		require.Greater(t, difference(t, want, logits), 0.01, "the scales matter")
		return logits
	}
	require.NoError(t, m.ExportTimm(back, nil))
	return want
}

// gradientsDiffer is the largest difference of a gradient of a training step from that in file.gradients.safetensors, over the
// largest of its tensor; the images have the labels 0, 1, ...
func gradientsDiffer(t *testing.T, m *Model, file string, images namedTensor) (most float64) {
	t.Helper()
	e, err := models.Recognise(file + ".safetensors")
	require.NoError(t, err)
	theirs, err := ReadWeights(file+".gradients.safetensors", Reading{ZerosOnBothSides: e.ZerosOnBothSides})
	require.NoError(t, err)
	labels, open := make([]int32, images.shape[0]), make([]float64, len(m.Network.Survival))
	for i := range labels {
		labels[i] = int32(i)
	}
	for i := range open {
		open[i] = 1
	}
	got := bothPasses(t, m, m.Form)(residual.Tensor(m.Network.ParameterDType(), images.values, images.shape...),
		tensors.FromFlatDataAndDimensions(labels, len(labels)), residual.Tensor(m.Network.ParameterDType(), open, len(open)))
	for name, tensor := range theirs.tensors {
		want, err := decode(tensor)
		require.NoError(t, err)
		require.Contains(t, got, name)
		most = max(most, difference(t, want, got[name]))
	}
	return most
}

// channelsLast brings images [batch, channels, height, width] into our order.
func channelsLast(images namedTensor) namedTensor {
	n, c, h, w := images.shape[0], images.shape[1], images.shape[2], images.shape[3]
	out := namedTensor{shape: []int{n, h, w, c}}
	for i := range n {
		for y := range h {
			for x := range w {
				for k := range c {
					out.values = append(out.values, images.values[((i*c+k)*h+y)*w+x])
				}
			}
		}
	}
	return out
}

// random returns tensors of these names and shapes with random values; those of batch normalisation are near one.
func random(shapes map[string][]int) (list []tensorfile.Tensor) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		size := 1
		for _, n := range shapes[name] {
			size *= n
		}
		values := make([]float64, size)
		for i := range values {
			if values[i] = 0.2 * rng.NormFloat64(); len(shapes[name]) == 1 {
				values[i] = 0.5 + rng.Float64()
			}
		}
		list = append(list, encode(name, shapes[name], values, dtypes.Float64))
	}
	return list
}

// forCIFAR has the names and shapes of a network of 8 layers in the code of pytorch-cifar-models or, with option A, of
// pytorch_resnet_cifar10.
func forCIFAR(optionA bool) map[string][]int {
	shapes := map[string][]int{"conv1.weight": {16, 3, 3, 3}}
	norm := func(name string, channels int) {
		for _, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			shapes[name+part] = []int{channels}
		}
	}
	norm("bn1", 16)
	in := 16
	for g, out := range []int{16, 32, 64} {
		b := []string{"layer1.0.", "layer2.0.", "layer3.0."}[g]
		shapes[b+"conv1.weight"], shapes[b+"conv2.weight"] = []int{out, in, 3, 3}, []int{out, out, 3, 3}
		norm(b+"bn1", out)
		norm(b+"bn2", out)
		if in != out && !optionA {
			shapes[b+"downsample.0.weight"] = []int{out, in, 1, 1}
			norm(b+"downsample.1", out)
		}
		in = out
	}
	last := map[bool]string{true: "linear", false: "fc"}[optionA]
	shapes[last+".weight"], shapes[last+".bias"] = []int{10, 64}, []int{10}
	return shapes
}

// Each tensor of a file with the names of other code gets to its place: by hand, a network with projections as the usual code
// computes it. What is exported with these names is the file again, and as another run it gives the same network.
func TestElsewhereByNames(t *testing.T) {
	b, dir := backendtest.Open(t), t.TempDir()
	file := filepath.Join(dir, "theirs.safetensors")
	tensors := random(forCIFAR(false))
	require.NoError(t, tensorfile.Write(file, tensors, nil))
	w, recipe := elsewhere(t, file)
	recipe.DType = "float64"
	require.Equal(t, []string{"projection", "train", "paper"}, []string{recipe.Shortcut, recipe.ScaleAt, recipe.Stem})
	require.True(t, recipe.IsConstant())
	in := Input{rgb, 10, dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}}
	m, err := NewModel(b, recipe, in)
	require.NoError(t, err)
	require.NoError(t, m.take(w))
	require.Equal(t, "it is resnet8 for CIFAR of chenyaofo's pytorch-cifar-models", m.Notes[0])
	require.InDelta(t, 255*0.4914, m.Normalization.Mean[0], 1e-4)
	require.InDelta(t, 255*0.2010, m.Normalization.Deviation[2], 1e-4)

	back := filepath.Join(dir, "back.safetensors")
	require.NoError(t, m.ExportTorchvision(back, nil))
	want, got := readTensors(t, file), readTensors(t, back)
	require.Equal(t, want, got)

	again, err := NewModel(b, recipe, in)
	require.NoError(t, err)
	require.NoError(t, again.Import(back))
	require.Equal(t, numbers(t, m), numbers(t, again))
	require.Equal(t, m.Normalization, again.Normalization)
	require.Empty(t, again.Notes, "the file says what it is")

	// Branches that are scaled at test are scaled in the file, and its recipe says that nothing else scales them.
	r := recipe
	r.ScaleAt, r.DeathRate = "test", 0.5
	scaled, err := NewModel(b, r, in)
	require.NoError(t, err)
	w, _ = elsewhere(t, file)
	require.NoError(t, scaled.take(w))
	require.NoError(t, scaled.ExportTorchvision(back, nil))
	images := namedTensor{shape: rgb.Batch(1), values: make([]float64, rgb.Bytes())}
	for i := range images.values {
		images.values[i] = math.Sin(float64(i))
	}
	info, err := models.Read(back)
	require.NoError(t, err)
	require.Equal(t, "train", info.Recipe.ScaleAt)
	opened, err := openModel(b, info)
	require.NoError(t, err)
	require.Less(t, difference(t, logitsOf(t, b, scaled, images), logitsOf(t, b, opened, images)), 1e-12)
	require.Greater(t, difference(t, logitsOf(t, b, m, images), logitsOf(t, b, opened, images)), 0.01)

	r.Shortcut = "average"
	m, err = NewModel(b, r, in)
	require.NoError(t, err)
	require.EqualError(t, m.ExportTorchvision(back, nil), "torchvision's shortcuts are convolutions with batch normalisation, "+
		"and this network has shortcut average: leave --names out")
}

// A vision transformer comes back from its export with timm's names, which recognises it; the kernel of its patches goes by
// channel and pixel there, and by pixel and channel here.
func TestTransformerByTimmsNames(t *testing.T) {
	b, file := backendtest.Open(t), filepath.Join(t.TempDir(), "vit.safetensors")
	r := recipes.Default()
	r.Dataset, r.Epochs = "shapes", 1
	require.NoError(t, r.Set(recipes.Network, "vit-tiny"))
	in := Input{rgb, 10, dataset.Normalization{Mean: []float32{127.5, 127.5, 127.5}, Deviation: []float32{127.5, 127.5, 127.5}}}
	m, err := NewModel(b, r, in)
	require.NoError(t, err)
	require.NoError(t, m.ExportTimm(file, nil))
	e, err := models.Recognise(file)
	require.NoError(t, err)
	require.Contains(t, e.Name, "vit_tiny_patch16_32 of timm")
	theirs, ours := readTensors(t, file)["patch_embed.proj.weight"], numbers(t, m)["stem.patches.weight"]
	require.Equal(t, []int{192, 3, 16, 16}, theirs.shape)
	require.Equal(t, theirs.values[((7*3+2)*16+5)*16+11], ours[((5*16+11)*3+2)*192+7])

	recipe := recipes.Default()
	recipe.Dataset, recipe.Epochs = "shapes", 1
	e.Apply(&recipe)
	require.Equal(t, []string{"vit-tiny", "class-token"}, []string{recipe.Encoder, recipe.Pooling})
	again, err := NewModel(b, recipe, in)
	require.NoError(t, err)
	require.NoError(t, again.Import(file))
	require.Equal(t, numbers(t, m), numbers(t, again))

	for want, change := range map[string]func(*recipes.Recipe){
		"have encoder vit-tiny, vit-small or vit-base, and": func(r *recipes.Recipe) { r.Encoder = "" },
		"have pooling class-token, and":                     func(r *recipes.Recipe) { r.Pooling = "" },
		"scales no branch at test, and this network does":   func(r *recipes.Recipe) { r.DeathRate = 0.5 },
	} {
		other := r
		other.Depth = 2
		change(&other)
		m, err := NewModel(b, other, in)
		require.NoError(t, err)
		require.ErrorContains(t, m.ExportTimm(file, nil), want)
	}
	require.ErrorContains(t, m.ExportTorchvision(file, nil), "say --names timm")
}

// Zeros on both sides of the channels become zeros after them: the channels of each tensor are in the order that follows by
// hand. TestAgainstElsewhere compares the logits.
func TestZerosLast(t *testing.T) {
	order := func(w *Weights, name string) []float64 {
		values, err := decode(w.tensors[name])
		require.NoError(t, err)
		return values
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "theirs.safetensors")
	require.NoError(t, tensorfile.Write(file, random(forCIFAR(true)), nil))
	w, recipe := elsewhere(t, file)
	require.Equal(t, "subsample", recipe.Shortcut)
	plain, err := ReadWeights(file, Reading{})
	require.NoError(t, err)
	// In group 2 channels 8 to 23 carry the shortcut of 16, so they come first; in group 3 those of group 2 are 16 to 47.
	second := append(append(count(8, 24), count(0, 8)...), count(24, 32)...)
	var third []int
	for _, c := range second {
		third = append(third, c+16)
	}
	third = append(append(third, count(0, 16)...), count(48, 64)...)
	bias, original := order(w, "blocks.1.bn2.bias"), order(plain, "blocks.1.bn2.bias")
	for i, c := range second {
		require.Equal(t, original[c], bias[i])
	}
	kernel, before := order(w, "blocks.2.conv1.weight"), order(plain, "blocks.2.conv1.weight")
	for i, c := range second {
		require.Equal(t, before[(7*32+c)*9+4], kernel[(7*32+i)*9+4])
	}
	linear, was := order(w, "fc.weight"), order(plain, "fc.weight")
	for i, c := range third {
		require.Equal(t, was[3*64+c], linear[3*64+i])
	}
	require.Equal(t, order(plain, "blocks.0.conv2.weight"), order(w, "blocks.0.conv2.weight"))
	require.Equal(t, order(plain, "blocks.2.bn1.bias"), order(w, "blocks.2.bn1.bias"))
	require.Contains(t, strings.Join(w.notes, "\n"), "--zeros last")
}

func count(from, to int) (list []int) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// A last layer for other classes begins anew if that was asked for, and everything else is the file's.
func TestNewLastLayer(t *testing.T) {
	b, file := backendtest.Open(t), filepath.Join(t.TempDir(), "theirs.safetensors")
	require.NoError(t, tensorfile.Write(file, random(forCIFAR(false)), nil))
	_, recipe := elsewhere(t, file)
	read := func(classes int, r Reading) (*Model, map[string][]float64, error) {
		m, err := NewModel(b, recipe, Input{rgb, classes, dataset.Normalization{Mean: make([]float32, 3), Deviation: []float32{1, 1, 1}}})
		require.NoError(t, err)
		before := numbers(t, m)
		w, err := ReadWeights(file, r)
		require.NoError(t, err)
		return m, before, m.take(w)
	}
	m, before, err := read(4, Reading{})
	require.ErrorContains(t, err, "has 10 classes, but shapes has 4: choose a data set with as many, "+
		"or begin with a new last layer (--classes 4)")
	require.Equal(t, before, numbers(t, m), "nothing is changed")
	for _, r := range []Reading{{Adapt: true}, {Classes: 4}} {
		m, before, err = read(4, r)
		require.NoError(t, err)
		after := numbers(t, m)
		require.Equal(t, before["fc.weight"], after["fc.weight"])
		require.NotEqual(t, before["blocks.2.downsample.0.weight"], after["blocks.2.downsample.0.weight"])
		require.Contains(t, strings.Join(m.Notes, "\n"), "its last layer, of 10 classes, is replaced by one of 4 with initial weights")
	}
	_, _, err = read(4, Reading{Classes: 10})
	require.EqualError(t, err, "--classes 10: the data set shapes has 4 classes: give this number, or another --dataset")
	m, before, err = read(10, Reading{Adapt: true})
	require.NoError(t, err)
	require.NotEqual(t, before["fc.weight"], numbers(t, m)["fc.weight"], "the number is right")
}

// Positions on a grid of 4x4 become those of timm's resample_abs_pos_embed for 5x5 and 3x3.
func TestPositionsAsInTimm(t *testing.T) {
	grid := make([]float64, 16)
	for i := range grid {
		grid[i] = float64(i * i % 7)
	}
	for to, want := range map[int][]float64{
		5: {-0.127935, 0.369412, 2.6875, 3.78861, 1.998127, 1.438626, 2.794325, 2.651872, 1.292442, 0.360311, 1.310397, 3.759876, 3.121094,
			1.087858, 0.915865, 1.710695, 2.886099, 2.398691, 1.49127, 1.877079, 4.270849, 1.853205, 0.122897, 0.138092, 1.001872},
		3: {0.762045, 2.576999, 1.922165, 2.300662, 2.95228, 0.931252, 2.908635, 1.066546, 1.093282},
	} {
		require.InDeltaSlice(t, want, resampled(resampled(grid, 1, 4, 4, to), to, 4, 1, to), 2e-6)
	}
}
