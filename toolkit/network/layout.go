package network

import (
	"encoding/binary"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// variablePart is a variable of the network, or one block's row of a stacked one.
type variablePart struct {
	variable *model.Variable
	row      int   // of the leading axis, or -1 for the whole variable
	shape    []int // without the leading axis
	weights  bool  // of a convolution or linear layer: PyTorch orders their axes differently
}

// visit calls f for every part, with its name in a file, from input to output.
func (m *Model) visit(f func(name string, part variablePart) error) error {
	scope, variables := m.Store.RootScope(), m.Network.Variables()
	whole := func(list []string) error {
		for _, name := range list {
			v := residual.Variable(scope, name)
			torch, weights := torchName(name, list)
			if err := f(torch, variablePart{v, -1, v.Shape().Dimensions, weights}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := whole(variables.Stem); err != nil {
		return err
	}
	for i, s := range m.Network.Stages() {
		for block := range s.Count {
			for _, name := range variables.Stages[i] {
				v := residual.Variable(scope, name)
				torch, weights := torchName(name, variables.Stages[i])
				torch = fmt.Sprintf("blocks.%d.%s", s.First+block, strings.TrimPrefix(torch, strings.ReplaceAll(s.Name, "/", ".")+"."))
				if err := f(torch, variablePart{v, block, v.Shape().Dimensions[1:], weights}); err != nil {
					return err
				}
			}
		}
	}
	return whole(variables.Head)
}

// torchParts are PyTorch's names for the variables of a normalisation.
var torchParts = map[string]string{"scale": "weight", "offset": "bias", "mean": "running_mean", "variance": "running_var"}

// torchName returns PyTorch's name of a variable: for kernel2 "conv2.weight", for scale2 "bn2.weight" (or "norm2.weight", if
// the list has no mean2), for linear/weights "fc.weight", for qkv_bias "qkv.bias", for kernel_shortcut "downsample.0.weight".
// weights says whether PyTorch orders its axes differently.
func torchName(name string, list []string) (torch string, weights bool) {
	scope, own := path.Split(name)
	kind := strings.TrimRight(own, "0123456789")
	number := own[len(kind):]
	ofShortcut, isShortcut := strings.CutSuffix(own, "_shortcut")
	switch part, isNorm := torchParts[kind]; {
	case name == "linear/weights":
		return "fc.weight", true
	case name == "linear/bias":
		return "fc.bias", false
	case ofShortcut == "kernel" && isShortcut: // torchvision's names
		own, weights = "downsample.0.weight", true
	case isShortcut:
		own = "downsample.1." + torchParts[ofShortcut]
	case kind == "kernel":
		own, weights = "conv"+number+".weight", true
	case isNorm && slices.Contains(list, scope+"mean"+number):
		own = "bn" + number + "." + part
	case isNorm:
		own = "norm" + number + "." + part
	case strings.HasSuffix(own, "_weights"):
		own, weights = strings.TrimSuffix(own, "_weights")+".weight", true
	case strings.HasSuffix(own, "_bias"):
		own = strings.TrimSuffix(own, "_bias") + ".bias"
	}
	return strings.ReplaceAll(scope, "/", ".") + own, weights
}

// permutation returns, for each axis of PyTorch's layout, the axis in ours: kernels are [height, width, in, out] here and
// [out, in, height, width] there, matrices are transposed.
func (p variablePart) permutation() []int {
	switch {
	case p.weights && len(p.shape) == 4:
		return []int{3, 2, 0, 1}
	case p.weights && len(p.shape) == 2:
		return []int{1, 0}
	}
	same := make([]int, len(p.shape))
	for i := range same {
		same[i] = i
	}
	return same
}

func (p variablePart) torchShape() []int {
	shape := make([]int, len(p.shape))
	for i, axis := range p.permutation() {
		shape[i] = p.shape[axis]
	}
	return shape
}

// toTorch returns the values in PyTorch's layout, fromTorch in ours.
func (p variablePart) toTorch(values []float64) []float64 {
	out := make([]float64, len(values))
	p.pairs(func(torch, ours int) { out[torch] = values[ours] })
	return out
}

func (p variablePart) fromTorch(values []float64) []float64 {
	out := make([]float64, len(values))
	p.pairs(func(torch, ours int) { out[ours] = values[torch] })
	return out
}

// pairs calls f with the position of every value in both layouts.
func (p variablePart) pairs(f func(torch, ours int)) {
	strides, stride := make([]int, len(p.shape)), 1
	for axis := len(p.shape) - 1; axis >= 0; axis-- {
		strides[axis], stride = stride, stride*p.shape[axis]
	}
	shape, order := p.torchShape(), p.permutation()
	for torch := range stride {
		rest, ours := torch, 0
		for i := len(shape) - 1; i >= 0; i-- {
			ours += rest % shape[i] * strides[order[i]]
			rest /= shape[i]
		}
		f(torch, ours)
	}
}

// span returns the range of the part in the variable's values.
func (p variablePart) span() (from, to int) {
	size := 1
	for _, n := range p.shape {
		size *= n
	}
	from = max(0, p.row) * size
	return from, from + size
}

func (p variablePart) read() ([]float64, error) {
	value, err := p.variable.Value()
	if err != nil {
		return nil, err
	}
	from, to := p.span()
	var values []float64
	err = value.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = append(values, flat[from:to]...)
		case []float32:
			values = floats[float64](flat[from:to])
		}
	})
	return values, err
}

// partValues are a part's next values, in our layout.
type partValues struct {
	part   variablePart
	values []float64
}

// setParts sets parts of one variable, and copies the variable only once: a stacked one is as large as all its blocks.
func setParts(v *model.Variable, parts []partValues) error {
	value, err := v.Value()
	if err != nil {
		return err
	}
	next, err := value.LocalClone()
	if err != nil {
		return err
	}
	err = next.MutableFlatData(func(flat any) {
		for _, p := range parts {
			from, to := p.part.span()
			switch flat := flat.(type) {
			case []float64:
				copy(flat[from:to], p.values)
			case []float32:
				copy(flat[from:to], floats[float32](p.values))
			}
		}
	})
	if err != nil {
		return err
	}
	return v.SetValue(next)
}

// survivalPart is the variable of the current survival probabilities.
func (m *Model) survivalPart() variablePart {
	variable := residual.Variable(m.Store.RootScope(), resnet.SurvivalVariable)
	return variablePart{variable: variable, row: -1, shape: variable.Shape().Dimensions}
}

// encode makes a file's tensor, F64 or F32, from values.
func encode(name string, shape []int, values []float64, dtype dtypes.DType) tensorfile.Tensor {
	t := tensorfile.Tensor{Name: name, Shape: shape, DType: "F32"}
	if dtype == dtypes.Float64 {
		t.DType = "F64"
		t.Data, _ = binary.Append(nil, binary.LittleEndian, values) // floats cannot fail
	} else {
		t.Data, _ = binary.Append(nil, binary.LittleEndian, floats[float32](values))
	}
	return t
}

// decode returns the values of a file's tensor of type F64, F32, F16 or BF16.
func decode(t tensorfile.Tensor) ([]float64, error) {
	width := map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}[t.DType]
	if width == 0 {
		return nil, fmt.Errorf("tensor %s is of type %s: F64, F32, F16 and BF16 can be read", t.Name, t.DType)
	}
	values := make([]float64, len(t.Data)/width)
	for i := range values {
		switch b := t.Data[i*width:]; t.DType {
		case "F64":
			values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		case "F32":
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case "F16":
			values[i] = float16.Float16(binary.LittleEndian.Uint16(b)).Float64()
		default:
			values[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		}
	}
	return values, nil
}
