package rates

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// The first, second and last block at the rate 0.2, as they were seen in the libraries.
func TestSurvivalInLibraries(t *testing.T) {
	table, err := Read("../../../../data/rates.json")
	require.NoError(t, err)
	for name, want := range map[string][3]float64{
		"composer/resnet50":           {0.9875, 0.975, 0.8},
		"timm/resnet50":               {1, 0.9867, 0.8},
		"torchvision/efficientnet_b0": {0.975, 0.95, 0.825},
		"monai/SwinUNETR":             {1, 0.9714, 0.8},
		"transformers/dinov2":         {0.8, 0.8, 0.8},
		"transformers/cvt-13":         {1, 0.8, 0.9556},
		"transformers/wavlm":          {1, 0.8, 0.8},
		"tf-models-official/resnet50": {0.92, 0.92, 0.8},
	} {
		n, err := table.Find(name)
		require.NoError(t, err)
		p, err := n.Survival(0.2)
		require.NoError(t, err)
		require.InDeltaSlice(t, want[:], []float64{p[0], p[1], p[len(p)-1]}, 1e-4, name)
	}
	_, err = table.Find("timm/convnext")
	require.EqualError(t, err, `nothing is known of timm/convnext (did you mean "timm/convnext_tiny"?): `+"`stochdepth rates` lists the networks")
	_, err = table.Find("ResNet50")
	require.ErrorContains(t, err, "nothing is known of ResNet50, but of composer/resnet50, timm/resnet50, mmpretrain/resnet50 and ")
}

// For programs there is a line for each block, or a single one where there may be any number.
func TestBlocksForPrograms(t *testing.T) {
	table, err := Read("../../../../data/rates.json")
	require.NoError(t, err)
	for _, c := range []struct{ name, format, want string }{
		{"composer/resnet50", "csv", "^block,survival_probability\n1,0.9875\n2,0.975\n(.*\n){13}16,0.8\n$"},
		{"timm/mixer", "tsv", "^block\tsurvival_probability\n0\t0.8\n$"},
		{"transformers/dinov2", "json", `(?s)^\[\s*\{\s*"block": 1,\s*"survival_probability": 0.8\s*\},.*"block": 12,`},
	} {
		n, err := table.Find(c.name)
		require.NoError(t, err)
		var out strings.Builder
		require.NoError(t, n.SurvivalTable(&out, c.format, 0.2))
		require.Regexp(t, c.want, out.String())
	}
}

// The settings that are printed for a network are those of a recipe with the same survival probabilities.
func TestSettingsGiveTheSame(t *testing.T) {
	table, err := Read("../../../../data/rates.json")
	require.NoError(t, err)
	require.Greater(t, len(table.Networks), 20)
	for _, n := range table.Networks {
		require.NotEmpty(t, table.version(n), n.Name)
		require.Contains(t, []string{"measured", "read"}, n.Seen, n.Name)
		require.True(t, (n.Fractions == nil) == slices.Contains(depth.Rules(), n.Rule), "%s: a rule or fractions", n.Name)
		want, err := n.Survival(0.3)
		require.NoError(t, err)
		settings, err := n.Settings(0.3)
		require.NoError(t, err)
		require.Equal(t, n.Scale == "train" || n.Scale == "test", slices.Contains(settings, "scale_at="+n.Scale))
		r := recipes.Default()
		r.Dataset, r.Epochs, r.Block, r.Depth = "shapes", 1, depth.Transformer, max(len(want), 2)
		if n.Groups != nil {
			r.Block, r.Depth = depth.Bottleneck, depth.LayersIn(depth.Bottleneck, n.Groups)
		}
		for _, setting := range settings {
			key, value, _ := strings.Cut(setting, "=")
			require.NoError(t, r.Set(key, value), n.Name)
		}
		require.NoError(t, r.Validate(), n.Name)
		got, err := r.Survival()
		require.NoError(t, err)
		require.InDeltaSlice(t, want, got[:len(want)], 1e-9, n.Name)
		require.NoError(t, table.Describe(io.Discard, n, 0.3))
	}
	require.ErrorContains(t, table.Describe(io.Discard, table.Networks[0], 1.5), "outside [0, 1)")
}

// make rates installs the versions that the table names, and so does make bench-peers, for the tests beside PyTorch.
func TestMeasuredVersions(t *testing.T) {
	table, err := Read("../../../../data/rates.json")
	require.NoError(t, err)
	for path, libraries := range map[string]int{"requirements.txt": 7, "requirements-alone.txt": 6, "requirements-tensorflow.txt": 1,
		"../../../network/bench/peers/requirements.txt": 2} {
		requirements, err := os.ReadFile(path)
		require.NoError(t, err)
		pinned := 0
		for _, line := range strings.Fields(string(requirements)) {
			library, version, isPin := strings.Cut(strings.Replace(line, "mosaicml", "composer", 1), "==")
			if recorded, is := table.Versions[library]; isPin && is {
				require.Equal(t, recorded, version, library)
				pinned++
			}
		}
		require.Equal(t, libraries, pinned, path)
	}
}
