package pictures

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func encodePNG(t testing.TB, picture image.Image) []byte {
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, picture))
	return out.Bytes()
}

// decoded converts the content of a file.
func decoded(t testing.TB, s Settings, data []byte) []byte {
	pixels, err := decode(t, s, data)
	require.NoError(t, err)
	return pixels
}

func decode(t testing.TB, s Settings, data []byte) ([]byte, error) {
	path := filepath.Join(t.TempDir(), "picture")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	pixels := make([]byte, s.bytes())
	return pixels, s.decodeFile(path, pixels)
}

func noise(width, height int) *image.RGBA {
	rng := rand.New(rand.NewPCG(1, 2))
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = byte(rng.Uint32())
		if i%4 == 3 {
			picture.Pix[i] = 255
		}
	}
	return picture
}

// filled returns a picture of one colour.
func filled[P interface {
	image.Image
	Set(x, y int, c color.Color)
}](picture P, c color.Color) image.Image {
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			picture.Set(x, y, c)
		}
	}
	return picture
}

// Every kind of colours becomes RGB of 8 bits: transparent pixels keep their colours, of 16 bits the upper 8 count.
func TestKindsOfColours(t *testing.T) {
	s, r := Settings{8, ShortSide, ObeyEXIF}, image.Rect(0, 0, 16, 16)
	wide, thin := color.RGBA64{0x12ff, 0x3480, 0x5600, 0xffff}, color.NRGBA64{0x12ff, 0x3480, 0x5600, 0x1000}
	palette := color.Palette{color.Black, color.NRGBA{200, 100, 50, 30}}
	for name, c := range map[string]struct {
		data    []byte
		want    [3]byte
		further int // the error of JPEG's colours
	}{
		"opaque":            {encodePNG(t, filled(image.NewRGBA(r), color.NRGBA{200, 100, 50, 255})), [3]byte{200, 100, 50}, 0},
		"transparent":       {encodePNG(t, filled(image.NewNRGBA(r), color.NRGBA{200, 100, 50, 3})), [3]byte{200, 100, 50}, 0},
		"palette":           {encodePNG(t, filled(image.NewPaletted(r, palette), palette[1])), [3]byte{200, 100, 50}, 0},
		"grey":              {encodePNG(t, filled(image.NewGray(r), color.Gray{77})), [3]byte{77, 77, 77}, 0},
		"16 bits, grey":     {encodePNG(t, filled(image.NewGray16(r), color.Gray16{0x12ff})), [3]byte{0x12, 0x12, 0x12}, 0},
		"16 bits":           {encodePNG(t, filled(image.NewRGBA64(r), wide)), [3]byte{0x12, 0x34, 0x56}, 0},
		"16 bits and alpha": {encodePNG(t, filled(image.NewNRGBA64(r), thin)), [3]byte{0x12, 0x34, 0x56}, 0},
		"JPEG":              {encodeJPEG(t, filled(image.NewRGBA(r), color.NRGBA{200, 100, 50, 255})), [3]byte{200, 100, 50}, 2},
		"JPEG, grey":        {encodeJPEG(t, filled(image.NewGray(r), color.Gray{77})), [3]byte{77, 77, 77}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pixels := range [][]byte{decoded(t, s, c.data), decoded(t, Settings{16, ShortSide, ObeyEXIF}, c.data)} {
				for i, x := range pixels {
					require.InDelta(t, c.want[i%channels], x, float64(c.further), i)
				}
			}
		})
	}
	cmyk := filled(&settable{image.NewCMYK(r)}, color.CMYK{10, 60, 110, 20}).(*settable)
	pixels, want := make([]byte, s.bytes()), color.NRGBAModel.Convert(color.CMYK{10, 60, 110, 20}).(color.NRGBA)
	s.convert(opaque(cmyk.CMYK), upright, pixels)
	require.Equal(t, []byte{want.R, want.G, want.B}, pixels[:3])
}

type settable struct{ *image.CMYK }

func (s *settable) Set(x, y int, c color.Color) { s.SetCMYK(x, y, c.(color.CMYK)) }

