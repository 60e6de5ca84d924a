package network

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
)

// timmNames are parts of the names of timm's vision transformers and what they are in ours, [Model.Export]'s.
var timmNames = [][2]string{
	{"cls_token", "stem.class_token"}, {"pos_embed", "stem.positions"}, {"patch_embed.proj.", "stem.patches."},
	{"norm.", "head.norm."}, {"head.", "fc."},
}

// timmInBlock are those after "blocks.<l>."; norm1 and norm2 are the same in both.
var timmInBlock = [][2]string{{"attn.qkv.", "qkv."}, {"attn.proj.", "projection."}, {"mlp.fc1.", "mlp1."}, {"mlp.fc2.", "mlp2."}}

var transformerBlock = regexp.MustCompile(`^blocks\.\d+\.`)

// translated returns a name in the other language: from timm's into ours, or back.
func translated(name string, into bool) string {
	from, to := 0, 1
	if !into {
		from, to = 1, 0
	}
	block, list := transformerBlock.FindString(name), timmNames
	if block != "" {
		list = timmInBlock
	}
	rest := strings.TrimPrefix(name, block)
	for _, pair := range list {
		if own, ok := strings.CutPrefix(rest, pair[from]); ok {
			return block + pair[to] + own
		}
	}
	return name
}

// fromTimm returns a function that translates the names of timm's vision transformers into ours, or nil if the names are others.
func fromTimm(names []string) func(name string) string {
	if !slices.Contains(names, "patch_embed.proj.weight") {
		return nil
	}
	return func(name string) string { return translated(name, true) }
}

// flattened gives a tensor of timm our shape: the kernel of the patches is a matrix here, whose columns go by pixel and then by
// channel, and positions and class token have no first axis of one.
func flattened(t tensorfile.Tensor) (tensorfile.Tensor, error) {
	switch {
	case t.Name == "stem.patches.weight" && len(t.Shape) == 4:
		out, channels, pixels := t.Shape[0], t.Shape[1], t.Shape[2]*t.Shape[3]
		values, err := decode(t)
		if err != nil {
			return t, err
		}
		t.Data = swapped(t.Data, out, channels, pixels, len(t.Data)/max(len(values), 1))
		t.Shape = []int{out, channels * pixels}
	case (t.Name == "stem.positions" || t.Name == "stem.class_token") && len(t.Shape) == 3 && t.Shape[0] == 1:
		t.Shape = t.Shape[1:]
	}
	return t, nil
}

// swapped are the bytes of a tensor [n, a, b] as [n, b, a], of values of so many bytes.
func swapped(data []byte, n, a, b, width int) []byte {
	out := make([]byte, 0, len(data))
	for i := range n {
		for y := range b {
			for x := range a {
				at := ((i*a+x)*b + y) * width
				out = append(out, data[at:at+width]...)
			}
		}
	}
	return out
}

// ExportTimm is [Model.Export] with timm's names: those of its vision transformers, or [Model.ExportTorchvision]'s. A
// transformer that theirs cannot be is an error: one with other sizes or without a class token, and one whose branches are
// scaled at test, since no tensor could take the factor over.
func (m *Model) ExportTimm(path string, metadata map[string]string) error {
	if m.Recipe.Block != depth.Transformer {
		return m.ExportTorchvision(path, metadata)
	}
	scales, err := m.TestScales()
	if err != nil {
		return err
	}
	leave := "leave --names out"
	switch {
	case !m.Network.Encoder.Vision:
		return fmt.Errorf("timm's vision transformers have encoder vit-tiny, vit-small or vit-base, and this network has another: %s", leave)
	case !m.Network.ClassToken:
		return fmt.Errorf("timm's vision transformers have pooling class-token, and this network has pooling mean: %s", leave)
	case m.Recipe.Normalization != "channel":
		return fmt.Errorf("timm normalises by channel, and this network has normalization %s: %s", m.Recipe.Normalization, leave)
	case slices.ContainsFunc(scales, func(s float64) bool { return s != 1 }):
		return fmt.Errorf("timm scales no branch at test, and this network does (the last by %.4g): %s, or train with scale_at=train",
			scales[len(scales)-1], leave)
	}
	list, err := m.tensors()
	if err != nil {
		return err
	}
	meta, err := m.metadataElsewhere(m.Recipe, metadata)
	if err != nil {
		return err
	}
	var out []tensorfile.Tensor
	for _, t := range list {
		switch t.Name {
		case "survival", meanName, deviationName:
			continue
		case "stem.positions", "stem.class_token":
			t.Shape = append([]int{1}, t.Shape...)
		case "stem.patches.weight":
			side, width := m.Network.Patch, t.Shape[0]
			channels, pixels := m.Network.Image.Channels, side*side
			t.Data = swapped(t.Data, width, pixels, channels, len(t.Data)/(width*channels*pixels))
			t.Shape = []int{width, channels, side, side}
		}
		t.Name = translated(t.Name, false)
		out = append(out, t)
	}
	return tensorfile.Write(path, out, meta)
}

// fitPositions interpolates the positions of a file from elsewhere if the network has images of another size.
func (m *Model) fitPositions(file *Weights) error {
	const name = "stem.positions"
	t, ok := file.tensors[name]
	if !ok || file.recipe != nil || m.Recipe.Block != depth.Transformer || !m.Network.ClassToken || len(t.Shape) != 2 {
		return nil
	}
	width, patch := m.Network.Encoder.Width, m.Network.Patch
	from, to := int(math.Round(math.Sqrt(float64(t.Shape[0]-1)))), m.Network.Image.Height/patch
	if from == to || from < 1 || from*from+1 != t.Shape[0] || t.Shape[1] != width {
		return nil // or no grid of positions of this network: then their shape is refused
	}
	values, err := decode(t)
	if err != nil {
		return err
	}
	grid := resampled(resampled(values[width:], 1, from, from*width, to), to, from, width, to)
	file.tensors[name] = encode(name, []int{to*to + 1, width}, append(values[:width:width], grid...), dtypes.Float64)
	file.note("its positions are those of images of %dx%d pixels, and interpolated for %dx%d", from*patch, from*patch, to*patch, to*patch)
	return nil
}

// resampled interpolates the middle axis of values [before, from, after] to another length, by cubic splines (a = -0.5) that
// widen where it becomes shorter: PyTorch's bicubic interpolation with antialias, which timm takes for positions.
func resampled(values []float64, before, from, after, to int) []float64 {
	cubic := func(x float64) float64 {
		switch x = math.Abs(x); {
		case x < 1:
			return (1.5*x-2.5)*x*x + 1
		case x < 2:
			return ((-0.5*x+2.5)*x-4)*x + 2
		}
		return 0
	}
	step := float64(from) / float64(to)
	wide := max(step, 1)
	out := make([]float64, before*to*after)
	for i := range to {
		centre := (float64(i) + 0.5) * step
		first, last := max(int(centre-2*wide+0.5), 0), min(int(centre+2*wide+0.5), from)
		weights, sum := make([]float64, last-first), 0.0
		for j := range weights {
			weights[j] = cubic((float64(first+j) + 0.5 - centre) / wide)
			sum += weights[j]
		}
		for b := range before {
			for j, w := range weights {
				for k := range after {
					out[(b*to+i)*after+k] += w / sum * values[(b*from+first+j)*after+k]
				}
			}
		}
	}
	return out
}
