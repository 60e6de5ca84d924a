package recipes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The networks of Table 1 of He et al. 2015: a name sets their depth, blocks, stem and shortcut, in a file before its other
// keys, which may change it; the recipe keeps what was set, and not the name.
func TestNetworks(t *testing.T) {
	for i, want := range []struct{ depth, blocks int }{{18, 8}, {34, 16}, {50, 16}, {101, 33}, {152, 50}} {
		r := small(t)
		require.NoError(t, r.Set("network", Networks()[i]))
		require.NoError(t, r.Validate())
		survival, err := r.Survival()
		require.NoError(t, err)
		require.Equal(t, []int{want.depth, want.blocks}, []int{r.Depth, len(survival)})
		require.Equal(t, 0.02, r.LearningRate)
	}
	r := small(t)
	require.NoError(t, r.Set("network", "vit-small"))
	require.NoError(t, r.Validate())
	require.Equal(t, []any{12, "transformer", "vit-small", 16, "class-token"}, []any{r.Depth, r.Block, r.Encoder, r.PatchSize, r.Pooling})
	require.NoError(t, r.Set("network", "resnet18"))
	require.NoError(t, r.Validate(), "nothing of the transformer is left")
	r, err := Parse([]byte(`{"dataset": "shapes", "epochs": 1, "shortcut": "average", "network": "resnet50"}`))
	require.NoError(t, err)
	require.NoError(t, r.Validate())
	require.Equal(t, []any{50, "bottleneck-original", []int{3, 4, 6, 3}, "imagenet", "average"},
		[]any{r.Depth, r.Block, r.Blocks, r.Stem, r.Shortcut})

	for want, set := range map[string][2]string{
		`patch_size, pooling and encoder are for block "transformer"`:                        {"pooling", "mean"},
		`network "resnet51" is unknown (did you mean "resnet50"?)`:                           {"network", "resnet51"},
		"depth is 50, but blocks [3 4 6] of the kind bottleneck-original make 41 layers":     {"blocks", "3,4,6"},
		"blocks is [3 0]: a group has from 1 to 10,000 blocks":                               {"blocks", "3,0"},
		"blocks has 7 groups: a network has 6 at most":                                       {"blocks", "1,1,1,1,1,1,1"},
		`shortcut "projection" goes with the blocks basic, bottleneck-original and your own`: {"block", "bottleneck"},
		"blocks is [3 4 6 3], but a transformer has one group":                               {"block", "transformer"},
		`shortcut "projektion" is unknown (did you mean "projection"?)`:                      {"shortcut", "projektion"},
		`blocks must be a list of whole numbers, not "3,x"`:                                  {"blocks", "3,x"},
	} {
		r := small(t)
		require.NoError(t, r.Set("network", "resnet50"))
		err := r.Set(set[0], set[1])
		if err == nil {
			err = r.Validate()
		}
		require.ErrorContains(t, err, want)
	}
}

// A transformer's patches divide the image: an eighth of the side unless the recipe says otherwise.
func TestPatches(t *testing.T) {
	for size, want := range map[string]string{"0": "", "16": "", "5": "patch_size is 5: it must divide the images' side of 48 pixels",
		"64": "patch_size is 64", "-1": "patch_size is -1"} {
		r := small(t)
		r.Block, r.Depth, r.ImageSize = "transformer", 4, 48
		require.NoError(t, r.Set("patch_size", size))
		if err := r.Validate(); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// A network without shortcuts has no closed blocks, and only the textbook form computes it.
func TestPlainNetworks(t *testing.T) {
	for want, settings := range map[string][][2]string{
		"":                                   {},
		`shortcut "none" needs form`:         {{"form", "survivors"}},
		`shortcut "none" needs death_rate 0`: {{"death_rate", "0.5"}},
		`shortcut "none" is for convolutional networks`: {{"block", "transformer"}, {"depth", "4"}},
	} {
		r := small(t)
		for _, set := range append([][2]string{{"shortcut", "none"}, {"form", "resnet"}, {"death_rate", "0"}}, settings...) {
			require.NoError(t, r.Set(set[0], set[1]))
		}
		if err := r.Validate(); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
