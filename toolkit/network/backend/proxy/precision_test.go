package proxy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// convolution and product are statements as go-xla writes them, for elements of a type.
func convolution(element, precision string) string {
	return `    %3 = "stablehlo.convolution"(%1, %2) {
      batch_group_count = 1 : i64,
      dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,
      padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>,
      precision_config = [#stablehlo<precision ` + precision + `>, #stablehlo<precision ` + precision + `>],
      window_strides = array<i64: 1, 1>
    } : (tensor<2x8x8x16x` + element + `>, tensor<3x3x16x16x` + element + `>) -> tensor<2x8x8x16x` + element + `>
`
}

func product(element, precision string) string {
	return `    %4 = "stablehlo.dot_general"(%3, %arg1) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [],
  rhs_batching_dimensions = [],
  lhs_contracting_dimensions = [1],
  rhs_contracting_dimensions = [0]
>,
      precision_config = [#stablehlo<precision ` + precision + `>, #stablehlo<precision ` + precision + `>]
    } : (tensor<16x128x` + element + `>, tensor<128x256x` + element + `>) -> tensor<16x256x` + element + `>
`
}

func TestFloat32IsFloat32OnGPUs(t *testing.T) {
	program := "module @Store_Exec {\n" + convolution("f32", "DEFAULT") + product("f32", "DEFAULT") +
		convolution("bf16", "DEFAULT") + product("f64", "DEFAULT") + convolution("f32", "DEFAULT") + "}\n"
	want := "module @Store_Exec {\n" + convolution("f32", "HIGHEST") + product("f32", "HIGHEST") +
		convolution("bf16", "DEFAULT") + product("f64", "DEFAULT") + convolution("f32", "HIGHEST") + "}\n"
	require.Equal(t, want, RewriteForGPU(program))

	chosen := strings.Replace(program, "@Store", "@"+TF32+"Store", 1)
	require.Equal(t, chosen, RewriteForGPU(chosen))
}

func TestStepsUpdateInPlaceOnGPUs(t *testing.T) {
	program := `module @step {
  func.func @main(%_network_w: tensor<3xf32>, %_optimizer_velocity_w: tensor<3xf32>, %labels: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
`
	require.Contains(t, RewriteForGPU(program),
		`%_network_w: tensor<3xf32> {tf.aliasing_output = 0 : i32}, `+
			`%_optimizer_velocity_w: tensor<3xf32> {tf.aliasing_output = 1 : i32}, %labels: tensor<3xf32>)`)
	shared := strings.Replace(program, "{\n", "{\n  sdy.mesh @mesh = <[\"batch\"=2]>\n", 1)
	require.Equal(t, shared, RewriteForGPU(shared))
}
