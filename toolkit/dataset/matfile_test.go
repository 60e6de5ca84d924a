package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// matWriter writes MAT files of level 5 in one of the format's variants.
type matWriter struct {
	order    binary.AppendByteOrder
	compress bool
	small    bool // data of up to 4 bytes are in their tags, as MATLAB writes them
}

func (w matWriter) header() []byte {
	header := append(bytes.Repeat([]byte{' '}, 116), make([]byte, 8)...)
	copy(header, "MATLAB 5.0 MAT-file")
	header = w.order.AppendUint16(header, 0x0100)
	return w.order.AppendUint16(header, 'M'<<8|'I')
}

// element returns an element inside an array: tag, data and padding.
func (w matWriter) element(kind uint32, data []byte) []byte {
	if w.small && len(data) > 0 && len(data) <= 4 {
		out := w.order.AppendUint32(nil, uint32(len(data))<<16|kind)
		return append(append(out, data...), make([]byte, 4-len(data))...)
	}
	out := w.order.AppendUint32(nil, kind)
	out = w.order.AppendUint32(out, uint32(len(data)))
	return append(append(out, data...), make([]byte, -len(data)&7)...)
}

// arrayHead returns everything of an array before its values.
func (w matWriter) arrayHead(name string, class uint32, dims []int) []byte {
	flags := w.order.AppendUint32(w.order.AppendUint32(nil, class), 0)
	var sizes []byte
	for _, n := range dims {
		sizes = w.order.AppendUint32(sizes, uint32(n))
	}
	body := w.element(matUint32, flags)
	body = append(body, w.element(matInt32, sizes)...)
	return append(body, w.element(matInt8, []byte(name))...)
}

// array returns a complete top-level element.
func (w matWriter) array(name string, class uint32, dims []int, kind uint32, data []byte) []byte {
	body := append(w.arrayHead(name, class, dims), w.element(kind, data)...)
	element := w.order.AppendUint32(w.order.AppendUint32(nil, matMatrix), uint32(len(body)))
	element = append(element, body...)
	if !w.compress {
		return element
	}
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	z.Write(element)
	z.Close()
	out := w.order.AppendUint32(w.order.AppendUint32(nil, matCompressed), uint32(deflated.Len()))
	return append(out, deflated.Bytes()...)
}

const (
	classDouble = 6
	classUint8  = 9
	classChar   = 4
)

// svhnPixel is the test's pixel of image i.
func svhnPixel(i, row, column, channel int) byte { return byte(7*i + 3*row + 5*column + 100*channel) }

// svhnX returns X, in MATLAB's order, for n images.
func svhnX(n int) []byte {
	data := make([]byte, 0, n*imageBytes)
	for i := range n {
		for channel := range channels {
			for column := range side {
				for row := range side {
					data = append(data, svhnPixel(i, row, column, channel))
				}
			}
		}
	}
	return data
}

// svhnY returns the labels 1, 2, ... 10, 1, ...
func svhnY(n int) []byte {
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = byte(i%10 + 1)
	}
	return labels
}

func TestReadSVHNVariants(t *testing.T) {
	doubles := func(order binary.AppendByteOrder, labels []byte) (out []byte) {
		for _, y := range labels {
			out = order.AppendUint64(out, math.Float64bits(float64(y)))
		}
		return out
	}
	shorts := func(order binary.AppendByteOrder, labels []byte) (out []byte) {
		for _, y := range labels {
			out = order.AppendUint16(out, uint16(y))
		}
		return out
	}
	little, big := matWriter{order: binary.LittleEndian}, matWriter{order: binary.BigEndian}
	for name, c := range map[string]struct {
		w     matWriter
		n     int
		kind  uint32 // of y
		y     func(binary.AppendByteOrder, []byte) []byte
		first bool // y comes before X
	}{
		"plain":                   {w: little, n: 12, kind: matUint8},
		"compressed":              {w: matWriter{binary.LittleEndian, true, true}, n: 12, kind: matUint8},
		"big endian":              {w: big, n: 12, kind: matUint8},
		"big endian, compressed":  {w: matWriter{binary.BigEndian, true, true}, n: 12, kind: matUint16, y: shorts},
		"small elements":          {w: matWriter{binary.LittleEndian, false, true}, n: 3, kind: matUint8},
		"small elements, big":     {w: matWriter{binary.BigEndian, false, true}, n: 2, kind: matUint16, y: shorts},
		"doubles":                 {w: little, n: 12, kind: matDouble, y: doubles},
		"doubles, big endian":     {w: big, n: 12, kind: matDouble, y: doubles},
		"labels before images":    {w: matWriter{binary.LittleEndian, true, false}, n: 12, kind: matUint8, first: true},
		"odd number, so padding":  {w: little, n: 11, kind: matUint8, first: true},
		"compressed, odd, double": {w: matWriter{binary.LittleEndian, true, false}, n: 11, kind: matDouble, y: doubles},
	} {
		t.Run(name, func(t *testing.T) {
			y := svhnY(c.n)
			if c.y != nil {
				y = c.y(c.w.order, y)
			}
			file := c.w.header()
			file = append(file, c.w.array("note", classChar, []int{1, 5}, matUint8, []byte("hello"))...)
			elements := [][]byte{
				c.w.array("X", classUint8, []int{side, side, channels, c.n}, matUint8, svhnX(c.n)),
				c.w.array("y", classDouble, []int{c.n, 1}, c.kind, y),
			}
			if c.first {
				elements[0], elements[1] = elements[1], elements[0]
			}
			file = append(append(file, elements[0]...), elements[1]...)

			images, err := readSVHN(bytes.NewReader(file), c.n)
			require.NoError(t, err)
			for i := range c.n {
				require.Equal(t, uint16(i+1)%10, images.Labels[i], "label 10 is digit 0")
				for p, got := range images.Pixels[i*imageBytes : (i+1)*imageBytes] {
					want := svhnPixel(i, p/channels/side, p/channels%side, p%channels)
					if got != want {
						require.Equal(t, want, got, "image %d, byte %d", i, p)
					}
				}
			}
		})
	}
}