// Scaling is within 1 of 255 of the antialiased tent that Pillow and torchvision compute, here in plain float64: a pixel at the
// position x of the picture counts 1 - |x - centre|/scale.
func TestScalingIsAntialiased(t *testing.T) {
	for _, size := range []image.Point{{200, 150}, {150, 200}, {48, 48}, {20, 31}, {1, 1}, {3, 500}} {
		picture := noise(size.X, size.Y)
		for _, resize := range []string{ShortSide, Squeeze} {
			s := Settings{Side: 24, Resize: resize}
			pixels := make([]byte, s.bytes())
			s.convert(picture, upright, pixels)
			from, worst := picture.Bounds(), 0.0
			if resize == ShortSide && size.Y > longest*size.X { // of 3 x 500 the centre, 3 x 48
				from = image.Rect(0, 226, 3, 274)
			}
			whole, left, top := s.scaled(from.Dx(), from.Dy(), upright)
			for y := range s.Side {
				for x := range s.Side {
					columns, rows := tent(x+left, whole.X, from.Dx()), tent(y+top, whole.Y, from.Dy())
					for channel := range channels {
						sum := 0.0
						for row, v := range rows {
							for column, h := range columns {
								sum += v * h * float64(picture.Pix[picture.PixOffset(column, row+from.Min.Y)+channel])
							}
						}
						worst = max(worst, math.Abs(sum-float64(pixels[channels*(y*s.Side+x)+channel])))
					}
				}
			}
			require.LessOrEqual(t, worst, 1.0, "%v %s", size, resize)
		}
	}
}

// tent returns the weights of n pixels for pixel i of those that they are scaled to.
func tent(i, to, n int) map[int]float64 {
	scale := float64(n) / float64(to)
	centre, width, sum, weights := (float64(i)+0.5)*scale-0.5, max(1, scale), 0.0, map[int]float64{}
	for p := range n {
		if w := 1 - math.Abs(float64(p)-centre)/width; w > 0 {
			weights[p] = w
			sum += w
		}
	}
	for p := range weights {
		weights[p] /= sum
	}
	return weights
}

// The centre is cut out where torchvision's Resize and CenterCrop cut it: sizes and offsets from there.
func TestCutsAreTorchvisions(t *testing.T) {
	s := Settings{Side: 64, Resize: ShortSide}
	for _, c := range []struct{ width, height, wide, high, left, top int }{
		{500, 375, 85, 64, 10, 0}, {375, 500, 64, 85, 0, 10}, {64, 64, 64, 64, 0, 0}, {100, 67, 95, 64, 16, 0},
		{67, 100, 64, 95, 0, 16}, {640, 480, 85, 64, 10, 0}, {1, 1, 64, 64, 0, 0}, {65, 64, 65, 64, 0, 0}, {67, 64, 67, 64, 2, 0},
	} {
		whole, left, top := s.scaled(c.width, c.height, upright)
		require.Equal(t, c, struct{ width, height, wide, high, left, top int }{c.width, c.height, whole.X, whole.Y, left, top})
	}
}

// What cannot be read is refused with a clause that says why, and a picture that is too large before it takes memory.
func TestRefusedPictures(t *testing.T) {
	s := Settings{8, ShortSide, ObeyEXIF}
	whole := encodeJPEG(t, noise(40, 40))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":       {nil, "is empty"},
		"text":        {[]byte("hello"), "is no JPEG or PNG"},
		"cut short":   {whole[:len(whole)/2], "is cut short"},
		"huge":        {pngOf(20_000, 20_000), "has 20,000 x 20,000 pixels, more than the 64 million that are read: make it smaller"},
		"long":        {pngOf(1, 70_000), "has 1 x 70,000 pixels, and no side may have more than 65,535: make it smaller"},
		"nothing":     {whole[:2], "is cut short"},
		"no PNG":      {encodePNG(t, noise(8, 8))[:30], "is cut short"},
		"four colour": {cmykWithoutMarker(), "is CMYK without Adobe's marker, which Go cannot decode: save it as RGB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(t, s, c.data)
			require.EqualError(t, err, c.want)
		})
	}
	require.EqualError(t, s.decodeFile("/dev/zero", nil), "cannot be read (/dev/zero is no regular file)")
}

// pngOf is the beginning of a PNG of a size.
func pngOf(width, height uint32) []byte {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	head = binary.BigEndian.AppendUint32(head, height)
	head = append(head, 8, 2, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(head))
}

// cmykWithoutMarker is a JPEG of four colours, one black block, in which every code is the bit 0.
func cmykWithoutMarker() []byte {
	codes := "\x01" + string(make([]byte, 15)) + "\x00"
	return []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) +
		"\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00" +
		"\xff\xc4\x00\x14\x00" + codes + "\xff\xc4\x00\x14\x10" + codes +
		"\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00\x00\x3f\x00\x00\xff\xd9")
}

// Any data becomes an image or an error.
func FuzzDecode(f *testing.F) {
	f.Add(encodeJPEG(f, noise(9, 7)))
	f.Add(encodePNG(f, noise(9, 7)))
	f.Add(pngOf(1, 30_000))
	f.Add(cmykWithoutMarker())
	path := filepath.Join(f.TempDir(), "picture")
	s := Settings{8, ShortSide, ObeyEXIF}
	pixels := make([]byte, s.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o644))
		if err := s.decodeFile(path, pixels); err != nil {
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
