// Package tensorfile reads and writes tensors in the safetensors format, in which trained weights can be used from Python,
// Rust and other languages. Package github.com/nlpodyssey/safetensors implements the format; this one adds files, written
// whole or not at all, and errors for people.
package tensorfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"path/filepath"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"stochdepth/toolkit/internal/files"
)

// largestFile is the largest size of a file to read, in bytes: a hundred times the weights of 1202 layers.
const largestFile = 8 << 30

// Tensor is one named array.
type Tensor struct {
	Name  string
	DType string // as the format names them: F32, F64, BF16, I64, ...
	Shape []int  // nil or empty for a scalar
	Data  []byte // row-major, little-endian
}

// Write writes the tensors and the metadata (which may be nil) to path, whole or not at all. Names must be unique,
// and each tensor's data must be as long as its shape and data type say. The file's order is the format's: widest
// data types first, then by name.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	views := make(map[string]view, len(tensors))
	for _, t := range tensors {
		v, err := newView(t)
		if _, twice := views[t.Name]; err == nil && twice {
			err = errors.New("there are two of this name")
		}
		if err != nil {
			return fmt.Errorf("cannot write tensor %q to %s: %w", t.Name, path, err)
		}
		views[t.Name] = v
	}
	return files.WriteFrom(path, func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, metadata, w)
	})
}

// Read reads a file of tensors with its metadata (nil if it has none), in the file's order. The data slices share one
// buffer. A file whose header, offsets and length do not agree in every byte is refused.
func Read(path string) ([]Tensor, map[string]string, error) {
	if isPickle(beginning(path)) { // before all of it is read
		return nil, nil, pickled(path)
	}
	data, err := files.Read(path, largestFile)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("no tensor file %s: %w", path, fs.ErrNotExist)
		}
		return nil, nil, fmt.Errorf("cannot read the tensors: %w", err)
	}
	return parse(path, data)
}

// parse is Read for the content of the file path.
func parse(path string, data []byte) ([]Tensor, map[string]string, error) {
	damaged := func(err error) error {
		if isPickle(data) {
			return pickled(path)
		}
		return fmt.Errorf("%s is damaged, cut short or no safetensors file (%w): export or copy it again", path, err)
	}
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, nil, damaged(err)
	}
	size, header, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, nil, damaged(err)
	}
	if err := uniqueKeys(data[8 : 8+size]); err != nil {
		return nil, nil, damaged(err)
	}
	tensors := make([]Tensor, 0, file.Len())
	for _, t := range file.Tensors() {
		shape := make([]int, len(t.TensorView.Shape()))
		for i, n := range t.TensorView.Shape() {
			if n > math.MaxInt { // possible beside a dimension of 0
				return nil, nil, damaged(fmt.Errorf("tensor %q has a dimension of %d", t.Name, n))
			}
			shape[i] = int(n)
		}
		tensors = append(tensors, Tensor{t.Name, t.TensorView.DType().String(), shape, t.TensorView.Data()})
	}
	return tensors, header.Metadata(), nil
}

// beginning returns the first bytes of a file, or none.
func beginning(path string) []byte {
	file, err := files.OpenRegular(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	data := make([]byte, 16)
	n, _ := io.ReadFull(file, data) // a short file is not an error here
	return data[:n]
}

func pickled(path string) error {
	return fmt.Errorf("%s is a PyTorch pickle, not a safetensors file: convert it in Python, where it was written, with `%s`",
		path, fromPickle(path))
}

// isPickle reports whether a file that is not in the safetensors format comes from torch.save: a zip archive or, in older
// versions, a bare pickle of protocol 2 to 5.
func isPickle(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PK\x03\x04")) ||
		len(data) > 8 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 && data[8] != '{'
}

// fromPickle is Python code that converts a file from torch.save: a state dict, or a checkpoint that holds one.
func fromPickle(path string) string {
	converted := strings.TrimSuffix(path, filepath.Ext(path)) + ".safetensors"
	return fmt.Sprintf(`import torch, safetensors.torch; w = torch.load(%q, map_location="cpu"); `+
		`safetensors.torch.save_file({k: v.contiguous().clone() for k, v in w.get("state_dict", w).items()}, %q)`, path, converted)
}

// uniqueKeys returns an error for a header that has a key twice: some JSON readers take the first, others the last.
func uniqueKeys(header []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(header))
	type object struct {
		keys  map[string]bool // nil for a list
		inKey bool
	}
	var open []object
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		switch delimiter, _ := token.(json.Delim); delimiter {
		case '}', ']':
			open = open[:top]
			continue
		}
		if top >= 0 && open[top].keys != nil {
			if open[top].inKey = !open[top].inKey; open[top].inKey {
				key := token.(string)
				if open[top].keys[key] {
					return fmt.Errorf("it has %q twice", key)
				}
				open[top].keys[key] = true
				continue
			}
		}
		switch delimiter, _ := token.(json.Delim); delimiter {
		case '{':
			open = append(open, object{keys: make(map[string]bool)})
		case '[':
			open = append(open, object{})
		}
	}
}

// view gives the library access to a Tensor. Its own TensorView takes no scalars.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }

func newView(t Tensor) (view, error) {
	if t.Name == "" || t.Name == "__metadata__" {
		return view{}, errors.New("the format does not allow this name")
	}
	dtype, err := safetensors.ParseDType(t.DType)
	if err != nil {
		return view{}, fmt.Errorf("unknown data type %q", t.DType)
	}
	v := view{dtype: dtype, shape: make([]uint64, len(t.Shape)), data: t.Data} // not nil: JSON needs [] for a scalar
	size := dtype.Size()
	for i, n := range t.Shape {
		if n < 0 {
			return view{}, fmt.Errorf("shape %v has a negative dimension", t.Shape)
		}
		v.shape[i] = uint64(n)
		high, low := bits.Mul64(size, uint64(n))
		if high != 0 {
			return view{}, fmt.Errorf("shape %v is too large", t.Shape)
		}
		size = low
	}
	if size != uint64(len(t.Data)) {
		return view{}, fmt.Errorf("shape %v of %s takes %d bytes, but there are %d", t.Shape, t.DType, size, len(t.Data))
	}
	return v, nil
}
