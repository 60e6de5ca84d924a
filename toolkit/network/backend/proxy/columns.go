package proxy

import (
	"fmt"
	"regexp"
	"strings"

	"stochdepth/toolkit/network/kernels"
)

var (
	// Batch-norm operations of which only the sums may be needed.
	momentsPattern = regexp.MustCompile(`(?P<y>%\d+), (?P<mean>%\d+), (?P<variance>%\d+) = "stablehlo\.batch_norm_training"` +
		`\((?P<x>%[^,\s]+), %[^,\s]+, %[^)\s]+\) \{\s*epsilon = \S+ : f32,\s*feature_index = 1 : i64\s*\} : ` +
		`\(tensor<(?P<shape>\d+x\d+xf32)>[^\n]*`)
	momentsGradientPattern = regexp.MustCompile(`(?P<dx>%\d+), (?P<dscale>%\d+), (?P<doffset>%\d+) = "stablehlo\.batch_norm_grad"` +
		`\((?P<x>%[^,\s]+), %[^,\s]+, (?P<mean>%[^,\s]+), (?P<variance>%[^,\s]+), (?P<dy>%[^)\s]+)\) ` +
		`\{\s*epsilon = 9\.999999747378752e-06 : f32,\s*feature_index = 1 : i64\s*\} : \(tensor<(?P<shape>\d+x\d+xf32)>[^\n]*`)
	namePattern = regexp.MustCompile(`%\d+\b`)
)

// rewriteSums replaces the batch-norm operations over the columns of a matrix whose first result nobody uses: package byhand
// writes them for the other two. It returns the number of calls.
func rewriteSums(program string) (rewritten string, calls int) {
	if !strings.Contains(program, "stablehlo.batch_norm") {
		return program, 0
	}
	uses := make(map[string]int)
	for _, name := range namePattern.FindAllString(program, -1) {
		uses[name]++
	}
	// replace writes a call in place of each match: results and arguments by their names in the pattern, of which x and dy are
	// matrices.
	replace := func(pattern *regexp.Regexp, function, unused string, results, arguments []string) {
		program = pattern.ReplaceAllStringFunc(program, func(match string) string {
			m := groups(pattern, match)
			var rows, columns int
			_, _ = fmt.Sscanf(m["shape"], "%dx%dxf32", &rows, &columns)
			if uses[m[unused]] > 1 || !kernels.Summed(rows, columns) {
				return match
			}
			calls++
			values := func(names []string) (list []value) {
				for _, name := range names {
					shape := fmt.Sprintf("%dxf32", columns)
					if name == "x" || name == "dy" {
						shape = m["shape"]
					}
					list = append(list, value{m[name], shape})
				}
				return list
			}
			return customCall(values(results), function, "", values(arguments), nil)
		})
	}
	replace(momentsPattern, "stochdepth_moments", "y", []string{"mean", "variance"}, []string{"x"})
	replace(momentsGradientPattern, "stochdepth_moments_gradient", "dx", []string{"dscale", "doffset"},
		[]string{"x", "mean", "variance", "dy"})
	return program, calls
}
