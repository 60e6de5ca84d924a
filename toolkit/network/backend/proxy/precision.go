package proxy

import (
	"regexp"
	"strings"
)

// TF32 begins the name of a program whose convolutions may be computed in NVIDIA's TF32: on inputs rounded to 10 bits, with
// sums in float32.
const TF32 = "tf32_"

// BF16Products begins the name of a program in which the kernels round the factors of their 3x3 convolutions to bfloat16, and
// sum in float32. XLA computes everything else as in any other program.
const BF16Products = "bf16_products_"

// RewriteForGPU returns a StableHLO program, in the text that go-xla writes, as it is compiled for a GPU: float32 is
// computed in float32, unless the program's name says otherwise, and a training step's new variables are written into the
// memory of the old ones.
func RewriteForGPU(program string) string {
	if !strings.HasPrefix(program, "module @"+TF32) {
		program = inFullPrecision(program)
	}
	if strings.Contains(program, "sdy.mesh") { // for several devices, see Rewrite
		return program
	}
	return updateInPlace(program)
}

var defaultPrecision = regexp.MustCompile(`("stablehlo\.(?:convolution|dot_general)"\([^)]*\) \{[^{}]*)` +
	`precision DEFAULT>, #stablehlo<precision DEFAULT(>\][^{}]*\} : \(tensor<(?:\d+x)*f32>, tensor<(?:\d+x)*f32>\))`)

// inFullPrecision asks for the highest precision of float32 convolutions and products: on NVIDIA's GPUs the default is
// TF32, and go-xla has no way to choose the precision of convolutions. Other types have one precision only.
func inFullPrecision(program string) string {
	return defaultPrecision.ReplaceAllString(program, "${1}precision HIGHEST>, #stablehlo<precision HIGHEST${2}")
}
