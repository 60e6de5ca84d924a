package kernels

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The names that the parameters of a loop's functions begin with say what one turn of it computes; the
// rest of each name says what the parameter is. See package survivors for the states of its loops.
const (
	ForwardBlock  = "forward_block_"
	BackwardBlock = "backward_block_"
	TestBlock     = "test_block_"
	ForwardStem   = "forward_stem_"
	BackwardStem  = "backward_stem_"
)

// bodies says what replaces a loop's body: the function that is called with the loop's parameters, what of
// them it writes, in the order of its results, and how k moves on.
var bodies = map[string]struct {
	function string
	results  []string
	step     string
}{
	ForwardBlock: {"stochdepth_forward", []string{"h", "outputs", "first", "second", "mean1", "variance1", "mean2", "variance2"}, "add"},
	BackwardBlock: {"stochdepth_backward",
		[]string{"dh", "dx", "dkernel1", "dscale1", "doffset1", "dkernel2", "dscale2", "doffset2"}, "subtract"},
	TestBlock:    {"stochdepth_test", []string{"h"}, "add"},
	ForwardStem:  {"stochdepth_stem", []string{"output", "first", "mean", "variance"}, "add"},
	BackwardStem: {"stochdepth_stem_gradient", []string{"dkernel", "dscale", "doffset"}, "subtract"},
}

var (
	bodyPattern   = regexp.MustCompile(`\^body\(%([a-z]+_(?:block|stem)_)k: tensor<i32>, ([^)]*)\) :\n`)
	valuePattern  = regexp.MustCompile(`(%\S+): tensor<(\S+)>`)
	returnPattern = regexp.MustCompile(`(?m)^\s*"stablehlo\.return"\(.*$`)
)

// unset names what is written before anything reads it: it may start as memory of any content.
var unset = []string{
	"%forward_block_outputs", "%forward_block_first", "%forward_block_second", "%forward_stem_output", "%forward_stem_first",
}

var (
	loopPattern   = regexp.MustCompile(`= "stablehlo\.while"\(([^)]*)\) ?\(\{\s*\^cond\(([^)]*)\)`)
	zerosPattern  = `(?m)^(\s*)%s = "stablehlo\.broadcast_in_dim"\(%%\S+\) \{ broadcast_dimensions = array<i64> \} : \(tensor<f32>\) -> tensor<\S+>$`
	updatePattern = `%s = "stablehlo\.dynamic_update_slice"\((%%[^,]+),`
)

// leaveUnset takes away the zeros that forward loops start from.
func leaveUnset(program string) string {
	for number, loop := range loopPattern.FindAllStringSubmatch(program, -1) {
		initial := strings.Split(loop[1], ", ")
		for i, m := range valuePattern.FindAllStringSubmatch(loop[2], -1) {
			if !slices.Contains(unset, m[1]) {
				continue
			}
			zeros := initial[i]
			if update := regexp.MustCompile(fmt.Sprintf(updatePattern, regexp.QuoteMeta(zeros))).FindStringSubmatch(program); update != nil {
				zeros = update[1]
			}
			// Other users of the same zeros need them.
			if len(regexp.MustCompile(regexp.QuoteMeta(zeros)+`\b`).FindAllString(program, 3)) != 2 {
				continue
			}
			program = regexp.MustCompile(fmt.Sprintf(zerosPattern, regexp.QuoteMeta(zeros))).ReplaceAllString(program,
				"${1}"+customCall([]value{{zeros, m[2]}}, "stochdepth_memory", fmt.Sprintf("number = %d : i32", 10*number+i), nil, nil))
		}
	}
	return program
}

// rewriteLoops replaces the bodies of loops over open blocks by calls of one function.
func rewriteLoops(program string) (string, int) {
	calls := 0
	for at := 0; ; {
		found := bodyPattern.FindStringSubmatchIndex(program[at:])
		if found == nil {
			return program, calls
		}
		kind := program[at+found[2] : at+found[3]]
		values := []value{{"%" + kind + "k", "i32"}}
		for _, m := range valuePattern.FindAllStringSubmatch(program[at+found[4]:at+found[5]], -1) {
			values = append(values, value{m[1], m[2]})
		}
		at += found[1]
		end := returnPattern.FindStringIndex(program[at:])
		if end == nil || !supportedBody(kind, values) {
			continue
		}
		calls++
		body := blockCall(kind, values, calls)
		program = program[:at] + body + program[at+end[1]:]
		at += len(body)
	}
}

// supportedBody says whether the C code computes blocks of these shapes and types.
func supportedBody(kind string, values []value) bool {
	types := make(map[string]string)
	for _, v := range values {
		if !strings.HasSuffix(v.of, "f32") && !strings.HasSuffix(v.of, "i32") {
			return false
		}
		types[strings.TrimPrefix(v.name, "%"+kind)] = v.of
	}
	kernel, output := types["kernel1"], types["h"]+types["dh"]
	switch kind {
	case ForwardBlock, BackwardBlock:
		if _, inverted := types["scales"]; inverted {
			return false
		}
	case ForwardStem:
		kernel, output = "1x"+types["kernel"], types["output"]
	case BackwardStem:
		kernel, output = "1x"+types["dkernel"], types["output"]
	case TestBlock:
	default:
		return false
	}
	var count, in, out, batch, height, width, channels int
	n, _ := fmt.Sscanf(kernel, "%dx3x3x%dx%dxf32", &count, &in, &out)
	m, _ := fmt.Sscanf(output, "%dx%dx%dx%dxf32", &batch, &height, &width, &channels)
	if n != 3 || m != 4 || out > mostChannels {
		return false
	}
	if kind == ForwardStem || kind == BackwardStem {
		return in <= widened && tiled(height, width, out)
	}
	return in%16 == 0 && tiled(height, width, out)
}

const (
	mostChannels = 1024 // MOST_CHANNELS of block.h
	widened      = 16   // WIDE of block.c
)

// tiled says whether image.h has tiles for outputs of this size.
func tiled(height, width, out int) bool {
	return out%16 == 0 && (width%16 == 0 || width%8 == 0 && height%2 == 0)
}

// blockCall is the body of a loop that calls one function for its open block and moves on.
func blockCall(kind string, values []value, number int) string {
	of := bodies[kind]
	name := func(of string) string { return fmt.Sprintf("%%block_call%d_%s", number, of) }
	one, next := value{name("1000"), "i32"}, value{name("1001"), "i32"}
	returned := append([]value{next}, values[1:]...)
	var results []value
	var written []int
	for i, v := range values {
		if slices.Contains(of.results, strings.TrimPrefix(v.name, "%"+kind)) {
			returned[i].name = name(fmt.Sprint(len(results)))
			results, written = append(results, returned[i]), append(written, i)
		}
	}
	return fmt.Sprintf(`%s = "stablehlo.constant"() { value = dense<1> : tensor<i32> } : () -> tensor<i32>
%s = "stablehlo.%s"(%s, %s) : (tensor<i32>, tensor<i32>) -> tensor<i32>
%s
"stablehlo.return"(%s) : (%s) -> ()`,
		one.name, next.name, of.step, values[0].name, one.name,
		customCall(results, of.function, "", values, written),
		list(returned, value.nameOf), list(returned, value.tensor))
}
