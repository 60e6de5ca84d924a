package models

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/runs/recipes"
)

// imagenet are the shapes of a network for ImageNet with 1000 classes.
func imagenet(t *testing.T, name string) map[string][]int {
	t.Helper()
	block := map[bool]string{true: "layer1.0.conv3.weight", false: "layer1.0.conv1.weight"}[name >= "resnet50" || name < "resnet18"]
	for _, x := range candidates(map[string][]int{"conv1.weight": {64, 3, 7, 7}}, []string{block}) {
		if x.about.network == name {
			x.shapes["fc.weight"][0], x.shapes["fc.bias"][0] = 1000, 1000
			return x.shapes
		}
	}
	require.Fail(t, "no "+name)
	return nil
}

// transformer are the shapes of one of timm's vision transformers with 1000 classes.
func transformer(width, patch, tokens int) map[string][]int {
	shapes := transformerShapes(width, patch, tokens)
	shapes["head.weight"][0], shapes["head.bias"][0] = 1000, 1000
	return shapes
}

// parameters adds up those of a file.
func parameters(shapes map[string][]int) (sum int) {
	for tensor, shape := range shapes {
		size := 1
		for _, n := range shape {
			size *= n
		}
		if !strings.Contains(tensor, "running_") {
			sum += size
		}
	}
	return sum
}

// timm's vision transformers are recognised by shapes whose parameters add up to the numbers that timm documents; the side of
// their images follows from their positions.
func TestRecogniseTransformers(t *testing.T) {
	for network, want := range map[string]struct{ width, parameters int }{"vit-tiny": {192, 5717416}, "vit-small": {384, 22050664},
		"vit-base": {768, 86567656}} {
		shapes := transformer(want.width, 16, 197)
		require.Equal(t, want.parameters, parameters(shapes), network)
		e, err := recognise("file", shapes)
		require.NoError(t, err)
		require.Equal(t, []any{network, 1000, vitMean}, []any{e.network, e.Classes, e.Mean})
		recipe, err := recipes.Preset("cifar10")
		require.NoError(t, err)
		recipe.Dataset = "folder"
		e.Apply(&recipe)
		e.Sizes(Config{}, &recipe)
		require.NoError(t, recipe.Validate())
		require.Equal(t, []any{network, 16, "class-token", 12, 224, 248, "train"},
			[]any{recipe.Encoder, recipe.PatchSize, recipe.Pooling, recipe.Depth, recipe.ImageSize, recipe.ResizeSize, recipe.ScaleAt})
		size := strings.TrimPrefix(network, "vit-")
		for _, same := range []string{"vit_" + size + "_patch16_224", "deit_" + size + "_patch16_224"} {
			require.NoError(t, e.Agrees("file", Config{Architecture: same}))
			require.Equal(t, same+" of timm", e.Described(Config{Architecture: same}))
		}
		require.ErrorContains(t, e.Agrees("file", Config{Architecture: "vit_" + size + "_patch16_clip_quickgelu_224"}), "another way")
	}
	e, err := recognise("file", transformer(384, 32, 50))
	require.NoError(t, err)
	require.Equal(t, []int{224, 32}, []int{e.side, e.patch})
}

