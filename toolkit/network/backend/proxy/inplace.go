package proxy

import (
	"fmt"
	"regexp"
)

var (
	mainPattern     = regexp.MustCompile(`(?m)^(\s*func\.func @main\()(.*)\) -> \((.*)\) \{$`)
	variablePattern = regexp.MustCompile(`(%_(?:network|optimizer_velocity|optimizer_moment[12]|average)_\S+: tensor<(\S+)>)`)
	isStep          = regexp.MustCompile(`%_optimizer_(?:velocity|moment1)_`)
	resultsPattern  = regexp.MustCompile(`tensor<(\S+)>`)
)

// updateInPlace lets a training step write the network's new variables into the memory of the old ones, which GoMLX gives
// away: among the results of each type, the first uses the memory of the first variable, and so on. XLA copies a value that
// is still needed, so the order matters for speed only. (go-xla tells PJRT which buffers are given away, but the program
// must say which result uses which buffer, and go-xla has no way to say that.)
func updateInPlace(program string) string {
	at := mainPattern.FindStringSubmatchIndex(program)
	if at == nil || !isStep.MatchString(program) {
		return program
	}
	results := make(map[string][]int) // by type
	for i, m := range resultsPattern.FindAllStringSubmatch(program[at[6]:at[7]], -1) {
		results[m[1]] = append(results[m[1]], i)
	}
	parameters := variablePattern.ReplaceAllStringFunc(program[at[4]:at[5]], func(match string) string {
		shape := variablePattern.FindStringSubmatch(match)[2]
		free := results[shape]
		if len(free) == 0 {
			return match
		}
		results[shape] = free[1:]
		return fmt.Sprintf("%s {tf.aliasing_output = %d : i32}", match, free[0])
	})
	return program[:at[4]] + parameters + program[at[5]:]
}
