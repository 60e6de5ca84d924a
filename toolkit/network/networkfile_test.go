package network

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/runs/recipes"
)

// eight is the recipe of a network of 8 layers, on a few shapes.
func eight(t *testing.T, deathRate float64) recipes.Recipe {
	t.Helper()
	r, err := recipes.Preset("shapes")
	require.NoError(t, err)
	r.Depth, r.DeathRate, r.TrainImages, r.ValidationImages, r.TestImages, r.BatchSize = 8, deathRate, 40, 20, 20, 16
	return r
}

// numbers returns all numbers of a network at test, by their names in its file.
func numbers(t *testing.T, m *Model) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{
		meanName: floats[float64](m.Normalization.Mean), deviationName: floats[float64](m.Normalization.Deviation),
	}
	require.NoError(t, m.visit(func(name string, part variablePart) (err error) {
		all[name], err = part.read()
		return err
	}))
	survival, err := m.CurrentSurvival()
	require.NoError(t, err)
	all["survival"] = survival
	return all
}

// A network that PyTorch has renamed, rounded or rescaled is imported as the same network, with a note about each assumption.
func TestImportFromPyTorch(t *testing.T) {
	b := backendtest.Open(t)
	r := eight(t, 0.5)
	const classes = 10
	bytesScale := dataset.Normalization{Mean: []float32{120, 110, 100}, Deviation: []float32{60, 61, 62}}
	original, err := NewModel(b, r, Input{rgb, classes, bytesScale})
	require.NoError(t, err)
	want := numbers(t, original)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	require.NoError(t, original.Export(path, nil))
	exported, _, err := tensorfile.Read(path)
	require.NoError(t, err)

	renamed := func(rename func(name string) string) func(tensorfile.Tensor) []tensorfile.Tensor {
		return func(tensor tensorfile.Tensor) []tensorfile.Tensor {
			tensor.Name = rename(tensor.Name)
			return []tensorfile.Tensor{tensor}
		}
	}
	usual := strings.NewReplacer("stem.conv", "module.conv1", "stem.bn", "module.bn1", "fc.", "module.linear.",
		"blocks.0", "module.layer1.0", "blocks.1", "module.layer2.0", "blocks.2", "module.layer3.0").Replace
	recoded := func(dtype string, encode func(v float32) uint16) func(tensorfile.Tensor) []tensorfile.Tensor {
		return func(tensor tensorfile.Tensor) []tensorfile.Tensor {
			values, err := decode(tensor)
			require.NoError(t, err)
			tensor.DType, tensor.Data = dtype, nil
			for _, v := range values {
				tensor.Data = binary.LittleEndian.AppendUint16(tensor.Data, encode(float32(v)))
			}
			return []tensorfile.Tensor{tensor}
		}
	}
	but := func(name string, becomes func(tensorfile.Tensor) []tensorfile.Tensor) func(tensorfile.Tensor) []tensorfile.Tensor {
		return func(tensor tensorfile.Tensor) []tensorfile.Tensor {
			if strings.HasPrefix(tensor.Name, name) {
				return becomes(tensor)
			}
			return []tensorfile.Tensor{tensor}
		}
	}
	none := func(tensorfile.Tensor) []tensorfile.Tensor { return nil }
	times := func(factor float64) func(tensorfile.Tensor) []tensorfile.Tensor {
		return func(tensor tensorfile.Tensor) []tensorfile.Tensor {
			values, err := decode(tensor)
			require.NoError(t, err)
			for i := range values {
				values[i] *= factor
			}
			return []tensorfile.Tensor{encode(tensor.Name, tensor.Shape, values, dtypes.Float32)}
		}
	}
	beside := func(name string) func(tensorfile.Tensor) []tensorfile.Tensor {
		return but("fc.bias", func(bias tensorfile.Tensor) []tensorfile.Tensor {
			return []tensorfile.Tensor{bias, encode(name, []int{1}, []float64{7}, dtypes.Float32)}
		})
	}
	for name, c := range map[string]struct {
		change  func(tensorfile.Tensor) []tensorfile.Tensor
		rounded float64 // largest relative difference
		without string  // prefix of the names that the file lacks: the model's own numbers stay
		note    string
		err     string
	}{
		"as it is":       {change: renamed(func(name string) string { return name })},
		"wrapped":        {change: renamed(func(name string) string { return "module._orig_mod." + name })},
		"a part wrapped": {change: renamed(strings.NewReplacer("blocks.1.", "blocks.1._orig_mod.").Replace)},
		"usual names": {change: renamed(usual),
			note: "its shortcuts as the recipe has them: those that take every other pixel are shortcut=subsample"},
		"F16":      {change: recoded("F16", func(v float32) uint16 { return uint16(float16.FromFloat32(v)) }), rounded: 1e-3},
		"BF16":     {change: recoded("BF16", func(v float32) uint16 { return uint16(bfloat16.FromFloat32(v)) }), rounded: 4e-3},
		"counters": {change: beside("stem.bn.num_batches_tracked")},
		"pixels from 0 to 1": {change: but("normalization.", times(1./255)), rounded: 1e-6,
			note: "its normalisation is of pixels from 0 to 1, as in PyTorch: it was multiplied by 255"},
		"no normalisation": {change: but("normalization.", none), without: "normalization.",
			note: "it has no normalization.mean and normalization.deviation: pixels are normalised as the recipe's training images are"},
		"no survival": {change: but("survival", none),
			note: "it has no survival: its branches are multiplied by the recipe's at test " +
				"(the last by 0.5; by none with death_rate 0 or scale_at train)"},
		"half a normalisation": {change: but(meanName, none),
			err: "has one of normalization.mean and normalization.deviation: it needs both, or none"},
		"two scales": {change: but(deviationName, times(1./255)),
			err: "has deviations below 1 (up to 0.2431) and means above (up to 120): " +
				"give both of pixels from 0 to 255, or both of pixels from 0 to 1"},
		"weights in shortcuts": {change: beside("blocks.1.downsample.0.weight"),
			err: "has weights in its shortcuts (blocks.1.downsample.0.weight): set shortcut to projection"},
		"deeper": {change: beside("blocks.3.conv1.weight"),
			err: "has a tensor blocks.3.conv1.weight that a network of 8 layers does not have: it has 4 blocks and not 3, " +
				"so set depth and blocks, or network, to those of its training"},
		"shallower": {change: but("blocks.2", none),
			err: "has no tensor blocks.2.conv1.weight, which a network of 8 layers needs: it has 2 blocks and not 3, so set depth and "},
		"other names": {change: renamed(func(name string) string { return "features." + name }),
			err: "has no tensor stem.conv.weight, which a network of 8 layers needs (its other tensors: features.blocks.0.bn1.bias, " +
				"features.blocks.0.bn1.running_mean, features.blocks.0.bn1.running_var, ...): " +
				"toolkit/network/models/README.md says which names are read"},
		"the same twice": {change: beside("module.fc.bias"), err: "has two tensors that would be fc.bias"},
	} {
		t.Run(name, func(t *testing.T) {
			var changed []tensorfile.Tensor
			for _, tensor := range exported {
				changed = append(changed, c.change(tensor)...)
			}
			require.NoError(t, tensorfile.Write(path, changed, nil))
			r.Seed = 2
			other := dataset.Normalization{Mean: []float32{1, 2, 3}, Deviation: []float32{4, 5, 6}}
			m, err := NewModel(b, r, Input{rgb, classes, other})
			require.NoError(t, err)
			before := numbers(t, m)
			err = m.Import(path)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.NotContains(t, err.Error(), "\n")
				require.Equal(t, before, numbers(t, m), "nothing is changed")
				return
			}
			require.NoError(t, err)
			require.Contains(t, strings.Join(m.Notes, "\n"), c.note)
			require.Equal(t, c.note == "", len(m.Notes) == 0, m.Notes)
			got := numbers(t, m)
			require.Len(t, got, len(want))
			for name, values := range want {
				if c.without != "" && strings.HasPrefix(name, c.without) {
					require.Equal(t, before[name], got[name])
					continue
				}
				for i, v := range values {
					require.InDelta(t, v, got[name][i], c.rounded*max(0.1, math.Abs(v)), "%s[%d]", name, i)
				}
			}
		})
	}
}

