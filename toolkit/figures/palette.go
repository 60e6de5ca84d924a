package figures

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
)

// writePNG writes a picture with a palette of its 256 most frequent colours, which makes the file less than half as
// large: figures have few colours, and many in-between ones at the edges of letters and lines, of which the rarest
// become their nearest neighbours. A picture with photographs is written as it is.
func writePNG(w io.Writer, picture *image.RGBA) error {
	counts := map[color.RGBA]int{}
	for i := 0; i < len(picture.Pix); i += 4 {
		counts[color.RGBA{picture.Pix[i], picture.Pix[i+1], picture.Pix[i+2], picture.Pix[i+3]}]++
	}
	colors := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), slices.Compare([]uint8{a.R, a.G, a.B, a.A}, []uint8{b.R, b.G, b.B, b.A}))
	})
	frequent := 0
	for _, c := range colors[:min(256, len(colors))] {
		frequent += counts[c]
	}
	if pixels := len(picture.Pix) / 4; frequent < pixels*9/10 {
		return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, picture)
	}
	var palette color.Palette
	index := map[color.RGBA]uint8{}
	for i, c := range colors {
		if i < 256 {
			palette = append(palette, c)
			index[c] = uint8(i)
		} else {
			index[c] = uint8(palette.Index(c))
		}
	}
	small := image.NewPaletted(picture.Bounds(), palette)
	for i := range small.Pix {
		p := picture.Pix[4*i : 4*i+4]
		small.Pix[i] = index[color.RGBA{p[0], p[1], p[2], p[3]}]
	}
	return png.Encode(w, small)
}

// withDPI returns a PNG with its dots per inch in it, so that programs show and place it at its width. It adds the chunk
// pHYs, which image/png does not write, after the header of 33 bytes.
func withDPI(file []byte, dpi int) []byte {
	perMetre := uint32(math.Round(float64(dpi) / 0.0254))
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // the unit is a metre
	const header = 33
	whole := slices.Clone(file[:header])
	whole = binary.BigEndian.AppendUint32(whole, uint32(len(chunk)-4))
	whole = append(whole, chunk...)
	whole = binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(chunk))
	return append(whole, file[header:]...)
}
