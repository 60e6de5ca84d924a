package dataset

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// This file reads MATLAB's MAT-file level 5 as a stream: elements are decompressed while they are read, so that an array goes
// directly to its destination. It supports what SVHN needs: real numeric arrays, compressed or not, in either byte order.

// Types of MAT-file elements, and the class of an array, in the format's own numbering.
const (
	matInt8       = 1
	matUint8      = 2
	matInt16      = 3
	matUint16     = 4
	matInt32      = 5
	matUint32     = 6
	matSingle     = 7
	matDouble     = 9
	matInt64      = 12
	matUint64     = 13
	matMatrix     = 14
	matCompressed = 15

	matFirstNumericClass = 6 // double; then single, (u)int8, (u)int16, (u)int32, (u)int64
	matLastNumericClass  = 15
)

// matArray is a numeric array whose values have not been read yet.
type matArray struct {
	name  string
	dims  []int
	count int // of values: the product of dims

	kind  uint32 // type in which the values are stored, which may be narrower than the array's class
	order binary.ByteOrder
	data  io.Reader // exactly the bytes of the values
}

// readMAT calls visit for each numeric array of a MAT file, in order. visit need not read all values.
func readMAT(r io.Reader, visit func(matArray) error) error {
	in := bufio.NewReaderSize(r, 1<<18)
	var header [128]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return errors.New("is shorter than the header of a MAT file")
	}
	if strings.HasPrefix(string(header[:]), "MATLAB 7.3") {
		return errors.New("is a MAT file of version 7.3, but version 5 is needed")
	}
	var order binary.ByteOrder
	switch string(header[126:]) {
	case "IM":
		order = binary.LittleEndian
	case "MI":
		order = binary.BigEndian
	default:
		return errors.New("is no MAT file of version 5")
	}
	for {
		kind, size, err := matTag(in, order)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return matError(err)
		}
		if err := matElement(in, order, kind, size, visit); err != nil {
			return matError(err)
		}
	}
}

// matElement reads one top-level element to its end.
func matElement(in io.Reader, order binary.ByteOrder, kind, size uint32, visit func(matArray) error) error {
	body := &io.LimitedReader{R: in, N: int64(size)}
	switch kind {
	case matMatrix:
		if err := matMatrixBody(body, order, visit); err != nil {
			return err
		}
	case matCompressed:
		inflated, err := zlib.NewReader(bufio.NewReaderSize(body, 1<<16))
		if err != nil {
			return err
		}
		inner, _, err := matTag(inflated, order)
		if err != nil {
			return noEOF(err)
		}
		if inner == matMatrix {
			if err := matMatrixBody(inflated, order, visit); err != nil {
				return err
			}
			// Reading to the end verifies the checksum; the limit saves time on large arrays that visit did not read.
			if _, err := io.CopyN(io.Discard, inflated, 1<<20); err != nil && err != io.EOF {
				return err
			}
		}
	}
	// Skip the rest without decompressing it: it cannot be longer than the file.
	_, err := io.CopyN(io.Discard, body, body.N)
	return noEOF(err)
}

// matMatrixBody reads the sub-elements of an array: flags, dimensions, name, values.
func matMatrixBody(in io.Reader, order binary.ByteOrder, visit func(matArray) error) error {
	flags, err := matSmall(in, order, 8)
	if err != nil {
		return err
	}
	if len(flags) != 8 {
		return errors.New("has an array without flags")
	}
	class := order.Uint32(flags) & 0xff
	if class < matFirstNumericClass || class > matLastNumericClass {
		return nil // text, cells and structs are not needed
	}
	sizes, err := matSmall(in, order, 4*32)
	if err != nil {
		return err
	}
	array := matArray{order: order, count: 1}
	for ; len(sizes) >= 4; sizes = sizes[4:] {
		n := int64(int32(order.Uint32(sizes)))
		if n < 0 || n > math.MaxInt32 || n > 0 && int64(array.count) > math.MaxInt32/n {
			return errors.New("has an array of impossible size")
		}
		array.dims = append(array.dims, int(n))
		array.count *= int(n)
	}
	name, err := matSmall(in, order, 256)
	if err != nil {
		return err
	}
	array.name = string(name)

	kind, size, inline, err := matSubTag(in, order)
	if err != nil {
		return err
	}
	width := matWidth(kind)
	if width == 0 {
		return fmt.Errorf("stores array %q in unknown type %d", array.name, kind)
	}
	if int64(size) != int64(width)*int64(array.count) {
		return fmt.Errorf("has %d bytes of values in array %q, whose dimensions %v need %d",
			size, array.name, array.dims, int64(width)*int64(array.count))
	}
	array.kind = kind
	array.data = io.LimitReader(in, int64(size))
	if inline != nil {
		array.data = bytes.NewReader(inline)
	}
	return visit(array)
}