// A file without a recipe, of a basic network of 20 layers and 10 classes, does not fit other networks: the message says what
// to set. Weights of shortcuts are read by both of their usual names.
func TestFileOfAnotherNetwork(t *testing.T) {
	b := backendtest.Open(t)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	model := func(classes int, settings string) *Model {
		r := eight(t, 0)
		for _, setting := range strings.Fields("depth=20 " + settings) {
			key, value, _ := strings.Cut(setting, "=")
			require.NoError(t, r.Set(key, value))
		}
		values, deviations := 3, 3
		if r.Normalization == "mean-image" {
			values, deviations = rgb.Bytes(), 1
		}
		m, err := NewModel(b, r, Input{rgb, classes, dataset.Normalization{Mean: make([]float32, values),
			Deviation: slices.Repeat([]float32{60}, deviations)}})
		require.NoError(t, err)
		return m
	}
	export := func(m *Model, rename func(string) string) {
		require.NoError(t, m.Export(path, nil))
		list, _, err := tensorfile.Read(path)
		require.NoError(t, err)
		for i := range list {
			list[i].Name = rename(list[i].Name)
		}
		require.NoError(t, tensorfile.Write(path, list, nil))
	}
	export(model(10, ""), func(name string) string { return name })
	require.ErrorContains(t, model(3, "").Import(path), "has 10 classes, but shapes has 3: choose a data set with as many")
	const all = ": set block, blocks and shortcut, or network, to those of its training"
	for settings, want := range map[string]string{
		"depth=8":                  ": it has 9 blocks and not 3, so set depth to 20",
		"depth=26":                 ": it has 9 blocks and not 12, so set depth to 20",
		"depth=10 blocks=2,2":      ": it has 9 blocks and not 4, so set depth and blocks, or network, to those of its training",
		"block=bottleneck":         "blocks.0.conv1.weight of " + path + " is [16 16 3 3], but [16 16 1 1] in the network of the recipe" + all,
		"block=preactivation":      "blocks.3.bn1.weight of " + path + " is [32], but [16] in the network of the recipe" + all,
		"block=transformer":        ": set block to that of its training",
		"stem=imagenet":            ": set block and stem, or network, to those of its training",
		"shortcut=projection":      ": set shortcut to average or subsample, which have no weights",
		"normalization=mean-image": ": set normalization, and the sizes of images, to those of its training",
	} {
		err := model(10, settings).Import(path)
		require.Error(t, err, settings)
		require.Regexp(t, regexp.QuoteMeta(want)+"$", err.Error())
	}

	original := model(10, "depth=8 shortcut=projection")
	for _, shortcut := range []string{"downsample", "shortcut"} {
		export(original, strings.NewReplacer("stem.conv", "conv1", "stem.bn", "bn1", "blocks.0", "layer1.0", "blocks.1", "layer2.0",
			"blocks.2", "layer3.0", "downsample", shortcut).Replace)
		m := model(10, "depth=8 shortcut=projection seed=2")
		require.NotEqual(t, numbers(t, original), numbers(t, m))
		require.NoError(t, m.Import(path))
		require.Equal(t, numbers(t, original), numbers(t, m))
	}
}

