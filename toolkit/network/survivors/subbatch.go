package survivors

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/survivors/internal/loops"
)

// With gates of sub-batches each block is open for a known number of images. So it can be computed for these alone, whatever
// it computes and on any device: a turn of the loop takes the block's images out of the minibatch, computes the block, its
// batch statistics too, and puts its outputs back in their places. The others keep what they have, which is their shortcut. The
// gradient goes the same way back.
//
// Shapes are static, so a loop serves blocks of one number of images. Blocks one after the other that have the same number share
// a loop: with survival probabilities that fall from block to block there are few. All blocks of a loop are open.

// trainSubBatches is Train for a stack with Images.
func (f Form) trainSubBatches(scope *model.Scope, s residual.Stack, h, gates, scales *Node) *Node {
	g, batch := h.Graph(), h.Shape().Dimensions[0]
	gates.AssertDims(batch, s.Count)
	measured := make(map[string][]*Node)
	for first, last := 0, 0; first < s.Count; first = last {
		for last = first; last < s.Count && s.Images[last] == s.Images[first]; last++ {
		}
		part, ofPart := s, func(values *Node) *Node { return values }
		if part.Count = last - first; part.Count < s.Count {
			ofPart = func(values *Node) *Node { return Slice(values, AxisRange(first, last)) }
		}
		l := f.newLoop(scope, part, h, true, scales != nil)
		l.dtype, l.subBatch = s.DType(scope, h), s.Images[first] < batch
		initial := l.parameters(scope, g)
		for name, values := range initial {
			initial[name] = ofPart(values)
		}
		if scales != nil {
			initial["scales"] = ofPart(scales)
		}
		initial["order"], initial["count"] = Iota(g, shapes.Make(loops.Int32, part.Count), 0), Const(g, int32(part.Count))
		if l.subBatch {
			l.input = l.input.Clone()
			l.input.Dimensions[0] = s.Images[first]
			initial["images"], initial["position"] = openImages(Slice(gates, AxisRange(), AxisRange(first, last)), s.Images[first])
		}
		if !f.Recompute {
			l.kept = l.keeps(g)
		}
		var statistics map[string]*Node
		h, statistics = l.run(h, initial)
		for name, values := range statistics {
			measured[name] = append(measured[name], values)
		}
	}
	all := make(map[string]*Node, len(measured))
	for _, p := range s.Averages() {
		all[p.Name] = Concatenate(measured[p.Name], 0)
	}
	s.MoveAverages(scope, all, nil)
	return h
}

// openImages returns, for the gates [batch, count] of blocks that are open for a number of images each, the indices of these
// images, [count, number], in their order, and the place of every image in that order, [count, batch]: less than number for
// those that are open.
func openImages(gates *Node, number int) (images, position *Node) {
	open := Transpose(gates, 0, 1)
	batch := open.Shape().Dimensions[1]
	_, order := TopK(open, batch, 1) // the open ones first; equal ones stay in their order
	_, position = BottomK(order, batch, 1)
	return Slice(order, AxisRange(), AxisRange(0, number)), position
}

// take returns the rows of the block's images out of those of the minibatch: all of them, unless the block has a sub-batch.
func (l *loop) take(v loops.Values, block, all *Node) *Node {
	if !l.subBatch {
		return all
	}
	return Gather(all, InsertAxes(loops.Row(v["images"], block), -1), true)
}

// put returns the rows of the minibatch with the given ones in the places of the block's images.
func (l *loop) put(v loops.Values, block, rows, all *Node) *Node {
	if !l.subBatch {
		return rows
	}
	position, number := loops.Row(v["position"], block), rows.Shape().Dimensions[0]
	open := LessThan(position, Const(position.Graph(), int32(number)))
	row := Min(position, Const(position.Graph(), int32(number-1)))
	return Where(open, Gather(rows, InsertAxes(row, -1)), all)
}
