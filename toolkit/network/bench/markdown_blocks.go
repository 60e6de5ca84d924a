package bench

import (
	"cmp"
	"fmt"
	"strings"

	"stochdepth/toolkit/runs/recipes"
)

// MarkdownOfBlocks is a table of the kinds of blocks. The record open has the time of a step with no block open and with
// all blocks open, and the record compile the compile times with the fewest and with the most blocks.
func MarkdownOfBlocks(open, compile *Record) string {
	var b strings.Builder
	b.WriteString("| Block | Blocks | None open | All open | Compile, shallow | Compile, deep |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	var none, last Measurement
	for _, m := range open.Results {
		if m.Fixed && m.Open == 0 {
			none = m
		}
		if !m.Fixed || m.Open < float64(m.Blocks) {
			continue
		}
		last = m
		kind := cmp.Or(m.Block, recipes.Default().Block)
		fmt.Fprintf(&b, "| `%s` | %d | %s (%s) ms | %s (%s) ms |", kind, m.Blocks,
			significant(none.StepMS), significant(none.LowMS), significant(m.StepMS), significant(m.LowMS))
		shallow, deep := compile.depthsOf(m.Block)
		fmt.Fprintf(&b, " %.1f s (%d blocks) | %.1f s (%d blocks) |\n",
			shallow.CompileS, shallow.Blocks, deep.CompileS, deep.Blocks)
	}
	fmt.Fprintf(&b, "\nMedians of %d steps (fastest), minibatches of %d; %s. Compiling for minibatches of %d; %s.\n",
		last.Steps, last.Batch, open.conditions(), compile.Results[0].Batch, compile.conditions())
	return b.String()
}

// depthsOf returns the measurements with the fewest and with the most blocks of one kind.
func (r *Record) depthsOf(block string) (shallow, deep Measurement) {
	for _, m := range r.Results {
		if m.Block != block {
			continue
		}
		if shallow.Blocks == 0 || m.Blocks < shallow.Blocks {
			shallow = m
		}
		if m.Blocks > deep.Blocks {
			deep = m
		}
	}
	return shallow, deep
}
