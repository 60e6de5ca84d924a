package resnet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/residual"
)

// kind is common to all networks with the same kind of blocks.
type kind interface {
	stages(n *Network) []Stage
	stem(n *Network) part
	head(n *Network) part // without the linear layer
}

var (
	// kinds has the kinds of depth.Named, and the registered ones.
	kinds = map[string]kind{
		depth.Basic:              convolutional{block: NewBasic, widening: 1},
		depth.Preactivation:      convolutional{block: NewPreactivation, widening: 1, preactivated: true},
		depth.Bottleneck:         convolutional{block: NewBottleneck, widening: expansion, preactivated: true},
		depth.OriginalBottleneck: convolutional{block: NewOriginalBottleneck, widening: expansion},
		depth.Transformer:        encoder{},
	}
	kindsLock sync.Mutex
)

// Blocks lists the kinds of blocks: the project's own, beginning with the paper's, and then the registered ones.
func Blocks() []string {
	kindsLock.Lock()
	defer kindsLock.Unlock()
	names := depth.Named()
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Register adds a kind of blocks for networks with the paper's stem, groups and head: block makes a block for a shape. A
// kind may be registered again under the same name, as in a notebook's cell that was edited, but not under the name of
// one of this package's own kinds.
func Register(name string, block func(Shape) residual.Block) error {
	kindsLock.Lock()
	defer kindsLock.Unlock()
	if name == "" || slices.Contains(depth.Named(), name) {
		return fmt.Errorf("the name %q for a block is taken: give your block another name", name)
	}
	kinds[name] = convolutional{block: block, widening: 1}
	return nil
}

func kindOf(name string) (kind, error) {
	kindsLock.Lock()
	k, ok := kinds[name]
	kindsLock.Unlock()
	if !ok {
		return nil, fmt.Errorf("no block %q is known here: there are %s, and a program may register its own",
			name, strings.Join(Blocks(), ", "))
	}
	return k, nil
}

// convolutional networks have groups of blocks, in the paper three, of which each has twice the channels of the one before
// and half the side.
type convolutional struct {
	block        func(Shape) residual.Block
	widening     int  // the blocks' output channels divided by the group's filters
	preactivated bool // blocks and head begin with batch normalisation and ReLU, and the stem does not have them
}

func (c convolutional) stages(n *Network) (stages []Stage) {
	in, side, before := n.Filters(), n.stemSide(), 0
	for group, blocks := range n.Groups {
		s := Shape{In: in, Out: c.widening * n.Filters() << group, Stride: 1, Subsample: n.Subsample,
			Projection: n.Projection, Plain: n.Plain, Scale: n.Scale.start()}
		if group > 0 {
			s.Stride = 2
		}
		s.Side = halved(side, s.Stride)
		add := func(name string, first, count int) {
			if count > 0 {
				stages = append(stages, Stage{Stack: residual.Stack{Name: name, Count: count, Block: c.block(s)},
					First: first, Output: []int{s.Side, s.Side, s.Out}})
			}
		}
		name, first, count := fmt.Sprintf("group%d", group+1), before, blocks
		if s.Changes() {
			add(name+"/transition", first, 1)
			s.In, s.Stride, first, count = s.Out, 1, first+1, count-1
		}
		add(name, first, count)
		in, side, before = s.Out, s.Side, before+blocks
	}
	return stages
}

// stemSide is the side of the stem's output.
func (n *Network) stemSide() int {
	if n.ImageNetStem {
		return halved(halved(n.Image.Height, 2), 2)
	}
	return n.Image.Height
}

// halved is the side after a step of the given stride, rounded up.
func halved(side, stride int) int { return (side + stride - 1) / stride }

// encoder networks are transformers on patches of the image.
type encoder struct{}

func (encoder) stages(n *Network) []Stage {
	block := Transformer{Encoder: n.Encoder, Tokens: n.tokens()}
	return []Stage{{Stack: residual.Stack{Name: "encoder", Count: depth.Total(n.Groups), Block: block},
		Output: []int{block.Tokens, block.Width}}}
}
