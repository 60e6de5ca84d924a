package summary

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs/recipes"
)

func preset(t *testing.T, name string, sets ...string) recipes.Recipe {
	t.Helper()
	recipe, err := recipes.Preset(name)
	require.NoError(t, err)
	for i := 0; i < len(sets); i += 2 {
		require.NoError(t, recipe.Set(sets[i], sets[i+1]))
	}
	return recipe
}

func summarise(t *testing.T, recipe recipes.Recipe) Summary {
	t.Helper()
	s, err := Of(recipe, "")
	require.NoError(t, err)
	return s
}

// The paper's 110 layers: 1.7 million parameters, 40.25 of 54 blocks open, 352 minibatches of 45,000 images.
func TestThePapersNetwork(t *testing.T) {
	s := summarise(t, preset(t, "cifar10"))
	require.EqualValues(t, 1_727_962, s.Parameters)
	require.Equal(t, 54, s.Blocks)
	require.InDelta(t, 40.25, s.OpenBlocks, 1e-9)
	require.EqualValues(t, 352, s.StepsPerEpoch)
	require.EqualValues(t, 352*500, s.Steps)
	// The share is nearly that of the open blocks: transitions have a smaller first convolution, and there is a stem.
	require.InDelta(t, 40.25/54, s.Share, 0.002)

	var out bytes.Buffer
	require.NoError(t, s.Write(&out))
	require.Contains(t, out.String(), "cifar10: 110 layers, 54 blocks, linear rule, p_L = 0.5, minibatches of 128 images\n")
	require.Regexp(t, `(?m)^  group1 +\[128, 32, 32, 16\] +18 +16.42 +84,096 +84,934,656$`, out.String())
	require.Regexp(t, `(?m)^  in all +54 +40.25 +1,727,962 +252,887,680$`, out.String())
	require.Contains(t, out.String(), "Training computes 75 % of the multiply-adds")
	require.Contains(t, out.String(), "Steps: 352 an epoch of 45,000 images, 176,000 in all.")
}

// What the optimizer and the averages keep is counted and named.
func TestOptimizers(t *testing.T) {
	paper, adamw := summarise(t, preset(t, "cifar10")), preset(t, "cifar10", "optimizer", "adamw", "learning_rate", "0.001",
		"schedule", "cosine", "ema", "0.999")
	s := summarise(t, adamw)
	require.EqualValues(t, 3*4*1_727_962, paper.ParameterBytes)
	require.EqualValues(t, 5*4*1_727_962, s.ParameterBytes)
	for want, s := range map[string]Summary{
		"are parameters, their gradients and momentum, and ":                                          paper,
		"\nTraining: SGD with momentum 0.9, rate 0.1, divided by 10 after epochs 250 and 375, weight": paper,
		"are parameters, their gradients, two moments and averages, and ":                             s,
		"\nTraining: AdamW, rate 0.001, falling to 0 as a cosine, weight decay 0.0001, averaged":      s,
	} {
		var out bytes.Buffer
		require.NoError(t, s.Write(&out))
		require.Contains(t, out.String(), want)
	}
}

// Eight layers by hand: three blocks, which survive with probability 1 - l/3 times the death rate.
func TestShareByHand(t *testing.T) {
	s := summarise(t, preset(t, "shapes", "depth", "8", "death_rate", "0.6"))
	const full = 9 * 16 * 16 * 32 * 32
	always, blocks := float64(9*3*16*32*32+64*10), []float64{2 * full, 1.5 * full, 1.5 * full}
	want, all := always, always
	for l, b := range blocks {
		want, all = want+b*(1-float64(l+1)/3*0.6), all+b
	}
	require.InDelta(t, want/all, s.Share, 1e-12)
	require.InDelta(t, 0.8+0.6+0.4, s.OpenBlocks, 1e-12)

	require.Equal(t, 1.0, summarise(t, preset(t, "shapes", "death_rate", "0")).Share)
	require.Equal(t, 1.0, summarise(t, preset(t, "shapes", "form", "resnet")).Share, "computes closed blocks too")
	late := summarise(t, preset(t, "shapes", "depth", "8", "death_rate", "0.6",
		"survival_schedule", "late", "schedule_fraction", "0.5"))
	require.InDelta(t, (1+want/all)/2, late.Share, 1e-12, "half the training is at constant depth")
}

// Images of twice the side have four times the pixels, for the arithmetic and the memory, and the same network.
func TestOtherSizesOfImages(t *testing.T) {
	usual, large := summarise(t, preset(t, "shapes")), summarise(t, preset(t, "shapes", "image_size", "64", "resize_size", "80"))
	const linear = 64 * 10
	require.Equal(t, usual.Parameters, large.Parameters)
	require.Equal(t, 4*(usual.MultiplyAdds-linear), large.MultiplyAdds-linear)
	require.Equal(t, 4*usual.KeptBytes, large.KeptBytes)
}

// 1202 layers took 9.7 GB with minibatches of 128, and 3.9 if convolutions are computed again: the least memory is below
// that, but most of it.
func TestMemory(t *testing.T) {
	s := summarise(t, preset(t, "cifar10-1202", "batch_size", "128"))
	total := float64(s.ParameterBytes + s.KeptBytes)
	require.InDelta(t, 9.2e9, total, 0.5e9)
	again := summarise(t, preset(t, "cifar10-1202", "batch_size", "128", "recompute", "true"))
	require.Equal(t, s.KeptBytes, 3*again.KeptBytes)
	bottleneck := summarise(t, preset(t, "cifar10", "block", "bottleneck", "depth", "164"))
	recomputed := summarise(t, preset(t, "cifar10", "block", "bottleneck", "depth", "164", "recompute", "true"))
	require.Equal(t, 2*bottleneck.KeptBytes, 3*recomputed.KeptBytes)
	require.Equal(t, s.KeptBytes, 2*summarise(t, preset(t, "cifar10-1202", "batch_size", "128", "dtype", "bfloat16")).KeptBytes)
	double := summarise(t, preset(t, "cifar10-1202", "batch_size", "128", "dtype", "float64"))
	require.Equal(t, [2]int64{2 * s.ParameterBytes, 2 * s.KeptBytes}, [2]int64{double.ParameterBytes, double.KeptBytes})
}

// With sub-batches every step computes the same share, which the eighths make.
func TestSubBatches(t *testing.T) {
	s := summarise(t, preset(t, "shapes", "gates_per", "subbatch", "rule", "uniform", "death_rate", "0.3",
		"block", "transformer", "depth", "4"))
	require.Equal(t, 3.0, s.OpenBlocks)
	all := summarise(t, preset(t, "shapes", "death_rate", "0", "block", "transformer", "depth", "4"))
	require.Equal(t, 3*all.KeptBytes, 4*s.KeptBytes)
	var out bytes.Buffer
	require.NoError(t, s.Write(&out))
	require.Contains(t, out.String(), "of constant depth in every step: each block computes a part of fixed size of the minibatch, "+
		"75.0 % of it on average.")
}

func TestInvalidRecipe(t *testing.T) {
	recipe := preset(t, "shapes", "depth", "21")
	_, err := Of(recipe, "")
	require.ErrorContains(t, err, "not 6N+2 layers")
}
