package depth_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/depth"
)

func TestBlocksPerGroup(t *testing.T) {
	for layers, n := range map[int]int{8: 1, 20: 3, 56: 9, 110: 18, 152: 25, 1202: 200} {
		got, err := depth.BlocksPerGroup(layers)
		require.NoError(t, err)
		require.Equal(t, n, got)
		require.Equal(t, layers, depth.Layers(n))
	}
	for layers, want := range map[int]string{
		21:  "depth 21 is not 6N+2 layers: the nearest are 20 and 26",
		109: "depth 109 is not 6N+2 layers: the nearest are 104 and 110",
		2:   "depth 2 is not 6N+2 layers: the nearest is 8",
		-7:  "depth -7 is not 6N+2 layers: the nearest is 8",
	} {
		_, err := depth.BlocksPerGroup(layers)
		require.EqualError(t, err, want)
	}
}

// The paper's numbers: Section 3 (40 of 54 blocks, (3L-1)/4), Section 4 (p_L = 0.2).
func TestExpectedOpen(t *testing.T) {
	for _, c := range []struct {
		blocks    int
		deathRate float64
		want      float64
	}{{9, 0.5, 6.5}, {54, 0.5, 40.25}, {54, 0.8, 32}, {75, 0.5, 56}, {600, 0.5, 449.75}} {
		require.InDelta(t, c.want, depth.Linear(c.blocks, c.deathRate).ExpectedOpen(), 1e-9)
	}
	require.InDelta(t, 27, depth.Uniform(54, 0.5).ExpectedOpen(), 1e-9)
	require.InDelta(t, math.Sqrt(54*0.25), depth.Uniform(54, 0.5).OpenDeviation(), 1e-9)
}

func TestLinear(t *testing.T) {
	p := depth.Linear(5, 0.5)
	require.InDeltaSlice(t, []float64{0.9, 0.8, 0.7, 0.6, 0.5}, []float64(p), 1e-12) // Fig. 2
	require.False(t, p.IsConstant())
	require.True(t, depth.Constant(5).IsConstant())
}

// The rules of other libraries, as their networks of 16 residual blocks have them at a nominal rate of 0.2: timm's resnet50,
// and the 16 blocks of torchvision's efficientnet_b0.
func TestLinearRulesOfLibraries(t *testing.T) {
	for rule, want := range map[string][]float64{ // of the first, second, ninth and last block
		"linear":           {0.9875, 0.975, 0.8875, 0.8},
		"linear-from-zero": {1, 1 - 0.2/15, 1 - 0.2*8/15, 0.8},
		"linear-short":     {1, 0.9875, 0.9, 0.8125},
	} {
		p, err := depth.ByRule(rule, []int{3, 4, 6, 3}, 0.2, nil)
		require.NoError(t, err)
		require.InDeltaSlice(t, want, []float64{p[0], p[1], p[8], p[15]}, 1e-12, rule)
	}
	require.Equal(t, depth.Survival{1}, depth.LinearFromZero(1, 0.5))
}

// The rule of TensorFlow's ResNets, in ResNet-50's groups: 2/5, 3/5, 4/5 and all of the nominal rate.
func TestStagewise(t *testing.T) {
	p, err := depth.ByRule("stagewise", []int{3, 4, 6, 3}, 0.2, nil)
	require.NoError(t, err)
	want := []float64{0.92, 0.92, 0.92, 0.88, 0.88, 0.88, 0.88, 0.84, 0.84, 0.84, 0.84, 0.84, 0.84, 0.8, 0.8, 0.8}
	require.InDeltaSlice(t, want, []float64(p), 1e-12)
	require.InDeltaSlice(t, []float64{0.75, 0.625, 0.5}, []float64(depth.Stagewise([]int{1, 1, 1}, 0.5)), 1e-12)
	require.Equal(t, depth.Uniform(12, 0.5), depth.Stagewise([]int{12}, 0.5))
}

// The scales 1 - p_l of torchtune's get_scale for five layers, one of them the last: exp, log, sin, sigmoid; and the step.
func TestCurves(t *testing.T) {
	for rule, want := range map[string][]float64{
		"exponential": {0, 0.18920711500272103, 0.41421356237309515, 0.681792830507429, 1},
		"logarithmic": {0, 0.43067655807339306, 0.6826061944859854, 0.8613531161467861, 1},
		"sigmoid":     {0.0066928509242848554, 0.07585818002124355, 0.5, 0.9241418199787566, 1},
		"sine":        {0, 0.3826834323650898, 0.7071067811865475, 0.9238795325112867, 1},
		"square":      {0, 0.0625, 0.25, 0.5625, 1},
		"step":        {0, 0, 0, 0, 1},
	} {
		require.Contains(t, depth.Rules(), rule)
		p, err := depth.ByRule(rule, []int{2, 3}, 0.5, nil)
		require.NoError(t, err)
		for i, scale := range want {
			require.InDelta(t, 1-0.5*scale, p[i], 1e-12, "%s, block %d", rule, i+1)
		}
		require.Equal(t, depth.Survival{0.5}, depth.Curve(rule, 1, 0.5), "torchtune closes a single layer too")
	}
}

