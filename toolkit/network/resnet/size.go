package resnet

import "stochdepth/toolkit/network/residual"

// Layer is a part of the network: the stem, a stage of equal blocks, or the head.
type Layer struct {
	Name         string
	First        int   // index of its first block among all blocks, from 0
	Blocks       int   // in it; 0 for stem and head, which are always computed
	Output       []int // shape for one image: height, width and channels, or tokens and their width, or classes
	Parameters   int64 // trained ones, of all its blocks
	MultiplyAdds int64 // forward, for one image, of its convolutions and products, as is usual; 0: not known
}

// Size has the sizes of a network's layers, and their sums.
type Size struct {
	Layers       []Layer
	Parameters   int64 // trained ones
	MultiplyAdds int64 // forward, for one image, with all blocks open
}

// Counted is a block that knows its multiply-adds, forward, for one image.
type Counted interface{ MultiplyAdds() int64 }

// Size counts the network's parameters and multiply-adds without creating its variables.
func (n *Network) Size() Size {
	var s Size
	stem, head := n.kind.stem(n), n.kind.head(n)
	s.add(Layer{Name: "stem", Output: stem.output, Parameters: trained(stem.parameters), MultiplyAdds: stem.multiplyAdds})
	for _, stage := range n.Stages() {
		var multiplyAdds int64
		if block, ok := stage.Block.(Counted); ok {
			multiplyAdds = block.MultiplyAdds()
		}
		s.add(Layer{Name: stage.Name, First: stage.First, Blocks: stage.Count, Output: stage.Output,
			Parameters:   int64(stage.Count) * trained(stage.Block.Parameters()),
			MultiplyAdds: int64(stage.Count) * multiplyAdds})
	}
	weights := int64(head.output[0] * n.Classes)
	s.add(Layer{Name: "head", Output: []int{n.Classes},
		Parameters: trained(head.parameters) + weights + int64(n.Classes), MultiplyAdds: weights})
	return s
}

func (s *Size) add(l Layer) {
	s.Layers = append(s.Layers, l)
	s.Parameters += l.Parameters
	s.MultiplyAdds += l.MultiplyAdds
}

func trained(list []residual.Parameter) (n int64) {
	for _, p := range list {
		if !p.Average {
			n += int64(p.Size())
		}
	}
	return n
}
