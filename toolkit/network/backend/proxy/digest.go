package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/network/internal/loopname"
	"stochdepth/toolkit/network/kernels"
)

// known has the bodies that the C code computes: what they compute, by their digests.
var known = kernels.Bodies()

// Body is the body of a loop of package byhand in a program to be compiled.
type Body struct {
	What       string // "forward_block stride 1 recompute false"
	Digest     string // of its text, except sizes
	Known      bool   // whether it is in the table, so that a kernel replaces it
	Start, End int    // of its text in the program
}

// Bodies lists the loops' bodies in a program, if the kernels support their types and sizes.
func Bodies(program string) (bodies []Body) {
	for _, l := range loopsOf(program) {
		if l.supported {
			digest := l.digest(program)
			bodies = append(bodies, Body{What: l.what(), Digest: digest, Known: known[digest] != "", Start: l.first(), End: l.end})
		}
	}
	return bodies
}

// first is where the text begins that the digest is made of. In a forward loop that includes the condition, because the
// kernel writes h in the last turn only.
func (l *loopText) first() int {
	if l.kind == loopname.ForwardBlock {
		return l.condition
	}
	return l.start
}

// digest returns a digest of the text of a loop's body. The text is normalised: values are numbered in order of appearance,
// and sizes that the C code accepts as they are do not count. A type keeps its rank and its elements. Sizes that do not
// follow from the operands are compared with what they must be: in reshapes, in slices of stacks, and in constants that
// divide by a size. Everything else, each operation, operand and attribute, stays as it is.
func (l *loopText) digest(program string) string {
	text := program[l.first():l.end]
	text = slicePattern.ReplaceAllStringFunc(text, l.slice)
	text = rowPattern.ReplaceAllStringFunc(text, l.row)
	text = reshapePattern.ReplaceAllStringFunc(text, l.reshape)
	text = scalarPattern.ReplaceAllStringFunc(text, l.scalar)
	text = typePattern.ReplaceAllStringFunc(text, func(match string) string {
		dims, element := dimensions(typePattern.FindStringSubmatch(match)[1])
		return fmt.Sprintf("tensor<%d axes of %s>", len(dims), element)
	})
	numbers := make(map[string]int)
	text = numberPattern.ReplaceAllStringFunc(text, func(name string) string {
		if _, ok := numbers[name]; !ok {
			numbers[name] = len(numbers)
		}
		return fmt.Sprint("%", numbers[name])
	})
	text = strings.Join(strings.Fields(l.what()+" "+text), " ")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

var (
	slicePattern = regexp.MustCompile(`slice_sizes = array<i64: ([0-9, ]+)> \} : \(tensor<([^>]*)>`)
	rowPattern   = regexp.MustCompile(`limit_indices = array<i64: \d+, (\d+)>,` +
		`\s+start_indices = array<i64: \d+, 0>,\s+strides = array<i64: 1, 1>\s+\} : \(tensor<\d+x(\d+)xf32>\)`)
	reshapePattern = regexp.MustCompile(`"stablehlo\.reshape"\((\S+)\) : \(tensor<([^>]*)>\) -> tensor<([^>]*)>`)
	scalarPattern  = regexp.MustCompile(`value = dense<([^>]*)> : tensor<f32>`)
	typePattern    = regexp.MustCompile(`tensor<([^>]*)>`)
	numberPattern  = regexp.MustCompile(`%[0-9]+\b`)
)

// slice replaces the sizes in a slice by "a row" if it is one row of a stack.
func (l *loopText) slice(match string) string {
	m := slicePattern.FindStringSubmatch(match)
	dims, _ := dimensions(m[2])
	if len(dims) > 0 && m[1] == strings.Trim(fmt.Sprint("1, ", strings.ReplaceAll(joined(dims[1:]), "x", ", ")), ", ") {
		return strings.Replace(match, m[1], "a row", 1)
	}
	return match
}

// row replaces the limit of a slice of [rows, channels] by "all" if it has all channels.
func (l *loopText) row(match string) string {
	m := rowPattern.FindStringSubmatch(match)
	if m[1] == m[2] {
		return strings.Replace(match, ", "+m[1]+">", ", all>", 1)
	}
	return match
}

// reshape puts into words how an array is reshaped, or else keeps the sizes.
func (l *loopText) reshape(match string) string {
	m := reshapePattern.FindStringSubmatch(match)
	from, _ := dimensions(m[2])
	to, _ := dimensions(m[3])
	how := ""
	switch {
	case len(from) > 0 && from[0] == 1 && slices.Equal(from[1:], to):
		how = "without the first axis"
	case len(to) > 0 && to[0] == 1 && slices.Equal(to[1:], from):
		how = "with an axis before"
	case len(from) == 1 && slices.Equal(to, []int{from[0], 1, 1, 1}): // never channels: these are at least 16
		how = "a value an image"
	case len(to) == 1: // which is possible in one way only
		how = "flat"
	case len(from) == 4 && slices.Equal(to, []int{from[0] * from[1], from[2] * from[3]}):
		how = "rows of pixels"
	case len(from) == 1 && slices.Equal(to, []int{1, 1, 1, from[0]}):
		how = "an image's channels"
	case len(from) == 1 && slices.Equal(to, []int{l.width, l.out}):
		how = "pixels of a row"
	default:
		return strings.Replace(match, `reshape"`, fmt.Sprintf(`reshape" from %v to %v`, from, to), 1)
	}
	return strings.Replace(match, `reshape"`, `reshape" `+how, 1)
}

// scalar replaces a constant that divides by a size by words.
func (l *loopText) scalar(match string) string {
	number := scalarPattern.FindStringSubmatch(match)[1]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return match
	}
	switch float32(value) {
	case float32(1 / float64(l.width)):
		number = "1/width"
	case float32(1 / float64(l.batch*l.height*l.width)):
		number = "1/values"
	}
	return fmt.Sprintf("value = dense<%s> : tensor<f32>", number)
}

// dimensions returns the sizes in a tensor's type, "3x32xf32", and the type of its elements.
func dimensions(tensor string) (dims []int, element string) {
	parts := strings.Split(tensor, "x")
	for _, part := range parts[:len(parts)-1] {
		d, err := strconv.Atoi(part)
		if err != nil {
			return nil, tensor
		}
		dims = append(dims, d)
	}
	return dims, parts[len(parts)-1]
}

// joined makes "3x32" of 3 and 32.
func joined(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "x")
}
