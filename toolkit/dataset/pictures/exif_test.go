package pictures

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/stretchr/testify/require"
)

// withOrientation adds EXIF data to a JPEG.
func withOrientation(data []byte, order binary.AppendByteOrder, o int) []byte {
	tiff := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2) // entries
	for _, entry := range [][2]uint16{{0x0100, 7}, {0x0112, uint16(o)}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, 3) // short
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(body)))
	comment := []byte{0xff, 0xfe, 0, 4, 'h', 'i'}
	return bytes.Join([][]byte{data[:2], comment, segment, body, data[2:]}, nil)
}

func encodeJPEG(t testing.TB, picture image.Image) []byte {
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, picture, &jpeg.Options{Quality: 100}))
	return out.Bytes()
}

// quarters is a grey picture of 32 x 48 whose quarters are different: 10, 80 above, 150, 220 below.
func quarters() *image.Gray {
	picture := image.NewGray(image.Rect(0, 0, 32, 48))
	for y := range 48 {
		for x := range 32 {
			picture.SetGray(x, y, color.Gray{uint8(10 + 70*(x/16) + 140*(y/24))})
		}
	}
	return picture
}

// All eight orientations, in both orders of bytes, become the quarters that the EXIF standard says; leave leaves them.
func TestOrientations(t *testing.T) {
	data := encodeJPEG(t, quarters())
	for o, want := range map[int][4]byte{
		1: {10, 80, 150, 220}, 2: {80, 10, 220, 150}, 3: {220, 150, 80, 10}, 4: {150, 220, 10, 80},
		5: {10, 150, 80, 220}, 6: {150, 10, 220, 80}, 7: {220, 80, 150, 10}, 8: {80, 220, 10, 150},
		0: {10, 80, 150, 220}, 9: {10, 80, 150, 220}, // no orientations
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			turned := withOrientation(data, order, o)
			require.Equal(t, want, corners(t, Settings{16, Squeeze, ObeyEXIF}, turned), o)
			require.Equal(t, [4]byte{10, 80, 150, 220}, corners(t, Settings{16, Squeeze, LeaveEXIF}, turned), o)
		}
	}
}

// corners are the first channel in the middle of each quarter of a picture that is 16 x 16.
func corners(t *testing.T, s Settings, data []byte) (at [4]byte) {
	pixels := decoded(t, s, data)
	for i, p := range [][2]int{{4, 4}, {11, 4}, {4, 11}, {11, 11}} {
		at[i] = pixels[channels*(p[1]*16+p[0])]
	}
	return at
}

// A turned picture becomes what the same picture, stored upright, becomes: also where the square that is cut out lies off the
// middle by half a pixel.
func TestTurnedPicturesAreCutLikeUprightOnes(t *testing.T) {
	stored := noise(53, 37)
	for o := orientation(1); o <= 8; o++ {
		width, height := 53, 37
		if o.sideways() {
			width, height = height, width
		}
		straight := image.NewRGBA(image.Rect(0, 0, width, height))
		for y := range height {
			for x := range width {
				straight.Set(x, y, stored.At(o.source(x, y, 53, 37)))
			}
		}
		s := Settings{Side: 16, Resize: ShortSide}
		turned, want := make([]byte, s.bytes()), make([]byte, s.bytes())
		s.convert(stored, o, turned)
		s.convert(straight, upright, want)
		require.Equal(t, want, turned, o)
	}
}

func FuzzOrientation(f *testing.F) {
	data := encodeJPEG(f, quarters())
	f.Add(withOrientation(data, binary.LittleEndian, 6))
	f.Add(withOrientation(data, binary.BigEndian, 8)[:60])
	f.Add([]byte("\xff\xd8\xff\xff\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := orientationOf(data)
		require.True(t, o >= 1 && o <= 8)
	})
}
