// Package loopname has the prefixes of the names of a loop's parameters in the text of a program: package byhand writes
// them, and package proxy looks for them. They say what one turn of the loop computes. The rest of each name is the
// value's name in the loop's state.
package loopname

const (
	ForwardBlock  = "forward_block_"
	BackwardBlock = "backward_block_"
	TestBlock     = "test_block_"
	ForwardStem   = "forward_stem_"
	BackwardStem  = "backward_stem_"
)
