// Package loopname has the prefixes of the names of a loop's parameters in the text of a program: packages byhand
// and survivors write them, and package proxy looks for them. They say what one turn of the loop computes. The rest of each name is the
// value's name in the loop's state.
package loopname

const (
	ForwardBlock  = "forward_block_"
	BackwardBlock = "backward_block_"
	TestBlock     = "test_block_"
	ForwardStem   = "forward_stem_"
	BackwardStem  = "backward_stem_"

	ForwardResidual = "forward_residual_" // of package survivors, for blocks of any kind
)
