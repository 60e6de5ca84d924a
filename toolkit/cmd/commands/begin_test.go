package commands

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// theirs writes a network of 8 layers for 10 classes with the names of pytorch-cifar-models.
func theirs(t *testing.T, path string, change func(*tensorfile.Tensor)) {
	t.Helper()
	var list []tensorfile.Tensor
	add := func(name string, shape ...int) {
		tensor := tensorfile.Tensor{Name: name, DType: "F32", Shape: shape}
		size := 1
		for _, n := range shape {
			size *= n
		}
		for i := range size {
			v := 0.1 * math.Sin(float64(i+len(name)))
			if len(shape) == 1 {
				v = 1 + v
			}
			tensor.Data = binary.LittleEndian.AppendUint32(tensor.Data, math.Float32bits(float32(v)))
		}
		if change != nil {
			change(&tensor)
		}
		list = append(list, tensor)
	}
	norm := func(name string, channels int) {
		for _, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			add(name+part, channels)
		}
	}
	add("conv1.weight", 16, 3, 3, 3)
	norm("bn1", 16)
	in := 16
	for g, out := range []int{16, 32, 64} {
		b := []string{"layer1.0.", "layer2.0.", "layer3.0."}[g]
		add(b+"conv1.weight", out, in, 3, 3)
		add(b+"conv2.weight", out, out, 3, 3)
		norm(b+"bn1", out)
		norm(b+"bn2", out)
		if in != out {
			add(b+"downsample.0.weight", out, in, 1, 1)
			norm(b+"downsample.1", out)
		}
		in = out
	}
	add("fc.weight", 10, 64)
	add("fc.bias", 10)
	require.NoError(t, tensorfile.Write(path, list, nil))
}

