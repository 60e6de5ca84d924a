package network

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"

	"stochdepth/toolkit/internal/tensorfile"
)

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