// The networks for ImageNet are recognised by shapes whose parameters add up to the numbers that torchvision documents.
func TestRecognise(t *testing.T) {
	for name, want := range map[string]int{"resnet18": 11689512, "resnet34": 21797672, "resnet50": 25557032,
		"resnet101": 44549160, "resnet152": 60192808} {
		shapes := imagenet(t, name)
		require.Equal(t, want, parameters(shapes), name)
		e, err := recognise("file", shapes)
		require.NoError(t, err)
		require.Equal(t, []any{name + " of torchvision or timm", 1000, "shapes", imagenetMean}, []any{e.Name, e.Classes, e.Dataset(), e.Mean})
		recipe, err := recipes.Preset("cifar10")
		require.NoError(t, err)
		e.Apply(&recipe)
		require.NoError(t, recipe.Validate())
		require.True(t, recipe.IsConstant())
		require.Equal(t, []string{"imagenet", "projection", "train"}, []string{recipe.Stem, recipe.Shortcut, recipe.ScaleAt})
	}

	for _, c := range []struct {
		last, shortcut string
		classes        int
		want           Elsewhere
	}{
		{"fc", "downsample", 100, Elsewhere{Name: "resnet14 for CIFAR of chenyaofo's pytorch-cifar-models", Classes: 100, Mean: cifar100Mean}},
		{"linear", "shortcut", 10, Elsewhere{Name: "resnet14 for CIFAR with option B of akamaster's pytorch_resnet_cifar10", Classes: 10,
			Mean: imagenetMean}},
		{"linear", "", 10, Elsewhere{Name: "resnet14 for CIFAR of akamaster's pytorch_resnet_cifar10", Classes: 10, Mean: imagenetMean,
			ZerosOnBothSides: true}},
	} {
		e := &Elsewhere{block: "basic", blocks: []int{2, 2, 2}, shortcut: "projection"}
		if c.shortcut == "" {
			e.shortcut = "subsample"
		}
		shapes := newExpected(e, c.last, c.shortcut).shapes
		shapes[c.last+".weight"][0], shapes[c.last+".bias"][0] = c.classes, c.classes
		got, err := recognise("file", shapes)
		require.NoError(t, err)
		require.Equal(t, []any{c.want.Name, c.classes, c.want.Mean, c.want.ZerosOnBothSides},
			[]any{got.Name, got.Classes, got.Mean, got.ZerosOnBothSides})
		require.Equal(t, map[int]string{10: "cifar10", 100: "cifar100"}[c.classes], got.Dataset())
	}
}

