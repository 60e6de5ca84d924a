package gallery_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/figures/gallery"
)

// Every figure can be drawn in every format, in both themes and in a column, and its PDF has what was drawn: as many
// areas, texts and lines, without the lines of zero width.
func TestEveryFormat(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for a while")
	}
	sources := read(t, data)
	styles := map[string]figures.Style{"light": {}, "dark": {Theme: figures.Dark}, "column": {Width: 8 * vg.Centimeter}}
	for _, entry := range gallery.Entries() {
		if !sources.Available(entry) {
			continue
		}
		t.Run(entry.Name, func(t *testing.T) {
			drawn, err := sources.Draw(entry, gallery.Network{})
			require.NoError(t, err)
			drawings := []string{"fig1"}           // which show no numbers
			tabled := []string{"time-to-accuracy"} // which have a table beside the figure
			require.Equal(t, (drawn.Table == nil || slices.Contains(tabled, entry.Name)) && !slices.Contains(drawings, entry.Name),
				len(drawn.Figure.Numbers()) > 0)
			for name, style := range styles {
				figure, err := drawn.Figure.In(style)
				if name == "column" && err != nil {
					require.ErrorContains(t, err, "the figure cannot be read at a width of 8 cm: ask for ")
					require.NotEmpty(t, drawn.Markdown, "only tables are too wide for a column")
					continue
				}
				require.NoError(t, err)
				svg, err := figure.Bytes("svg")
				require.NoError(t, err)
				require.True(t, bytes.HasSuffix(bytes.TrimSpace(svg), []byte("</svg>")))
				picture, err := figure.PNG(40)
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(picture, []byte("\x89PNG")))

				var canvas recorder.Canvas
				figure.Draw(draw.NewCanvas(&canvas, figure.Width, figure.Height))
				pdf, err := figure.Bytes("pdf")
				require.NoError(t, err)
				require.Equal(t, drawnOn(canvas.Actions), drawnIn(t, pdf), name)
			}
		})
	}
}

// marks counts the areas, lines and texts of a drawing.
type marks struct{ areas, lines, texts int }

func drawnOn(actions []recorder.Action) (m marks) {
	widths := []vg.Length{1}
	for _, action := range actions {
		now := &widths[len(widths)-1]
		switch a := action.(type) {
		case *recorder.SetLineWidth:
			*now = a.Width
		case *recorder.Push:
			widths = append(widths, *now)
		case *recorder.Pop:
			widths = widths[:len(widths)-1]
		case *recorder.Fill:
			m.areas++
		case *recorder.Stroke:
			if *now > 0 {
				m.lines++
			}
		case *recorder.FillString:
			m.texts++
		}
	}
	return m
}

// drawnIn counts the operators of a PDF's page.
func drawnIn(t *testing.T, pdf []byte) (m marks) {
	t.Helper()
	page := regexp.MustCompile(`(?s)/Filter /FlateDecode /Length \d+>>\nstream\n(.*?)\nendstream`).FindSubmatch(pdf)
	require.NotNil(t, page)
	reader, err := zlib.NewReader(bytes.NewReader(page[1]))
	require.NoError(t, err)
	content, err := io.ReadAll(reader)
	require.NoError(t, err)
	lines := "\n" + strings.ReplaceAll(string(content), "\r", "") + "\n"
	return marks{strings.Count(lines, "\nf\n"), strings.Count(lines, "\nS\n"), strings.Count(lines, ") Tj")}
}