// A file of other code becomes a run without a recipe, at constant depth, and another run is tuned from it or from that run; its
// folder says from what, and it goes on without it.
func TestImportElsewhereAndTune(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	file, root := filepath.Join(folder, "theirs.safetensors"), filepath.Join(folder, "runs")
	theirs(t, file, nil)
	small := []string{"--runs", root, "--dataset", "shapes", "--seed", "3", "--batch-size", "32",
		"--set", "train_images=64", "--set", "validation_images=32", "--set", "test_images=32"}
	command := func(args ...string) string { return succeed(t, stochdepth(t, append(args, small...)...)) }
	fails := func(args ...string) string {
		out, err := stochdepth(t, append(args, small...)...).CombinedOutput()
		require.EqualError(t, err, "exit status 1", string(out))
		require.Equal(t, 1, strings.Count(string(out), "\n"), "%s", out)
		return string(out)
	}
	recipeOf := func(run string) recipes.Recipe {
		r, err := recipes.Read(filepath.Join(root, run, "recipe.json"))
		require.NoError(t, err)
		return r
	}

	out := command("import", file, "--run", "mine")
	require.Contains(t, out, "note: it is resnet8 for CIFAR of chenyaofo's pytorch-cifar-models\n")
	require.Contains(t, out,
		"note: its images are normalised by mean [0.4914 0.4822 0.4465] and std [0.2023 0.1994 0.201] of pixels from 0 to 1\n")
	mine := recipeOf("mine")
	require.Equal(t, []string{"8", "projection", "0", "train"},
		[]string{mine.Get("depth"), mine.Shortcut, mine.Get("death_rate"), mine.ScaleAt})
	require.Regexp(t, `^`+regexp.QuoteMeta(file)+`, sha256 [0-9a-f]{16}$`, mine.From)

	out = command("import", file, "--run", "stochastic", "--death-rate", "0.5", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")
	require.Contains(t, out, "mean [0.5 0.5 0.5] and std [0.25 0.25 0.25]")
	require.Equal(t, "train", recipeOf("stochastic").ScaleAt)
	command("import", file, "--run", "paper", "--death-rate", "0.5", "--set", "scale_at=test")
	require.Equal(t, "test", recipeOf("paper").ScaleAt, "the user chose")
	require.Contains(t, command("import", file, "--run", "anew", "--classes", "10"), "its last layer, of 10 classes, is replaced by one of 10")

	tune := []string{"train", "--from", file, "--run", "tuned", "--epochs", "2", "--set", "freeze_groups=2", "--death-rate", "0.2"}
	stopped, err := stochdepth(t, append(append(tune, "--max-time", "1ns"), small...)...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(stopped), "note: it is resnet8")
	require.Contains(t, string(stopped), "stopped after the time limit")
	require.NoError(t, os.Rename(file, file+".away"))
	require.Contains(t, command(tune...), "4 steps")
	tuned := recipeOf("tuned")
	require.Equal(t, mine.From, tuned.From)
	require.Equal(t, []string{"2", "train", "0.2"}, []string{tuned.Get("freeze_groups"), tuned.ScaleAt, tuned.Get("death_rate")})
	require.Contains(t, fails("train", "--from", "mine", "--run", "tuned"),
		"exists already, and it did not begin with mine: choose another run name")
	require.Contains(t, fails("train", "--from", "mine"), "--from begins a run of its own: name it with --run NAME")

	require.Contains(t, command("train", "--from", "mine", "--run", "further", "--epochs", "1"), "2 steps")
	require.Regexp(t, `^mine, step 0, sha256 [0-9a-f]{16}$`, recipeOf("further").From)
	run, err := runs.Open(filepath.Join(root, "further"))
	require.NoError(t, err)
	require.True(t, run.Finished())

	back := filepath.Join(folder, "back.safetensors")
	succeed(t, stochdepth(t, "export", "mine", "--runs", root, "--checkpoint", "last", "--names", "torchvision", "-o", back))
	list, _, err := tensorfile.Read(back)
	require.NoError(t, err)
	want, _, err := tensorfile.Read(file + ".away")
	require.NoError(t, err)
	require.Equal(t, want, list)
	require.Contains(t, succeed(t, stochdepth(t, "import", back, "--runs", root, "--run", "back")), "run back made from")

	// What cannot be taken is one sentence, and no run is left.
	for name, c := range map[string]struct {
		change func(*tensorfile.Tensor)
		args   []string
		want   string
	}{
		"a mean alone":       {args: []string{"--mean", "0.5,0.5,0.5"}, want: "--mean and --std go together: give both"},
		"bytes":              {args: []string{"--mean", "120,120,120", "--std", "60,60,60"}, want: "must be of pixels from 0 to 1"},
		"words":              {args: []string{"--mean", "a", "--std", "b"}, want: `"a" is no list of numbers such as 0.485,0.456,0.406`},
		"other classes":      {args: []string{"--classes", "3"}, want: "--classes 3: the data set shapes has 10 classes"},
		"zeros":              {args: []string{"--zeros", "first"}, want: `--zeros "first": use last or both`},
		"another depth":      {args: []string{"--depth", "14"}, want: "it has 3 blocks and not 6, so set depth to 8"},
		"NaN":                {change: func(x *tensorfile.Tensor) { copy(x.Data, "\x00\x00\xc0\x7f") }, want: "has the value NaN at position 0"},
		"a negative average": {change: func(x *tensorfile.Tensor) { x.Data[3] |= 0x80 }, want: "but a variance is not negative"},
		"half of the layers": {change: func(x *tensorfile.Tensor) { x.Name = strings.Replace(x.Name, "layer3", "features", 1) },
			want: "is nearest to resnet8 for CIFAR of chenyaofo's pytorch-cifar-models, but layer3.0.bn1.bias [64] is missing"},
		"another shape": {change: func(x *tensorfile.Tensor) {
			if x.Name == "layer3.0.conv2.weight" {
				x.Shape = []int{64, 64, 9, 1}
			}
		}, want: "layer3.0.conv2.weight is [64 64 9 1] and not [64 64 3 3]"},
		"other names": {change: func(x *tensorfile.Tensor) { x.Name = "net." + strings.ReplaceAll(x.Name, "layer", "stage") },
			want: "has no recipe in its metadata"},
	} {
		theirs(t, file, c.change)
		require.Contains(t, fails(append([]string{"import", file, "--run", "bad"}, c.args...)...), c.want, name)
		require.NoDirExists(t, filepath.Join(root, "bad"), name)
	}
	require.NoError(t, os.WriteFile(file, []byte("PK\x03\x04 a zip archive"), 0o644))
	require.Contains(t, fails("import", file, "--run", "bad"), "is a PyTorch pickle, not a safetensors file: convert it in Python")
	require.Contains(t, fails("train", "--from", file, "--run", "bad"), "is a PyTorch pickle")
	require.NoDirExists(t, filepath.Join(root, "bad"))
}
