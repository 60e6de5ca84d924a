package figures_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
)

// curves is a figure with most of what figures have: two panels, two axes, circles, a title, a legend and a caption.
func curves(t *testing.T, style figures.Style) *figures.Figure {
	t.Helper()
	panel := longPanel()
	panel.Title = "SVHN, 152 layers"
	figure, err := figures.TrainingCurves(figures.Published("A caption with p_L = 0.5.").Of("Fig. 4"), panel, panel)
	require.NoError(t, err)
	styled, err := figure.In(style)
	require.NoError(t, err)
	return styled
}

func file(t *testing.T, f *figures.Figure, format string) []byte {
	t.Helper()
	data, err := f.Bytes(format)
	require.NoError(t, err)
	return data
}

// pdfText are the words of a PDF's page, one string a line, and pdfFonts the embedded fonts.
func pdfText(t *testing.T, data []byte) (words []string, fonts []string) {
	t.Helper()
	for _, stream := range regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`).FindAllSubmatch(data, -1) {
		reader, err := zlib.NewReader(bytes.NewReader(stream[1]))
		if err != nil {
			continue
		}
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		for _, shown := range regexp.MustCompile(`(?s)Td \((.*?)\) Tj`).FindAllSubmatch(content, -1) {
			plain := regexp.MustCompile(`(?s)\\(.)`).ReplaceAll(shown[1], []byte("$1"))
			var units []uint16
			for i := 0; i+1 < len(plain); i += 2 {
				units = append(units, binary.BigEndian.Uint16(plain[i:]))
			}
			words = append(words, string(utf16.Decode(units)))
		}
	}
	for _, name := range regexp.MustCompile(`/FontName /(\S+)`).FindAllSubmatch(data, -1) {
		fonts = append(fonts, string(name[1]))
	}
	require.Equal(t, len(fonts), bytes.Count(data, []byte("/FontFile2 ")), "each font is embedded")
	return words, fonts
}

func TestTextStaysText(t *testing.T) {
	figure := curves(t, figures.Style{})
	words, fonts := pdfText(t, file(t, figure, "pdf"))
	for _, want := range []string{"Fig. 4, Huang et al. 2016: test error and training loss", "SVHN, 152 layers",
		"epoch", "published"} {
		require.Contains(t, words, want)
	}
	require.Len(t, fonts, 2, "regular and bold")
	require.Contains(t, strings.ToLower(strings.Join(fonts, " ")), "liberation")

	svg := string(file(t, figure, "svg"))
	for _, want := range []string{">Fig. 4, Huang et al. 2016: test error and training loss</text>", ">SVHN, 152 layers</text>"} {
		require.Contains(t, svg, want)
	}

	// Letters outside of the old code pages, too.
	schematic, err := figures.StochasticDepth(depth.Linear(2, 0.5), depth.AllOpen(2))
	require.NoError(t, err)
	words, _ = pdfText(t, file(t, schematic, "pdf"))
	require.Contains(t, words, "Block ℓ is open with survival probability ")
}

func TestWidth(t *testing.T) {
	for _, centimetres := range []float64{8, 17, 30} {
		width := vg.Length(centimetres) * vg.Centimeter
		figure := curves(t, figures.Style{Width: width})
		require.Equal(t, width, figure.Width)

		picture, err := png.DecodeConfig(bytes.NewReader(file(t, figure, "png")))
		require.NoError(t, err)
		require.InDelta(t, centimetres/2.54*figures.DPI, float64(picture.Width), 1)
		require.InDelta(t, float64(figure.Height/figure.Width), float64(picture.Height)/float64(picture.Width), 0.002)
		// 300 dots an inch are 11811 a metre.
		require.Contains(t, string(file(t, figure, "png")), "pHYs\x00\x00\x2e\x23\x00\x00\x2e\x23\x01")

		box := regexp.MustCompile(`/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]`).FindSubmatch(file(t, figure, "pdf"))
		require.NotNil(t, box)
		require.InDelta(t, float64(width), number(t, box[1]), 0.01)
		require.InDelta(t, float64(figure.Height), number(t, box[2]), 0.01)

		size := regexp.MustCompile(`<svg width="([\d.]+)pt" height="([\d.]+)pt"`).FindSubmatch(file(t, figure, "svg"))
		require.NotNil(t, size)
		require.InDelta(t, float64(width), number(t, size[1]), 0.01)

		least := vg.Length(100)
		var canvas recorder.Canvas
		figure.Draw(draw.NewCanvas(&canvas, figure.Width, figure.Height))
		scale := vg.Length(1)
		for _, action := range canvas.Actions {
			switch a := action.(type) {
			case *recorder.Scale:
				scale = vg.Length(a.X)
			case *recorder.FillString:
				if !strings.HasPrefix(a.String, "L") { // the index of p_L
					least = min(least, a.Size*scale)
				}
			}
		}
		require.GreaterOrEqual(t, float64(least), 5.99, "text can be read at %g cm", centimetres)
	}
	// The whole figure keeps its proportions where it is not laid out again.
	full, smaller := curves(t, figures.Style{}), curves(t, figures.Style{Width: 17 * vg.Centimeter})
	require.InDelta(t, float64(full.Height/full.Width), float64(smaller.Height/smaller.Width), 0.01)
	// In a column the two panels are below each other.
	column := curves(t, figures.Style{Width: 8 * vg.Centimeter})
	require.Greater(t, float64(column.Height/column.Width), 1.0)

	_, err := full.In(figures.Style{Width: 3 * vg.Centimeter})
	require.EqualError(t, err, "the figure cannot be read at a width of 3 cm: ask for 7.0 to 200 cm")
	table := figures.Table{Title: "Wide", Columns: []string{strings.Repeat("a long column ", 6), "b"},
		Rows: []figures.TableRow{{Cells: []string{"1", "2"}}}}
	wide, err := table.Figure()
	require.NoError(t, err)
	_, err = wide.In(figures.Style{Width: 8 * vg.Centimeter})
	require.ErrorContains(t, err, "the figure cannot be read at a width of 8 cm: ask for ")
}

func number(t *testing.T, digits []byte) float64 {
	t.Helper()
	length, err := vg.ParseLength(string(digits) + "pt")
	require.NoError(t, err)
	return float64(length)
}

func TestWithoutTitleAndCaption(t *testing.T) {
	full := curves(t, figures.Style{})
	untitled := curves(t, figures.Style{NoTitle: true})
	bare := curves(t, figures.Style{NoTitle: true, NoCaption: true})
	require.Less(t, untitled.Height, full.Height)
	require.Less(t, bare.Height, untitled.Height)
	for words, in := range map[string][3]bool{ // of the three figures
		"Huang et al.":          {true, false, false},
		">published<":           {true, false, false},
		">A caption with":       {true, false, false},
		">Published. A caption": {false, true, false}, // what the corner said is in the caption
		">SVHN, 152 layers<":    {true, true, true},
		"test error, constant":  {true, true, true},
	} {
		for i, figure := range []*figures.Figure{full, untitled, bare} {
			require.Equal(t, in[i], bytes.Contains(file(t, figure, "svg"), []byte(words)), "%q in figure %d", words, i)
		}
	}
}

func TestDarkTheme(t *testing.T) {
	dark := curves(t, figures.Style{Theme: figures.Dark})
	picture, err := png.Decode(bytes.NewReader(file(t, dark, "png")))
	require.NoError(t, err)
	ground := color.NRGBAModel.Convert(picture.At(2, 2)).(color.NRGBA)
	require.Less(t, int(ground.R)+int(ground.G)+int(ground.B), 100)
	white := 0
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if r, g, b, _ := picture.At(x, y).RGBA(); r == 0xffff && g == 0xffff && b == 0xffff {
				white++
			}
		}
	}
	require.Zero(t, white, "no box of the light theme is left")
	require.Contains(t, string(file(t, dark, "svg")), "#15191E")
	require.NotContains(t, string(file(t, curves(t, figures.Style{}), "svg")), "#15191E")

	_, err = dark.In(figures.Style{Theme: "grey"})
	require.EqualError(t, err, `unknown theme "grey": use light or dark`)
}
