//go:build linux && amd64 && cgo && !nokernels

package proxy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A forward loop as go-xla writes it, but shorter: its body has one line, and only what the replacement needs.
const loop = `
    %1 = "stablehlo.broadcast_in_dim"(%0) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<4x128x32x32x16xf32>
    %2 = "stablehlo.dynamic_update_slice"(%1, %h0, %c) : (tensor<4x128x32x32x16xf32>, tensor<1x128x32x32x16xf32>, tensor<i32>) -> tensor<4x128x32x32x16xf32>
    %3, %4, %5, %6 = "stablehlo.while"(%k0, %h0, %w, %2)({
      ^cond(%forward_block_k: tensor<i32>, %forward_block_h: tensor<128x32x32x16xf32>, %forward_block_kernel1: tensor<3x3x3x16x16xf32>, %forward_block_outputs: tensor<4x128x32x32x16xf32>) :
          "stablehlo.return"(%7) : (tensor<i1>) -> ()
    }, {
      ^body(%forward_block_k: tensor<i32>, %forward_block_h: tensor<128x32x32x16xf32>, %forward_block_kernel1: tensor<3x3x3x16x16xf32>, %forward_block_outputs: tensor<4x128x32x32x16xf32>) :
          %8 = "stablehlo.add"(%forward_block_h, %forward_block_h) : (tensor<128x32x32x16xf32>, tensor<128x32x32x16xf32>) -> tensor<128x32x32x16xf32>
          "stablehlo.return"(%9, %8, %forward_block_kernel1, %10) : (tensor<i32>, tensor<128x32x32x16xf32>, tensor<3x3x3x16x16xf32>, tensor<4x128x32x32x16xf32>) -> ()
    }) : (tensor<i32>) -> (tensor<i32>)
`

// knowLoop puts the loop's body into the table for a test.
func knowLoop(t *testing.T) {
	bodies := Bodies(loop)
	require.Len(t, bodies, 1)
	known[bodies[0].Digest] = bodies[0].What
	t.Cleanup(func() { delete(known, bodies[0].Digest) })
}

func TestLoopsAreReplaced(t *testing.T) {
	knowLoop(t)
	program, calls := Rewrite(loop)
	require.Equal(t, 1, calls)
	require.NotContains(t, program, `%8 = "stablehlo.add"`)
	require.Contains(t, program,
		`"stablehlo.custom_call"(%forward_block_k, %forward_block_h, %forward_block_kernel1, %forward_block_outputs) { call_target_name = "stochdepth_forward"`)
	// h and outputs, arguments 1 and 3, are written in place.
	require.Contains(t, program, `output_tuple_indices = [0], operand_index = 1,`)
	require.Contains(t, program, `output_tuple_indices = [1], operand_index = 3,`)
	require.Contains(t, program, `"stablehlo.return"(%block_call1_1001, %block_call1_0, %forward_block_kernel1, %block_call1_1)`)
	// The outputs are not filled with zeros first.
	require.Contains(t, program, `%1 = "stablehlo.custom_call"() { call_target_name = "stochdepth_memory"`)
}

// The name of a program chooses kernels that round factors to bfloat16, in loops and elsewhere.
func TestRoundedProducts(t *testing.T) {
	knowLoop(t)
	outside := `    %11 = "stablehlo.convolution"(%1, %2) {` + plainAttributes + `} : ` +
		`(tensor<2x8x8x16xf32>, tensor<3x3x16x16xf32>) -> tensor<2x8x8x16xf32>` + "\n"
	program, calls := Rewrite("module @" + BF16Products + "Step {\n" + loop + outside)
	require.Equal(t, 2, calls)
	require.Contains(t, program, `call_target_name = "stochdepth_forward_rounded"`)
	require.Contains(t, program, `call_target_name = "stochdepth_convolve_rounded"`)
}

