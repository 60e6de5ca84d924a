package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/kernels"
)

// bodies says what replaces a loop's body: the function that is called with the loop's parameters, those parameters that
// it writes, in the order of its results, and the operation that moves k on.
var bodies = map[string]struct {
	function string
	results  []string
	step     string
}{
	loopname.ForwardBlock:  {"stochdepth_forward", []string{"h", "outputs", "first", "second", "statistics"}, "add"},
	loopname.BackwardBlock: {"stochdepth_backward", []string{"dh", "dx", "dkernel1", "dkernel2", "daffine"}, "subtract"},
	loopname.TestBlock:     {"stochdepth_test", []string{"h"}, "add"},
	loopname.ForwardStem:   {"stochdepth_stem", []string{"output", "first", "mean", "variance"}, "add"},
	loopname.BackwardStem:  {"stochdepth_stem_gradient", []string{"dkernel", "dscale", "doffset"}, "subtract"},
}

var (
	bodyPattern   = regexp.MustCompile(`\^body\(%([a-z]+_(?:block|stem)_)k: tensor<i32>, ([^)]*)\) :\n`)
	valuePattern  = regexp.MustCompile(`(%\S+): tensor<(\S+)>`)
	returnPattern = regexp.MustCompile(`(?m)^\s*"stablehlo\.return"\(.*$`)
)

// unset names the values that the kernels write before they read them: they may start as memory of any content. unsetByXLA does
// so for loops that XLA computes: the rows that package survivors saves, of which the backward loop reads those that were written.
var unset = []string{
	"%" + loopname.ForwardBlock + "outputs", "%" + loopname.ForwardBlock + "first", "%" + loopname.ForwardBlock + "second",
	"%" + loopname.ForwardStem + "output", "%" + loopname.ForwardStem + "first",
}

var unsetByXLA = regexp.MustCompile(`^%` + loopname.ForwardResidual + `(inputs|kept_\d+)$`)

var (
	loopPattern  = regexp.MustCompile(`= "stablehlo\.while"\(([^)]*)\) ?\(\{\s*\^cond\(([^)]*)\)`)
	zerosPattern = `(?m)%s = "stablehlo\.broadcast_in_dim"\(%%\S+\) \{ broadcast_dimensions = array<i64> \} : ` +
		`\(tensor<f32>\) -> tensor<\S+>$`
	updatePattern = `%s = "stablehlo\.dynamic_update_slice"\((%%[^,]+),`
)

// leaveUnset removes the zeros that forward loops start from; those of package byhand only if the kernels compute all its loops in
// the program: another body may read values that were not written.
func leaveUnset(program string, byKernels bool) string {
	for number, loop := range loopPattern.FindAllStringSubmatch(program, -1) {
		initial := strings.Split(loop[1], ", ")
		for i, m := range valuePattern.FindAllStringSubmatch(loop[2], -1) {
			if !unsetByXLA.MatchString(m[1]) && !(byKernels && slices.Contains(unset, m[1])) {
				continue
			}
			zeros := initial[i]
			update := regexp.MustCompile(fmt.Sprintf(updatePattern, regexp.QuoteMeta(zeros)))
			if m := update.FindStringSubmatch(program); m != nil {
				zeros = m[1]
			}
			// If the same zeros have other users, they stay.
			if len(regexp.MustCompile(regexp.QuoteMeta(zeros)+`\b`).FindAllString(program, 3)) != 2 {
				continue
			}
			program = regexp.MustCompile(fmt.Sprintf(zerosPattern, regexp.QuoteMeta(zeros))).ReplaceAllString(program,
				customCall([]value{{zeros, m[2]}}, "stochdepth_memory", fmt.Sprintf("number = %d : i32", 100*number+i), nil, nil))
		}
	}
	return program
}

// loopText is a loop of package byhand in the text of a program.
type loopText struct {
	kind                          string
	values                        []value // its parameters
	condition, start, inside, end int     // where its condition, its body and the body's operations begin, and where these end
	supported                     bool    // whether the C code supports the types and sizes of the parameters

	batch, height, width, stride, in, out, count int
	recompute, scaled, perSample                 bool
}

// loopsOf finds the loops of package byhand, whatever their bodies are.
func loopsOf(program string) (loops []*loopText) {
	for at := 0; ; {
		found := bodyPattern.FindStringSubmatchIndex(program[at:])
		if found == nil {
			return loops
		}
		l := &loopText{kind: program[at+found[2] : at+found[3]], start: at + found[0], inside: at + found[1]}
		l.values = []value{{"%" + l.kind + "k", "i32"}}
		for _, m := range valuePattern.FindAllStringSubmatch(program[at+found[4]:at+found[5]], -1) {
			l.values = append(l.values, value{m[1], m[2]})
		}
		l.condition = at + max(0, strings.LastIndex(program[at:l.start], "^cond("))
		at = l.inside
		if end := returnPattern.FindStringIndex(program[at:]); end != nil {
			l.end = at + end[1]
			l.supported = l.measure()
			loops = append(loops, l)
		}
	}
}

// stem reports whether the loop is one of the stem's.
func (l *loopText) stem() bool {
	return l.kind == loopname.ForwardStem || l.kind == loopname.BackwardStem
}

// what distinguishes the loop from loops with other C code.
func (l *loopText) what() string {
	what := fmt.Sprintf("%s stride %d recompute %t", strings.TrimSuffix(l.kind, "_"), l.stride, l.recompute)
	if l.count == 1 && l.stride == 1 && !l.stem() {
		what += " only block"
	}
	if l.scaled {
		what += " scaled"
	}
	if l.perSample {
		what += " per sample"
	}
	return what
}