func TestGroupsOf(t *testing.T) {
	for _, c := range []struct {
		block  string
		layers int
		want   []int
	}{{"basic", 110, []int{18, 18, 18}}, {"mine", 8, []int{1, 1, 1}}, {"bottleneck", 164, []int{18, 18, 18}},
		{"transformer", 12, []int{12}}} {
		groups, err := depth.GroupsOf(c.block, c.layers)
		require.NoError(t, err)
		require.Equal(t, c.want, groups)
	}
	_, err := depth.GroupsOf("transformer", 0)
	require.EqualError(t, err, "depth 0: a transformer has one block at least")
	_, err = depth.GroupsOf("bottleneck", 26)
	require.ErrorContains(t, err, "depth 26 is not 9N+2 layers")
}

func TestByRule(t *testing.T) {
	for _, c := range []struct {
		rule string
		rate float64
		list []float64
		want string
	}{
		{"linear", 1, nil, "death rate 1 is outside [0, 1)"},
		{"linear", math.NaN(), nil, "death rate NaN is outside"},
		{"sometimes", 0.5, nil, `unknown survival rule "sometimes"`},
		{"list", 0, []float64{1}, "1 survival probabilities, the network has 2 blocks"},
		{"list", 0, []float64{1, 0}, "of block 2 is 0"},
	} {
		_, err := depth.ByRule(c.rule, []int{2}, c.rate, c.list)
		require.ErrorContains(t, err, c.want)
	}
	p, err := depth.ByRule("list", []int{1, 1}, 0, []float64{1, 0.25})
	require.NoError(t, err)
	require.Equal(t, depth.Survival{1, 0.25}, p)
}

// Each gate is open with its probability, and the number of open blocks has the expectation and
// deviation of the formulas: within four standard errors over 20,000 minibatches.
func TestDrawStatistics(t *testing.T) {
	const draws = 20000
	p := depth.Linear(54, 0.5)
	opened := make([]float64, len(p))
	var sum, squares float64
	for step := range int64(draws) {
		gates := p.Draw(depth.Rand(1, depth.GateDraws, step))
		for i, open := range gates {
			if open {
				opened[i]++
			}
		}
		n := float64(gates.Open())
		sum, squares = sum+n, squares+n*n
	}
	for i, v := range p {
		require.InDelta(t, v, opened[i]/draws, 4*math.Sqrt(v*(1-v)/draws)+1e-12, "block %d", i+1)
	}
	mean := sum / draws
	require.InDelta(t, p.ExpectedOpen(), mean, 4*p.OpenDeviation()/math.Sqrt(draws))
	require.InDelta(t, p.OpenDeviation(), math.Sqrt(squares/draws-mean*mean), 4*p.OpenDeviation()/math.Sqrt(2*draws))
}

// Gates of different blocks, minibatches, seeds and streams are independent: correlations stay within
// five standard errors.
func TestStreamsAreIndependent(t *testing.T) {
	const draws = 20000
	series := map[string]func(i int64) float64{
		"seed 1":      func(i int64) float64 { return depth.Rand(1, depth.GateDraws, i).Float64() },
		"seed 2":      func(i int64) float64 { return depth.Rand(2, depth.GateDraws, i).Float64() },
		"next step":   func(i int64) float64 { return depth.Rand(1, depth.GateDraws, i+1).Float64() },
		"other":       func(i int64) float64 { return depth.Rand(1, depth.Augmentation, i).Float64() },
		"second draw": func(i int64) float64 { r := depth.Rand(1, depth.GateDraws, i); r.Float64(); return r.Float64() },
	}
	first := series["seed 1"]
	for name, other := range series {
		if name == "seed 1" {
			continue
		}
		var product float64
		for i := range int64(draws) {
			product += (first(i) - 0.5) * (other(i) - 0.5)
		}
		require.InDelta(t, 0, 12*product/draws, 5/math.Sqrt(draws), name)
	}
	require.Equal(t, depth.Rand(7, depth.Shuffling, 3).Perm(10), depth.Rand(7, depth.Shuffling, 3).Perm(10))
}

func ExampleLinear() {
	p := depth.Linear(54, 0.5)
	fmt.Printf("p_1 = %.3f, p_L = %.1f, %.2f of %d blocks open on average\n", p[0], p[53], p.ExpectedOpen(), len(p))
	// Output: p_1 = 0.991, p_L = 0.5, 40.25 of 54 blocks open on average
}

func TestGatesAsText(t *testing.T) {
	require.Equal(t, "■ · ■", depth.Gates{true, false, true}.String())
	require.Equal(t, "", depth.Gates{}.String())
}