func TestOtherLoopsStay(t *testing.T) {
	knowLoop(t)
	for name, change := range map[string][2]string{
		"float64":            {"f32", "f64"},
		"odd channels":       {"16xf32", "20xf32"},
		"another name":       {"forward_block", "my_block"},
		"inverted scaling":   {"%forward_block_kernel1", "%forward_block_scales: tensor<3xf32>, %forward_block_kernel1"},
		"images of odd size": {"32x32", "30x30"},
		"another body":       {`"stablehlo.add"(`, `"stablehlo.multiply"(`},
		"another rank":       {"outputs: tensor<4x128x32x32x16xf32>", "outputs: tensor<4x1x128x32x32x16xf32>"},
		"another length":     {"outputs: tensor<4x", "outputs: tensor<3x"},
		"another type":       {"outputs: tensor<4x128x32x32x16xf32>", "outputs: tensor<4x128x32x32x16xi32>"},
	} {
		t.Run(name, func(t *testing.T) {
			program := strings.ReplaceAll(loop, change[0], change[1])
			got, calls := Rewrite(program)
			require.Zero(t, calls)
			require.Equal(t, program, got)
		})
	}
}

// A body's digest does not depend on the sizes that the kernels accept as they are.
func TestSizesDoNotCount(t *testing.T) {
	knowLoop(t)
	for name, change := range map[string][2]string{
		"minibatch": {"128x32x32", "1x32x32"}, "side": {"32x32", "16x16"}, "channels": {"16xf32", "64xf32"}, "numbers": {"%8", "%18"},
	} {
		program := strings.ReplaceAll(loop, change[0], change[1])
		if name == "channels" {
			program = strings.ReplaceAll(program, "x16x64xf32", "x64x64xf32")
		}
		_, calls := Rewrite(program)
		require.Equal(t, 1, calls, name)
	}
}

// A body that XLA computes may read what the others would leave unset.
func TestZerosOfOtherBodiesStay(t *testing.T) {
	knowLoop(t)
	program, calls := Rewrite(loop + strings.ReplaceAll(loop, `"stablehlo.add"(`, `"stablehlo.multiply"(`))
	require.Equal(t, 1, calls)
	require.NotContains(t, program, "stochdepth_memory")
}

func TestZerosOfOthersStay(t *testing.T) {
	knowLoop(t)
	program, _ := Rewrite(loop + `    %11 = "stablehlo.add"(%1, %1)` + "\n")
	require.NotContains(t, program, "stochdepth_memory")
}

// A training step writes new variables over old ones of the same type; other programs keep the old ones.
func TestVariablesAreUpdatedInPlace(t *testing.T) {
	const step = `
  func.func @main(%arg0: tensor<4xf32>, %_network_a: tensor<4xf32>, %_network_b: tensor<2x4xf32>, %_network_c: tensor<4xf32>, %_optimizer_velocity_network_a: tensor<4xf32>, %_global_step: tensor<i64>) -> (tensor<4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<f32>) {
`
	require.Equal(t, `
  func.func @main(%arg0: tensor<4xf32>, %_network_a: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %_network_b: tensor<2x4xf32> {tf.aliasing_output = 1 : i32}, %_network_c: tensor<4xf32> {tf.aliasing_output = 2 : i32}, %_optimizer_velocity_network_a: tensor<4xf32>, %_global_step: tensor<i64>) -> (tensor<4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<f32>) {
`, updateInPlace(step))
	// The state of AdamW and averages are variables too.
	adamw := updateInPlace(`
  func.func @main(%_network_a: tensor<4xf32>, %_optimizer_moment1_network_a: tensor<4xf32>, %_optimizer_updates_network_a: tensor<f32>, %_average_network_a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<4xf32>) {
`)
	require.Contains(t, adamw, `_moment1_network_a: tensor<4xf32> {tf.aliasing_output = 1 : i32}`)
	require.Contains(t, adamw, `_average_network_a: tensor<4xf32> {tf.aliasing_output = 3 : i32}`)
	evaluation := strings.ReplaceAll(step, "_optimizer_velocity", "_other")
	require.Equal(t, evaluation, updateInPlace(evaluation))
}