// A file that lacks layers or has others is refused in one sentence, which lists them by name and shape.
func TestRecogniseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		network string
		change  func(shapes map[string][]int)
		want    []string
	}{
		"half of the layers": {"resnet18", func(s map[string][]int) {
			maps.DeleteFunc(s, func(name string, _ []int) bool {
				return strings.HasPrefix(name, "layer3") || strings.HasPrefix(name, "layer4")
			})
		}, []string{"nearest to resnet18 of torchvision or timm", "layer3.0.bn1.bias [256] is missing", " more: copy the file again"}},
		"one layer less": {"resnet50", func(s map[string][]int) { delete(s, "layer3.5.conv3.weight") },
			[]string{"nearest to resnet50", "but layer3.5.conv3.weight [1024 256 1 1] is missing: copy"}},
		"another shape": {"resnet34", func(s map[string][]int) { s["layer2.1.conv1.weight"] = []int{128, 128, 5, 5} },
			[]string{"layer2.1.conv1.weight is [128 128 5 5] and not [128 128 3 3]"}},
		"a last layer of two sizes": {"resnet18", func(s map[string][]int) { s["fc.bias"] = []int{7} },
			[]string{"fc.weight is [1000 512] and not [7 512]"}},
		"no last layer": {"resnet18", func(s map[string][]int) { delete(s, "fc.weight"); delete(s, "fc.bias") },
			[]string{"fc.bias [classes] is missing, fc.weight [classes 512] is missing"}},
		"one more": {"resnet18", func(s map[string][]int) { s["head.bias"] = []int{3} }, []string{"it also has head.bias [3]"}},
		"ResNet-D": {"resnet50", func(s map[string][]int) { s["conv1.0.weight"] = []int{32, 3, 3, 3} },
			[]string{"its stem has three convolutions"}},
		"average shortcuts": {"resnet50", func(s map[string][]int) { s["layer2.0.downsample.1.weight"] = []int{512, 256, 1, 1} },
			[]string{"its shortcuts begin with average pooling (ResNet-D)"}},
		"ResNeXt": {"resnet50", func(s map[string][]int) { s["layer1.0.conv2.weight"] = []int{128, 4, 3, 3} },
			[]string{"convolutions are in groups"}},
		"SE": {"resnet50", func(s map[string][]int) { s["layer1.0.se.fc1.bias"] = []int{8} }, []string{"it has squeeze-and-excitation"}},
		"another stem": {"resnet18", func(s map[string][]int) { s["conv1.weight"] = []int{64, 3, 3, 3} },
			[]string{"its stem is a convolution 3x3 to 64 channels, here there are 3x3 to 16 and 7x7 to 64 (conv1.weight [64 3 3 3])"}},
		"torchvision's transformer": {"resnet18", func(s map[string][]int) { s["conv_proj.weight"] = []int{768, 3, 16, 16} },
			[]string{"is a vision transformer of torchvision"}},
		"half of a transformer": {"vit", func(s map[string][]int) {
			maps.DeleteFunc(s, func(name string, _ []int) bool {
				return name > "blocks.6" && name < "blocks.a" || strings.HasPrefix(name, "blocks.1")
			})
		}, []string{"nearest to vit_tiny_patch16_224 of timm, but blocks.1.attn.proj.bias [192] is missing", " more: copy the file again"}},
		"24 blocks": {"vit", func(s map[string][]int) { s["blocks.12.norm1.bias"] = []int{192} },
			[]string{"it also has blocks.12.norm1.bias [192]: copy"}},
		"384 pixels": {"vit", func(s map[string][]int) { s["pos_embed"] = []int{1, 577, 192} },
			[]string{"it takes images of 384 pixels, and here they have from 8 to 256"}},
		"no class token": {"vit", func(s map[string][]int) { s["pos_embed"] = []int{1, 196, 192} }, []string{"no position for each patch"}},
		"another width": {"vit", func(s map[string][]int) { s["patch_embed.proj.weight"] = []int{1024, 3, 16, 16} },
			[]string{"its width is 1024"}},
		"distilled": {"vit", func(s map[string][]int) { s["dist_token"] = []int{1, 1, 192} },
			[]string{"it has a second token, for distillation"}},
		"LayerScale": {"vit", func(s map[string][]int) { s["blocks.3.ls1.gamma"] = []int{192} },
			[]string{"its branches have scales (LayerScale)"}},
		"no linear layer": {"vit", func(s map[string][]int) { delete(s, "head.weight"); delete(s, "head.bias") },
			[]string{"head.bias [classes] is missing, head.weight [classes 192] is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			shapes := transformer(192, 16, 197)
			if c.network != "vit" {
				shapes = imagenet(t, c.network)
			}
			c.change(shapes)
			e, err := recognise("file", shapes)
			require.Nil(t, e)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
	e, err := recognise("file", map[string][]int{"features.0.weight": {64, 3, 3, 3}})
	require.NoError(t, err)
	require.Nil(t, e, "other names")
	zip := filepath.Join(t.TempDir(), "net.pth")
	require.NoError(t, os.WriteFile(zip, []byte("PK\x03\x04 and more"), 0o644))
	_, err = Recognise(zip)
	require.ErrorContains(t, err, "is a PyTorch pickle, not a safetensors file: convert it in Python")
	require.NoError(t, tensorfile.Write(zip, []tensorfile.Tensor{{Name: "module.layer1.0.bn1.num_batches_tracked", DType: "I64",
		Data: make([]byte, 8)}}, nil))
	e, err = Recognise(zip)
	require.NoError(t, err)
	require.Nil(t, e)
}

// A config.json beside the file, in both of timm's forms, gives sizes and normalisation; one about another network is refused.
func TestReadConfig(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "model.safetensors")
	c, err := ReadConfig(file)
	require.NoError(t, err)
	require.Equal(t, Config{}, c)
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(text), 0o644))
	}
	cfg := `"input_size": [3, 224, 224], "crop_pct": 0.95, "mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.1]`
	for _, text := range []string{`{"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {` + cfg + `}}`,
		`{"architecture": "resnet50", "num_classes": 1000, ` + cfg + `}`} {
		write(text)
		c, err = ReadConfig(file)
		require.NoError(t, err)
		require.Equal(t, Config{"resnet50", 1000, 224, 0.95, []float64{0.5, 0.4, 0.3}, []float64{0.3, 0.2, 0.1}}, c)
	}
	r := recipes.Recipe{Dataset: "folder:mine"}
	c.Sizes(&r)
	require.Equal(t, []int{224, 235}, []int{r.ImageSize, r.ResizeSize}, "as timm, which rounds down")
	r = recipes.Recipe{Dataset: "folder", ImageSize: 96}
	c.Sizes(&r)
	require.Equal(t, []int{96, 0}, []int{r.ImageSize, r.ResizeSize})

	e, err := recognise("file", imagenet(t, "resnet50"))
	require.NoError(t, err)
	require.NoError(t, e.Agrees("file", c))
	require.NoError(t, e.Agrees("file", Config{Architecture: "tv_resnet50"}))
	require.ErrorContains(t, e.Agrees("file", Config{Architecture: "resnetblur50"}), "the config.json beside it says resnetblur50")
	for text, want := range map[string]string{
		`{`: "not valid JSON",
		`{"input_size": [1, 28, 28], "mean": [0.5], "std": [0.5]}`:                     "fits no network of square images of three colours",
		`{"input_size": [3, 224, 224], "mean": [123, 116, 103], "std": [58, 57, 57]}`:  "has mean [123 116 103] and std [58 57 57]",
		`{"input_size": [3, 224, 224], "mean": [0.5, 0.5, 0.5]}`:                       "has mean [0.5 0.5 0.5] and std []",
		`{"input_size": [3, 224, 224], "crop_pct": 2, "mean": [0,0,0], "std":[1,1,1]}`: "has crop_pct 2",
	} {
		write(text)
		_, err := ReadConfig(file)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}