// matTag reads the tag of a top-level element.
func matTag(in io.Reader, order binary.ByteOrder) (kind, size uint32, err error) {
	var tag [8]byte
	if _, err := io.ReadFull(in, tag[:]); err != nil {
		return 0, 0, err
	}
	return order.Uint32(tag[:]), order.Uint32(tag[4:]), nil
}

// matSubTag reads the tag of an element inside an array. The data of a small element, up to 4 bytes, are in the tag itself and
// are returned as inline.
func matSubTag(in io.Reader, order binary.ByteOrder) (kind, size uint32, inline []byte, err error) {
	var tag [8]byte
	if _, err := io.ReadFull(in, tag[:]); err != nil {
		return 0, 0, nil, noEOF(err)
	}
	kind, size = order.Uint32(tag[:]), order.Uint32(tag[4:])
	if small := kind >> 16; small != 0 {
		if small > 4 {
			return 0, 0, nil, errors.New("has a small element of more than 4 bytes")
		}
		return kind & 0xffff, small, tag[4 : 4+small], nil
	}
	return kind, size, nil, nil
}

// matSmall reads a complete element inside an array, of at most limit bytes, with its padding to multiples of 8.
func matSmall(in io.Reader, order binary.ByteOrder, limit uint32) ([]byte, error) {
	_, size, inline, err := matSubTag(in, order)
	if err != nil || inline != nil {
		return inline, err
	}
	if size > limit {
		return nil, fmt.Errorf("has an element of %d bytes where at most %d can be", size, limit)
	}
	data := make([]byte, (size+7)/8*8)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, noEOF(err)
	}
	return data[:size], nil
}

// matWidth returns the size of a value in bytes, 0 for an unknown type.
func matWidth(kind uint32) int {
	switch kind {
	case matInt8, matUint8:
		return 1
	case matInt16, matUint16:
		return 2
	case matInt32, matUint32, matSingle:
		return 4
	case matDouble, matInt64, matUint64:
		return 8
	}
	return 0
}

// numbers reads all values as float64, in column-major order.
func (a matArray) numbers() ([]float64, error) {
	width := matWidth(a.kind)
	raw := make([]byte, width*a.count)
	if _, err := io.ReadFull(a.data, raw); err != nil {
		return nil, noEOF(err)
	}
	values := make([]float64, a.count)
	for i := range values {
		b := raw[i*width:]
		switch a.kind {
		case matInt8:
			values[i] = float64(int8(b[0]))
		case matUint8:
			values[i] = float64(b[0])
		case matInt16:
			values[i] = float64(int16(a.order.Uint16(b)))
		case matUint16:
			values[i] = float64(a.order.Uint16(b))
		case matInt32:
			values[i] = float64(int32(a.order.Uint32(b)))
		case matUint32:
			values[i] = float64(a.order.Uint32(b))
		case matSingle:
			values[i] = float64(math.Float32frombits(a.order.Uint32(b)))
		case matDouble:
			values[i] = math.Float64frombits(a.order.Uint64(b))
		case matInt64:
			values[i] = float64(int64(a.order.Uint64(b)))
		case matUint64:
			values[i] = float64(a.order.Uint64(b))
		}
	}
	return values, nil
}

// noEOF turns the end of the file within an element into an unexpected end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// matError words the errors of readers and decompressors as a clause about the file.
func matError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ends in the middle of an array, so it is cut short")
	case errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrDictionary),
		errors.As(err, &corrupt):
		return fmt.Errorf("cannot be decompressed (%w), so it is damaged", err)
	}
	return err
}