func TestDecodeHalf(t *testing.T) {
	values, err := decode(tensorfile.Tensor{DType: "F16", Data: []byte("\x00\x3c\x00\xc0\x01\x00\xff\x03\x55\x35")})
	require.NoError(t, err)
	require.Equal(t, []float64{1, -2, 0x1p-24, 0x3ffp-24, 0x555p-12}, values)
	_, err = decode(tensorfile.Tensor{Name: "x", DType: "I64"})
	require.EqualError(t, err, "tensor x is of type I64: F64, F32, F16 and BF16 can be read")
}

// Branches are multiplied at test by the file's survival, whatever the recipe of its run; a recipe that cannot do this is
// refused.
func TestImportedScales(t *testing.T) {
	b := backendtest.Open(t)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	pL := func(deathRate float64) []float64 { return depth.Linear(3, deathRate) }
	ones := []float64{1, 1, 1}
	normalization := dataset.Normalization{Mean: []float32{120, 110, 100}, Deviation: []float32{60, 61, 62}}
	type setting struct {
		deathRate         float64
		scaleAt, schedule string
	}

	for _, c := range []struct {
		made, run setting
		older     bool // the file has p_l for scale_at=train, as older files had
		file      []float64
		current   []float64
		note, err string
	}{
		{made: setting{0.5, "test", "constant"}, run: setting{0.5, "test", "constant"}, file: pL(0.5), current: pL(0.5)},
		{made: setting{0, "test", "constant"}, run: setting{0.5, "test", "constant"}, file: ones, current: ones,
			note: "its branches are multiplied by its own survival at test (the last by 1) and not by the recipe's (0.5), " +
				"until it is trained further"},
		{made: setting{0.5, "test", "constant"}, run: setting{0, "test", "constant"}, file: pL(0.5), current: pL(0.5),
			note: "(the last by 0.5) and not by the recipe's (1)"},
		{made: setting{0, "test", "constant"}, run: setting{0.5, "test", "ramp"}, file: ones, current: ones},
		{made: setting{0.5, "train", "constant"}, run: setting{0.5, "train", "constant"}, file: ones, current: pL(0.5)},
		{made: setting{0.5, "train", "constant"}, run: setting{0.5, "train", "constant"}, older: true,
			file: pL(0.5), current: pL(0.5)},
		{made: setting{0.5, "train", "constant"}, run: setting{0.5, "test", "constant"}, older: true,
			file: pL(0.5), current: ones, note: "(the last by 1)"},
		{made: setting{0.5, "test", "constant"}, run: setting{0.5, "train", "constant"}, file: pL(0.5),
			err: "are multiplied by its survival at test (the last by 0.5), but not with scale_at train: use scale_at test"},
	} {
		t.Run(fmt.Sprint(c.made, c.run, c.older), func(t *testing.T) {
			modelOf := func(s setting) *Model {
				r := eight(t, s.deathRate)
				r.ScaleAt, r.SurvivalSchedule = s.scaleAt, s.schedule
				m, err := NewModel(b, r, Input{rgb, 10, normalization})
				require.NoError(t, err)
				return m
			}
			require.NoError(t, modelOf(c.made).Export(path, nil))
			list, meta, err := tensorfile.Read(path)
			require.NoError(t, err)
			at := slices.IndexFunc(list, func(tensor tensorfile.Tensor) bool { return tensor.Name == "survival" })
			if c.older {
				list[at] = encode("survival", list[at].Shape, c.file, dtypes.Float32)
				require.NoError(t, tensorfile.Write(path, list, meta))
			}
			values, err := decode(list[at])
			require.NoError(t, err)
			require.InDeltaSlice(t, c.file, values, 1e-6)
			m := modelOf(c.run)
			err = m.Import(path)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Contains(t, strings.Join(m.Notes, "\n"), c.note)
			require.Equal(t, c.note == "", len(m.Notes) == 0, m.Notes)
			current, err := m.CurrentSurvival()
			require.NoError(t, err)
			require.InDeltaSlice(t, c.current, current, 1e-6)
		})
	}
}

