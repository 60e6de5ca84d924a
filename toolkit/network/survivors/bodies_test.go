package survivors_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/survivors/byhand"
)

var update = flag.Bool("update", false, "write the table of the bodies that package kernels computes")

const tableOfBodies = "../kernels/bodies.txt"

// callPattern finds the bodies that package proxy replaced.
var callPattern = regexp.MustCompile(`\^body\(.*\n%block_call`)

// programs writes programs of several sizes, and returns those with loops as they are before package
// proxy changes them.
func programs(t *testing.T) (texts []string) {
	b := backendtest.Open(t)
	if proxy.Processor(b.(*xla.Backend).PluginName()) == "" {
		t.Skip("this machine has no kernels")
	}
	proxy.Watch(func(program string) (compile bool) {
		if !strings.Contains(program, "stablehlo.while") {
			return true
		}
		texts = append(texts, program)
		return false
	})
	defer proxy.Watch(nil)
	for _, c := range []struct {
		layers, batch                            int
		training, recompute, inverted, perSample bool
	}{
		{8, 1, true, false, false, false},
		{14, 32, true, false, false, false}, // as many images as pixels of a row
		{14, 16, true, true, false, false},
		{20, 3, true, true, false, false},
		{8, 1, false, false, false, false},
		{14, 128, false, false, false, false},
		{14, 5, true, false, true, false},
		{20, 16, true, true, true, false},
		{14, 32, true, false, false, true},
		{14, 16, true, true, false, true},
		{20, 3, true, false, true, true},
		{14, 64, true, true, true, true},
	} {
		n := network(t, c.layers, dtypes.Float32)
		n.Inverted = c.inverted
		gates := []int{len(n.Survival)}
		if c.perSample {
			gates = []int{c.batch, len(n.Survival)}
		}
		store := model.NewStore()
		require.NoError(t, n.Initialize(store, 7))
		exec := model.MustNewExec(b, store, func(scope *model.Scope, images, gates, labels *Node) []*Node {
			scope.Store().SetTraining(images.Graph(), c.training)
			logits := n.ForwardIn(byhand.Form{Recompute: c.recompute}, scope, images, gates)
			if !c.training {
				return []*Node{logits}
			}
			return scope.BuildTrainableVariablesGradientsGraph(crossEntropy(logits, labels))
		})
		_, err := exec.Compile(shapes.Make(dtypes.Float32, rgb.Batch(c.batch)...),
			shapes.Make(dtypes.Float32, gates...), shapes.Make(dtypes.Int32, c.batch))
		require.Error(t, err)
	}
	require.Len(t, texts, 12)
	return texts
}

// TestBodies compares what the loops' bodies are, whatever the sizes, with the table of those that package
// kernels has C code for. With -update it writes the table: first change the C code as you changed the loop.
func TestBodies(t *testing.T) {
	found := make(map[string]string) // what, by digest
	texts := programs(t)
	for _, program := range texts {
		for _, body := range proxy.Bodies(program) {
			found[body.Digest] = body.What
		}
	}
	lines := make([]string, 0, len(found))
	for digest, what := range found {
		lines = append(lines, digest+" "+what+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[33:], b[33:]) })
	table := "# The loops' bodies that the C code computes. Written by: go test ./toolkit/network/survivors -run Bodies -update\n" + strings.Join(lines,
		"")
	if *update {
		require.NoError(t, os.WriteFile(tableOfBodies, []byte(table), 0o644))
		t.Skip("wrote the table: run the tests again, which compare the C code's results")
	}
	written, err := os.ReadFile(tableOfBodies)
	require.NoError(t, err)
	require.Equal(t, string(written), table, "a loop's body has changed, and XLA computes it now, slower: see the comment of this test")

	for _, program := range texts {
		bodies := proxy.Bodies(program)
		require.Len(t, bodies, strings.Count(program, "stablehlo.while"))
		rewritten, calls := proxy.Rewrite(program)
		require.GreaterOrEqual(t, calls, len(bodies))
		require.Len(t, callPattern.FindAllString(rewritten, -1), len(bodies))
	}

	// A changed body stays as it is.
	tried := make(map[string]int)
	for _, program := range texts {
		bodies := proxy.Bodies(program)
		var untried []int
		for i, body := range bodies {
			require.True(t, body.Known, "%s %d", body.What, i)
			if tried[body.What] == 0 && !slices.ContainsFunc(untried, func(other int) bool { return bodies[other].What == body.What }) {
				untried = append(untried, i)
			}
		}
		for name, change := range map[string][2]string{
			"another epsilon":         {`epsilon = 9.999999747378752e-06`, `epsilon = 1.0e-03`},
			"a swapped ReLU":          {`"stablehlo.maximum"`, `"stablehlo.minimum"`},
			"another ReLU's gradient": {`comparison_direction GT`, `comparison_direction GE`},
			"another condition":       {`comparison_direction LT`, `comparison_direction LE`},
			"another operation":       {`"stablehlo.add"(`, `"stablehlo.multiply"(`},
			"another padding":         {`dense<[[1, 1], [1, 1]]>`, `dense<[[0, 2], [1, 1]]>`},
			"another stride":          {`rhs_dilation = array<i64: 1, 1>`, `rhs_dilation = array<i64: 2, 1>`},
			"another constant":        {`dense<0.0>`, `dense<1.0>`},
			"another of the packed":   {`start_indices = array<i64: 1, 0>`, `start_indices = array<i64: 2, 0>`},
			"another width":           {`dense<0.03125>`, `dense<0.0625>`},
			"another parameter":       {`block_affine, %`, `block_statistics, %`},
			"more operations": {`"stablehlo.return"(`,
				`%99999 = "stablehlo.negate"(%99998) : (tensor<f32>) -> tensor<f32>` + "\n" + `"stablehlo.return"(`},
			"fewer dimensions summed": {`feature_index = 1`, `feature_index = 0`},
		} {
			other, changed := program, make(map[int]bool)
			for _, i := range slices.Backward(untried) { // from the end, so that the places of the others stay
				text := program[bodies[i].Start:bodies[i].End]
				if next := strings.Replace(text, change[0], change[1], 1); next != text {
					other, changed[i] = other[:bodies[i].Start]+next+other[bodies[i].End:], true
					tried[bodies[i].What]++
				}
			}
			if len(changed) == 0 {
				continue
			}
			for i, body := range proxy.Bodies(other) {
				require.Equal(t, !changed[i], body.Known, "%s, %s", body.What, name)
			}
			rewritten, _ := proxy.Rewrite(other)
			require.Len(t, callPattern.FindAllString(rewritten, -1), len(bodies)-len(changed), name)
			require.NotContains(t, rewritten, "stochdepth_memory", "%s: a changed loop may read zeros", name)
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Values(found)), slices.Collect(maps.Keys(tried)))
	for what, changes := range tried {
		require.GreaterOrEqual(t, changes, 4, what)
	}
	t.Log(fmt.Sprint(tried))
}
