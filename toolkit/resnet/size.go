package resnet

import "stochdepth/toolkit/depth"

// Layer is a part of the network: the stem, a stage of equal blocks, or the head.
type Layer struct {
	Name         string
	First        int   // index of its first block among all blocks, from 0
	Blocks       int   // in it; 0 for stem and head, which are always computed
	Output       []int // shape for one image: height, width and channels, or classes
	Parameters   int64 // that are trained, of all its blocks
	MultiplyAdds int64 // forward, for one image: of its convolutions, or of the linear layer, as is usual
}

// Size is what a network's layers come to.
type Size struct {
	Layers       []Layer
	Parameters   int64 // that are trained
	MultiplyAdds int64 // forward, for one image, with all blocks open
}

// Size counts the network's parameters and multiply-adds, without making it.
func (n *Network) Size() Size {
	first, last := Filters[0], Filters[depth.Groups-1]
	var s Size
	s.add(Layer{Name: "stem", Output: []int{Side, Side, first},
		Parameters: kernel(Channels, first) + normalization(first), MultiplyAdds: kernel(Channels, first) * Side * Side})
	for _, stage := range n.Stages() {
		kernels, count := kernel(stage.In, stage.Out)+kernel(stage.Out, stage.Out), int64(stage.Count)
		s.add(Layer{Name: stage.Name, First: stage.First, Blocks: stage.Count, Output: []int{stage.Side, stage.Side, stage.Out},
			Parameters: count * (kernels + 2*normalization(stage.Out)), MultiplyAdds: count * kernels * int64(stage.Side*stage.Side)})
	}
	weights := int64(last * n.Classes)
	s.add(Layer{Name: "head", Output: []int{n.Classes}, Parameters: weights + int64(n.Classes), MultiplyAdds: weights})
	return s
}

func (s *Size) add(l Layer) {
	s.Layers = append(s.Layers, l)
	s.Parameters += l.Parameters
	s.MultiplyAdds += l.MultiplyAdds
}

// kernel is the number of weights of a 3x3 convolution, each of which is multiplied once a pixel of the output.
func kernel(in, out int) int64 { return int64(9 * in * out) }

// normalization is the number of a batch normalisation's scales and offsets.
func normalization(channels int) int64 { return int64(2 * channels) }