// The exported survival of a network that is scaled in training gives the same losses in a program that multiplies by it, as
// ours does under scale_at=test.
func TestExportedScalesAreThoseOfTheTest(t *testing.T) {
	b := backendtest.Open(t)
	r := eight(t, 0.9)
	r.ScaleAt = "train"
	trained, err := Open(b, r, "")
	require.NoError(t, err)
	want := evaluate(t, trained.Model, trained.Data.Test)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	require.NoError(t, trained.Export(path, nil))
	r.ScaleAt, r.Seed = "test", 2
	m, err := Open(b, r, "")
	require.NoError(t, err)
	require.NoError(t, m.Import(path))
	require.Equal(t, want, evaluate(t, m.Model, trained.Data.Test))
	require.NoError(t, m.SetSurvival(depth.Linear(3, 0.9)))
	require.NotEqual(t, want.Loss, evaluate(t, m.Model, trained.Data.Test).Loss, "the scale matters")
}

// A recipe that does not fit the network of a file is refused before anything is made, and so is a split that would validate
// a network on its own training images; a recipe that may be intended gets a note.
func TestRecipesOfAFile(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*recipes.Recipe)
		note, err string
	}{
		"more epochs, other learning rate": {change: func(r *recipes.Recipe) {
			r.Epochs, r.LearningRate, r.DeathRate = 200, 0.01, 0.1
		}},
		"fewer images": {change: func(r *recipes.Recipe) { r.TrainImages, r.ValidationImages, r.TestImages = 1000, 500, 10 }},
		"another seed of CIFAR": {change: func(r *recipes.Recipe) { r.Seed = 1 },
			err: "the network in net was trained on the images of cifar10 that seed 21 leaves for training, " +
				"and most of the validation images of seed 1 are among them: keep seed 21"},
		"another data set": {change: func(r *recipes.Recipe) { r.Dataset, r.Seed = "svhn", 1 },
			note: "it was trained on cifar10 and has not seen svhn yet; its normalisation stays"},
		"other shortcuts": {change: func(r *recipes.Recipe) { r.Shortcut = "subsample" },
			err: "the network in net has shortcut average, and its weights do not fit a network with shortcut subsample: " +
				"leave shortcut as the file's recipe has it"},
		"another depth": {change: func(r *recipes.Recipe) { r.Depth = 26 },
			err: "the network in net has depth 20, and its weights do not fit a network with depth 26: leave depth as the file's recipe has it"},
		"other groups":    {change: func(r *recipes.Recipe) { r.Blocks = []int{2, 3, 4} }, err: "has blocks [3 3 3], and its weights"},
		"the same groups": {change: func(r *recipes.Recipe) { r.Blocks = []int{3, 3, 3} }},
		"another network": {change: func(r *recipes.Recipe) { _ = r.Set("network", "resnet18") },
			err: "and its weights do not fit a network with blocks [2 2 2 2], stem imagenet, depth 18 and shortcut projection: " +
				"leave blocks, stem, depth and shortcut as the file's recipe has them (network sets several of them)"},
		"other classes": {change: func(r *recipes.Recipe) { r.Dataset = "cifar100" },
			err: "the network in net has 10 classes, but cifar100 has 100: choose a data set with as many"},
		"other normalisation": {change: func(r *recipes.Recipe) { r.Normalization = "mean-image" }, err: "has normalization channel"},
		"another size": {change: func(r *recipes.Recipe) { r.Dataset, r.Seed, r.ImageSize = "shapes", 21, 64 },
			note: "it was trained on images of 32x32 pixels and gets some of 64x64\n" +
				"it was trained on cifar10 and has not seen shapes yet; its normalisation stays"},
		"other blocks": {change: func(r *recipes.Recipe) { r.Block = "preactivation" }, err: "has block basic"},
	} {
		t.Run(name, func(t *testing.T) {
			made := recipes.Default()
			made.Dataset, made.Depth, made.Epochs, made.Seed = "cifar10", 20, 40, 21
			recipe := made
			c.change(&recipe)
			notes, err := agree("net", made, recipe, false)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.note, strings.Join(notes, "\n"))
		})
	}

	// Another seed draws new shapes, so none is a training image.
	made := eight(t, 0)
	recipe := made
	recipe.Seed = 5
	notes, err := agree("net", made, recipe, false)
	require.NoError(t, err)
	require.Equal(t, []string{"its shapes were drawn from seed 1; those of seed 5 are different"}, notes)

	ofMean, larger := made, made
	ofMean.Normalization, larger.Normalization, larger.ResizeSize = "mean-image", "mean-image", 40
	_, err = agree("net", ofMean, larger, false)
	require.EqualError(t, err, "the network in net has a mean image of 32x32 pixels, which fits no images of 40x40: "+
		"leave image_size and resize_size as the file's recipe has them")

	transformer := made
	transformer.Block, transformer.Depth = depth.Transformer, 3
	larger = transformer
	same := transformer
	larger.ImageSize, same.PatchSize = 64, 4
	_, err = agree("net", transformer, larger, false)
	require.ErrorContains(t, err, "has image_size 32 and patch_size 4, and its weights do not fit a network with image_size 64 and "+
		"patch_size 8: leave image_size and patch_size as the file's recipe has them")
	_, err = agree("net", transformer, same, false)
	require.NoError(t, err)

	// OpenImported refuses such a recipe, and returns the notes of the others.
	b := backendtest.Open(t)
	normalization := dataset.Normalization{Mean: []float32{120, 110, 100}, Deviation: []float32{60, 61, 62}}
	m, err := NewModel(b, made, Input{rgb, 10, normalization})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	require.NoError(t, m.Export(path, nil))
	recipe.Shortcut = "subsample"
	_, err = OpenImported(b, path, recipe, "")
	require.ErrorContains(t, err, "has shortcut average")
	recipe.Shortcut, recipe.DeathRate = "average", 0.5
	opened, err := OpenImported(b, path, recipe, "")
	require.NoError(t, err)
	require.Len(t, opened.Notes, 2, "the seed and the death rate: %q", opened.Notes)

	list, _, err := tensorfile.Read(path)
	require.NoError(t, err)
	require.NoError(t, tensorfile.Write(path, list, nil))
	opened, err = OpenImported(b, path, made, "")
	require.NoError(t, err)
	require.Equal(t, []string{"it does not say which images it was trained on: the validation images may be among them"},
		opened.Notes)
}

// The deviations of a normalisation show its scale; if they are 1, its means and who wrote it do.
func TestNormalizationsOfBothScales(t *testing.T) {
	for _, c := range []struct {
		mean, deviation          float64
		elsewhere, unit, refused bool
	}{
		{mean: 0.48, deviation: 0.22, unit: true},            // torchvision's
		{mean: 0, deviation: 1, elsewhere: true, unit: true}, // ToTensor alone
		{mean: 0, deviation: 1},                              // our own export, which comes back as it was
		{mean: 122, deviation: 57, elsewhere: true},          // for bytes
		{mean: 122, deviation: 1, elsewhere: true},           // bytes minus their mean
		{mean: 122, deviation: 0.22, refused: true},
	} {
		mean, deviation := []float64{c.mean / 2, c.mean}, []float64{c.deviation, c.deviation / 2}
		unit, err := onUnitScale("file", c.elsewhere, mean, deviation)
		require.Equal(t, c.refused, err != nil, "%+v: %v", c, err)
		require.Equal(t, c.unit, unit, "%+v", c)
		want := c.mean
		if c.unit {
			want *= 255
		}
		require.Equal(t, want, mean[1], "%+v", c)
	}
}
