package doctor

import (
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/proxy"
)

// compile compiles and runs a small convolution, the operation that takes most
// of the time of training (on a GPU it needs cuDNN too), and checks the result:
// a 3x3 kernel of ones on a 4x4 image of ones counts the pixels around each
// pixel, 4 at a corner, 6 at an edge, 9 inside; in all 4*4 + 8*6 + 4*9 = 100.
func compile(b compute.Backend) (string, error) {
	defer proxy.KeepIn(proxy.KeepIn("")) // an executable from an earlier start would not test the compiler
	start := time.Now()
	exec, err := graph.NewExec(b, func(image, kernel *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Convolve(image, kernel).PadSame().Done())
	})
	if err != nil {
		return "", fmt.Errorf("XLA does not take a small program: %w", err)
	}
	defer exec.Finalize()
	results, err := exec.Call(
		[][][][]float32{{{{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}}},
		[][][][]float32{{{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}})
	if err != nil {
		if advice := backend.Explain(err); advice != err {
			return "", fmt.Errorf("a small convolution does not run: %w", advice)
		}
		return "", fmt.Errorf("a small convolution does not run; `make clean setup` installs the plugin again: %w", err)
	}
	if sum := results[0].Value(); sum != float32(100) {
		return "", fmt.Errorf("a small convolution gives %v instead of 100: this plugin and this device do not work together", sum)
	}
	return fmt.Sprintf("a convolution compiled and gave the right result in %.2f s", time.Since(start).Seconds()), nil
}