// Of all residual networks and vision transformers of torchvision and timm those are recognised that are computed here as there,
// and three of timm's that have their names and shapes, but blur or average where these have a stride. A config.json tells.
func TestRecogniseAmongAll(t *testing.T) {
	python := os.Getenv("BENCH_PYTHON")
	if python == "" {
		t.Skip("set BENCH_PYTHON to the whole path of a Python with torch, torchvision and timm")
	}
	out, err := exec.Command(python, "-c", `
import json, timm, torch, torchvision
of = lambda net: {k: list(v.shape) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
with torch.device("meta"):
    all = {"torchvision/" + n: of(torchvision.models.get_model(n, weights=None))
           for n in torchvision.models.list_models(module=torchvision.models) if "resn" in n or "vit_b" in n}
    all |= {"timm/" + n: of(timm.create_model(n)) for p in ("*resn*", "res2*", "vit_tiny*", "vit_small*", "deit_*",
            "deit3_s*", "eva02_t*", "hrnet_w18*")
            for n in timm.list_models(p) if "clip" not in n and "crossvit" not in n}
print(json.dumps(all))
`).Output()
	require.NoError(t, err)
	var all map[string]map[string][]int
	require.NoError(t, json.Unmarshal(out, &all))
	var known []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e, err := recognise("file", all[name])
		if e == nil {
			continue
		}
		require.NoError(t, err)
		known = append(known, name)
		_, own, _ := strings.Cut(name, "/")
		if own != e.network && !e.alike(own) {
			require.Error(t, e.Agrees("file", Config{Architecture: own}))
		}
	}
	t.Logf("%d networks, recognised: %v", len(all), known)
	require.Greater(t, len(all), 150)
	require.Equal(t, []string{"timm/deit_base_patch16_224", "timm/deit_small_patch16_224", "timm/deit_tiny_patch16_224", "timm/resnet101",
		"timm/resnet152", "timm/resnet18", "timm/resnet34", "timm/resnet50", "timm/resnetaa50", "timm/resnetblur18", "timm/resnetblur50",
		"timm/vit_small_patch16_224", "timm/vit_small_patch32_224", "timm/vit_tiny_patch16_224", "torchvision/resnet101",
		"torchvision/resnet152", "torchvision/resnet18", "torchvision/resnet34", "torchvision/resnet50"}, known)
}
