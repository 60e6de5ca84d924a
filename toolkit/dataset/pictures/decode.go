package pictures

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"sync"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// The largest picture and the largest file of one. A picture's size is known from its first bytes, before it takes memory.
const (
	largestPicture = 64 << 20  // pixels
	largestSide    = 1<<16 - 1 // pixels, as in JPEG
	largestFile    = 256 << 20 // bytes
)

// large is held while a picture of more pixels than this is decoded: such pictures take up to 12 bytes a pixel, and are decoded
// one at a time.
const largePicture = 8 << 20

var large sync.Mutex

// A decoder reads one format of pictures.
type decoder struct {
	begins string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var decoders = []decoder{
	{"\xff\xd8", jpeg.DecodeConfig, jpeg.Decode},
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
}

// decoderOf returns the decoder for data that begins so; the name of a file does not count.
func decoderOf(begin []byte) (decoder, error) {
	for _, d := range decoders {
		if bytes.HasPrefix(begin, []byte(d.begins)) {
			return d, nil
		}
	}
	if len(begin) == 0 {
		return decoder{}, errors.New("is empty")
	}
	return decoder{}, errors.New("is no JPEG or PNG")
}

// decodeFile reads a picture, with opaque colours of 8 bits, and converts it by the settings into pixels [side, side, 3]. The
// error is a clause about the file.
func (s Settings) decodeFile(path string, pixels []byte) error {
	data, err := files.Read(path, largestFile)
	if err != nil {
		return fmt.Errorf("cannot be read (%w)", cause(err))
	}
	d, err := decoderOf(data)
	if err != nil {
		return err
	}
	config, err := d.config(bytes.NewReader(data))
	if err != nil {
		return damage(err)
	}
	if err := checkSize(config); err != nil {
		return err
	}
	if config.Width*config.Height > largePicture {
		large.Lock()
		defer large.Unlock()
	}
	picture, err := d.decode(bytes.NewReader(data))
	if err != nil {
		return damage(err)
	}
	turned := upright
	if s.EXIF == ObeyEXIF && d.begins == decoders[0].begins {
		turned = orientationOf(data)
	}
	s.convert(opaque(picture), turned, pixels)
	return nil
}

// checkSize refuses pictures without pixels and those that would take too much memory.
func checkSize(c image.Config) error {
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return errors.New("has no pixels")
	case c.Width > largestSide || c.Height > largestSide:
		return fmt.Errorf("has %s x %s pixels, and no side may have more than %s: make it smaller",
			say.Grouped(c.Width), say.Grouped(c.Height), say.Grouped(largestSide))
	case c.Width > largestPicture/c.Height:
		return fmt.Errorf("has %s x %s pixels, more than the %d million that are read: make it smaller",
			say.Grouped(c.Width), say.Grouped(c.Height), largestPicture>>20)
	}
	return nil
}

// damage says what a decoder's error means.
func damage(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.Contains(err.Error(), "short Huffman data"),
		strings.Contains(err.Error(), "not enough pixel data"):
		return errors.New("is cut short")
	case strings.Contains(err.Error(), "Adobe APP14"):
		return errors.New("is CMYK without Adobe's marker, which Go cannot decode: save it as RGB")
	}
	return fmt.Errorf("cannot be decoded (%w)", err)
}

// opaque returns the picture without transparency and with 8 bits, in a type that is scaled fast. Transparent pixels keep their
// colours, as in Pillow's convert("RGB"); of 16 bits the upper 8 are taken.
func opaque(picture image.Image) image.Image {
	bounds := picture.Bounds()
	switch p := picture.(type) {
	case *image.NRGBA:
		for i := 3; i < len(p.Pix); i += 4 {
			p.Pix[i] = 255
		}
		return p
	case *image.Gray16:
		grey := image.NewGray(bounds)
		for i := range grey.Pix {
			grey.Pix[i] = p.Pix[2*i]
		}
		return grey
	case *image.RGBA64:
		return upperBytes(bounds, p.Pix)
	case *image.NRGBA64:
		return upperBytes(bounds, p.Pix)
	case *image.Paletted:
		rgba := image.NewRGBA(bounds)
		for i, index := range p.Pix {
			c := color.NRGBA{A: 255}
			if int(index) < len(p.Palette) {
				c = color.NRGBAModel.Convert(p.Palette[index]).(color.NRGBA)
			}
			copy(rgba.Pix[4*i:], []byte{c.R, c.G, c.B, 255})
		}
		return rgba
	case *image.YCbCr: // converted once, not for each weight with which it is scaled
		rgba := image.NewRGBA(bounds)
		draw.Draw(rgba, bounds, p, bounds.Min, draw.Src)
		return rgba
	case *image.CMYK:
		rgba := image.NewRGBA(bounds)
		for i := 0; i < len(p.Pix); i += 4 {
			r, g, b := color.CMYKToRGB(p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3])
			copy(rgba.Pix[i:], []byte{r, g, b, 255})
		}
		return rgba
	}
	return picture // grey, or opaque RGBA
}

// upperBytes makes a picture of the upper bytes of colours of 16 bits.
func upperBytes(bounds image.Rectangle, wide []byte) image.Image {
	rgba := image.NewRGBA(bounds)
	for i := range rgba.Pix {
		rgba.Pix[i] = wide[2*i]
		if i%4 == 3 {
			rgba.Pix[i] = 255
		}
	}
	return rgba
}