// rewriteLoops replaces the bodies of loops by calls, each of one function, whose name ends in the suffix. It returns the number
// of calls, and whether it replaced all bodies.
func rewriteLoops(program, suffix string) (rewritten string, calls int, all bool) {
	all = true
	var b strings.Builder
	at := 0
	for _, l := range loopsOf(program) {
		if !l.supported || known[l.digest(program)] == "" {
			all = false
			continue
		}
		calls++
		b.WriteString(program[at:l.inside])
		b.WriteString(blockCall(l, calls, suffix))
		at = l.end
	}
	b.WriteString(program[at:])
	return b.String(), calls, all
}

// measure takes the sizes from the parameters' types, and reports whether the C code supports them: every parameter must
// have the type that follows from the sizes.
func (l *loopText) measure() bool {
	types := make(map[string]string)
	for _, v := range l.values {
		types[strings.TrimPrefix(v.name, "%"+l.kind)] = v.shape
	}
	kernel, output, input := types["kernel1"], types["h"], types["x"]
	switch l.kind {
	case loopname.ForwardBlock, loopname.TestBlock:
	case loopname.BackwardBlock:
		output = types["dh"]
	case loopname.ForwardStem:
		kernel, output, input = "1x"+types["kernel"], types["output"], types["images"]
	case loopname.BackwardStem:
		kernel, output, input = "1x"+types["dkernel"], types["output"], types["images"]
	default:
		return false
	}
	var inputHeight int
	n, _ := fmt.Sscanf(kernel, "%dx3x3x%dx%dxf32", &l.count, &l.in, &l.out)
	m, _ := fmt.Sscanf(output, "%dx%dx%dx", &l.batch, &l.height, &l.width)
	if n != 3 || m != 3 || l.height == 0 || l.out > kernels.MostChannels || !kernels.Tiled(l.height, l.width, l.out) {
		return false
	}
	l.stride = 1
	if k, _ := fmt.Sscanf(input, "%dx%dx", new(int), &inputHeight); k == 2 {
		l.stride = inputHeight / l.height
	} else if l.in != l.out { // a plain block's input is the last output
		return false
	}
	var kept int
	if k, _ := fmt.Sscanf(types["first"], "%dx", &kept); k == 1 && !l.stem() {
		l.recompute = kept < l.count
	}
	l.perSample = types["weights"] != ""
	l.scaled = l.kind != loopname.TestBlock && types["scales"] != ""
	for name, shape := range types {
		if shape != l.typeOf(strings.TrimPrefix(name, "d")) {
			return false
		}
	}
	return l.stem() || l.in%16 == 0
}

// typeOf returns the type of the parameter with this name in a loop of these sizes, or "" if the C code has no such
// parameter.
func (l *loopText) typeOf(name string) string {
	output := []int{l.batch, l.height, l.width, l.out}
	input := []int{l.batch, l.height * l.stride, l.width * l.stride, l.in}
	kept := l.count
	if l.recompute {
		kept = 1
	}
	var dims []int
	switch name {
	case "k", "count":
		return "i32"
	case "order":
		return fmt.Sprintf("%dxi32", l.count)
	case "x", "images":
		dims = input
	case "h", "output":
		dims = output
	case "outputs":
		dims = append([]int{l.count + 1}, output...)
	case "first", "second":
		dims = append([]int{kept}, output...)
		if l.stem() {
			dims = output
		}
	case "kernel1":
		dims = []int{l.count, 3, 3, l.in, l.out}
	case "kernel2":
		dims = []int{l.count, 3, 3, l.out, l.out}
	case "kernel":
		dims = []int{3, 3, l.in, l.out}
	case "affine", "statistics":
		dims = []int{l.count, 4, l.out}
	case "scale", "offset", "mean", "variance":
		dims = []int{l.out}
	case "scales":
		dims = []int{l.count}
	case "weights":
		dims = []int{l.count, l.batch}
	default:
		return ""
	}
	return joined(dims) + "xf32"
}

// blockCall returns the body of a loop that calls one function for its open block and moves k on.
func blockCall(l *loopText, number int, suffix string) string {
	body, values := bodies[l.kind], l.values
	changed := body.results
	if l.kind == loopname.BackwardBlock && l.recompute { // into the memory for one block
		changed = append([]string{"first", "second"}, changed...)
	}
	name := func(suffix string) string { return fmt.Sprintf("%%block_call%d_%s", number, suffix) }
	one, next := value{name("1000"), "i32"}, value{name("1001"), "i32"}
	returned := append([]value{next}, values[1:]...)
	var results []value
	var written []int
	for i, v := range values {
		if slices.Contains(changed, strings.TrimPrefix(v.name, "%"+l.kind)) {
			returned[i].name = name(fmt.Sprint(len(results)))
			results, written = append(results, returned[i]), append(written, i)
		}
	}
	return fmt.Sprintf(`%s = "stablehlo.constant"() { value = dense<1> : tensor<i32> } : () -> tensor<i32>
%s = "stablehlo.%s"(%s, %s) : (tensor<i32>, tensor<i32>) -> tensor<i32>
%s
"stablehlo.return"(%s) : (%s) -> ()`,
		one.name, next.name, body.step, values[0].name, one.name,
		customCall(results, body.function+suffix, "", values, written),
		list(returned, value.nameOf), list(returned, value.tensor))
}
