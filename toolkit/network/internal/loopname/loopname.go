// Package loopname has what the names of a loop's parameters begin with in the text of a program, where package byhand
// writes them and package proxy looks for them: they say what one turn of the loop computes. The rest of each name is
// that in the loop's state.
package loopname

const (
	ForwardBlock  = "forward_block_"
	BackwardBlock = "backward_block_"
	TestBlock     = "test_block_"
	ForwardStem   = "forward_stem_"
	BackwardStem  = "backward_stem_"
)
