package proxy

import (
	"fmt"
	"regexp"
	"strings"

	"stochdepth/toolkit/network/kernels"
)

// Rewrite returns a StableHLO program, in the text that go-xla writes, with calls of the kernels' functions in place of the
// loops and convolutions that they can compute, and the number of these calls. Everything else stays as it is, and so does a
// program for several devices: XLA divides convolutions, but not our calls.
func Rewrite(program string) (string, int) {
	if strings.Contains(program, "sdy.mesh") {
		return program, 0
	}
	suffix := ""
	if strings.HasPrefix(program, "module @"+BF16Products) {
		suffix = "_rounded"
	}
	program, calls, all := rewriteLoops(program, suffix)
	program = updateInPlace(leaveUnset(program, calls > 0 && all))
	program, sums := rewriteSums(program)
	calls += sums
	defined := make(map[string]transposition)
	for _, m := range transposePattern.FindAllStringSubmatch(program, -1) {
		defined[m[1]] = transposition{operand: m[2], axes: m[3], shape: m[4]}
	}
	type operands struct{ x, dy transposition }
	gradients := make(map[string]operands) // by the name of the convolution
	for _, match := range convPattern.FindAllString(program, -1) {
		m := groups(convPattern, match)
		x, dy := defined[m["x"]], defined[m["w"]]
		if plain(m["attributes"]) && x.axes == "3, 1, 2, 0" && dy.axes == "1, 2, 0, 3" && supported(x.shape, dy.shape, true) {
			gradients[m["name"]] = operands{x, dy}
		}
	}
	// The convolution itself has no users left, and XLA leaves it out.
	program = resultPattern.ReplaceAllStringFunc(program, func(match string) string {
		m := groups(resultPattern, match)
		o, ok := gradients[m["operand"]]
		if !ok {
			return match
		}
		calls++
		return call(m["name"], "stochdepth_kernel_gradient"+suffix, o.x.operand, o.dy.operand, o.x.shape, o.dy.shape, m["shape"])
	})
	program = convPattern.ReplaceAllStringFunc(program, func(match string) string {
		m := groups(convPattern, match)
		if !plain(m["attributes"]) || !strings.HasPrefix(m["kernel"], "3x3x") || !supported(m["in"], m["out"], false) {
			return match
		}
		calls++
		return call(m["name"], "stochdepth_convolve"+suffix, m["x"], m["w"], m["in"], m["kernel"], m["out"])
	})
	return program, calls
}

type transposition struct{ operand, axes, shape string }

var (
	transposePattern = regexp.MustCompile(`(%\S+) = "stablehlo\.transpose"\((%[^)\s]+)\) ` +
		`\{ permutation = array<i64: ([0-9, ]+)> \} : \(tensor<(\d+x\d+x\d+x\d+xf32)>\)`)

	convPattern = regexp.MustCompile(`(?P<name>%\S+) = "stablehlo\.convolution"\((?P<x>%\S+), (?P<w>%[^)\s]+)\) ` +
		`\{(?P<attributes>[^{}]*)\} : ` +
		`\(tensor<(?P<in>\d+x\d+x\d+x\d+xf32)>, tensor<(?P<kernel>\d+x\d+x\d+x\d+xf32)>\) -> tensor<(?P<out>\d+x\d+x\d+x\d+xf32)>`)

	// The transposition of a convolution that computes the gradient of a kernel, in packages byhand and resnet.
	resultPattern = regexp.MustCompile(`(?P<name>%\S+) = "stablehlo\.transpose"\((?P<operand>%[^)\s]+)\) ` +
		`\{ permutation = array<i64: 1, 2, 0, 3> \} : \(tensor<[^>]*>\) -> tensor<(?P<shape>3x3x\d+x\d+xf32)>`)
)

func groups(pattern *regexp.Regexp, match string) map[string]string {
	found := make(map[string]string)
	for i, text := range pattern.FindStringSubmatch(match) {
		if name := pattern.SubexpNames()[i]; name != "" {
			found[name] = text
		}
	}
	return found
}

// plain reports whether a convolution has stride 1, padding 1 and the standard order of axes.
func plain(attributes string) bool {
	return strings.Join(strings.Fields(attributes), " ") == plainAttributes
}

const plainAttributes = `batch_group_count = 1 : i64, ` +
	`dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>, ` +
	`feature_group_count = 1 : i64, lhs_dilation = array<i64: 1, 1>, ` +
	`padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>, ` +
	`precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>], ` +
	`rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, false>, window_strides = array<i64: 1, 1>`

// supported reports whether the C code computes a convolution of these shapes, "128x32x32x16xf32", or the gradient of its
// kernel.
func supported(x, y string, gradient bool) bool {
	var batch, height, width, in, out int
	if n, _ := fmt.Sscanf(x, "%dx%dx%dx%dxf32", &batch, &height, &width, &in); n != 4 {
		return false
	}
	if n, _ := fmt.Sscanf(y, fmt.Sprintf("%dx%dx%dx%%dxf32", batch, height, width), &out); n != 1 {
		return false
	}
	return kernels.Tiled(height, width, out) && (!gradient || in%16 == 0)
}

// call returns a statement that calls a function of two arrays.
func call(name, function, a, b, shapeA, shapeB, shape string) string {
	return customCall([]value{{name, shape}}, function, "", []value{{a, shapeA}, {b, shapeB}}, nil)
}

// customCall returns a statement that calls a function. config distinguishes calls that must not be merged into one.
// written lists, for each result, the number of the argument in whose memory it is; nil: new memory.
func customCall(results []value, function, config string, arguments []value, written []int) string {
	var aliases []string
	for i, argument := range written {
		tuple := ""
		if len(results) > 1 {
			tuple = fmt.Sprint(i)
		}
		aliases = append(aliases, fmt.Sprintf("#stablehlo.output_operand_alias<output_tuple_indices = [%s], "+
			"operand_index = %d, operand_tuple_indices = []>", tuple, argument))
	}
	return fmt.Sprintf(`%s = "stablehlo.custom_call"(%s) { call_target_name = %q, api_version = 4 : i32, backend_config = {%s}, `+
		`operand_layouts = [%s], result_layouts = [%s], output_operand_aliases = [%s] } : (%s) -> (%s)`,
		list(results, value.nameOf), list(arguments, value.nameOf), function, config,
		list(arguments, value.layout), list(results, value.layout), strings.Join(aliases, ", "),
		list(arguments, value.tensor), list(results, value.tensor))
}

// value is an array of the program: its name, "%forward_block_h", and its type, "128x32x32x16xf32".
type value struct{ name, shape string }

func (v value) nameOf() string { return v.name }
func (v value) tensor() string { return "tensor<" + v.shape + ">" }

// layout is row-major.
func (v value) layout() string {
	rank := strings.Count(v.shape, "x")
	if rank == 0 {
		return "dense<> : tensor<0xindex>"
	}
	axes := make([]string, rank)
	for i := range axes {
		axes[i] = fmt.Sprint(rank - 1 - i)
	}
	return fmt.Sprintf("dense<[%s]> : tensor<%dxindex>", strings.Join(axes, ", "), rank)
}

// list joins the texts of the values.
func list(values []value, text func(value) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = text(v)
	}
	return strings.Join(parts, ", ")
}