func TestReadSVHNErrors(t *testing.T) {
	w := matWriter{order: binary.LittleEndian, compress: true}
	plain := matWriter{order: binary.LittleEndian}
	x := func(w matWriter) []byte {
		return w.array("X", classUint8, []int{side, side, channels, 10}, matUint8, svhnX(10))
	}
	y := func(labels []byte) []byte {
		return plain.array("y", classUint8, []int{len(labels), 1}, matUint8, labels)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	whole := join(w.header(), x(w), y(svhnY(10)))
	damaged := bytes.Clone(whole)
	damaged[128+8+len(x(w))/2] ^= 0xff
	last := bytes.Clone(whole)
	last[128+len(x(w))-1] ^= 0xff // of the checksum of X
	huge := plain.arrayHead("X", classUint8, []int{1 << 30, 1 << 30, 1 << 30})
	huge = join(plain.order.AppendUint32(plain.order.AppendUint32(nil, matMatrix), uint32(len(huge))), huge)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty": {nil, "is shorter than the header of a MAT file"},
		"text":  {bytes.Repeat([]byte("text "), 100), "is no MAT file of version 5"},
		"HDF5": {append([]byte("MATLAB 7.3 MAT-file"), make([]byte, 200)...),
			"is a MAT file of version 7.3, but version 5 is needed"},
		"only images":       {join(w.header(), x(w)), "does not hold both X and y, the images and labels of SVHN"},
		"cut in images":     {whole[:128+len(x(w))/2], "ends in the middle of an array, so it is cut short"},
		"cut in a tag":      {whole[:128+len(x(w))+5], "ends in the middle of an array, so it is cut short"},
		"cut, uncompressed": {join(plain.header(), x(plain)[:9000]), "ends in the middle of an array, so it is cut short"},
		"damaged":           {damaged, "so it is damaged"},
		"damaged checksum":  {last, "so it is damaged"},
		"too many images": {join(w.header(), w.array("X", classUint8, []int{32, 32, 3, 11}, matUint8, svhnX(11))),
			"has X of dimensions [32 32 3 11] and type 2 instead of bytes [32 32 3 10]"},
		"too few labels": {join(w.header(), x(w), y(svhnY(9))), "has y of dimensions [9 1] instead of [10 1]"},
		"label 0": {join(w.header(), x(w), y(make([]byte, 10))),
			"has label 0 at image 0, not one of 1..10, so it is altered"},
		"values too short": {join(w.header(), w.array("y", classUint8, []int{10, 1}, matUint8, svhnY(9))),
			`has 9 bytes of values in array "y", whose dimensions [10 1] need 10`},
		"name with a terminal's command": {join(w.header(), w.array("y\x1b[2J", classUint8, []int{10, 1}, matUint8, svhnY(9))),
			`in array "y\x1b[2J", whose`},
		"unknown type": {join(w.header(), w.array("\n", classUint8, []int{10, 1}, 99, svhnY(9))),
			`stores array "\n" in unknown type 99`},
		"impossible size": {join(plain.header(), huge), "has an array of impossible size"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSVHN(bytes.NewReader(c.file), 10)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// No file makes the reader panic or run forever.
func FuzzReadMAT(f *testing.F) {
	w := matWriter{order: binary.LittleEndian, compress: true, small: true}
	f.Add(append(w.header(), w.array("y", classUint8, []int{3, 1}, matUint8, svhnY(3))...))
	f.Fuzz(func(t *testing.T, file []byte) {
		_ = readMAT(bytes.NewReader(file), func(a matArray) error {
			_, err := io.Copy(io.Discard, a.data)
			return err
		})
	})
}
