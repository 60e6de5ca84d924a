package figures_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/figures"
)

// reading is a circle of an SVG with its title.
type reading struct {
	X     float64 `xml:"cx,attr"`
	Y     float64 `xml:"cy,attr"`
	R     float64 `xml:"r,attr"`
	Title string  `xml:"title"`
}

// readingsOf are those of a figure, by title; the file is well-formed.
func readingsOf(t *testing.T, f *figures.Figure) map[string]reading {
	t.Helper()
	var svg struct {
		Groups []struct {
			Circles []reading `xml:"circle"`
		} `xml:"g"`
	}
	require.NoError(t, xml.NewDecoder(strings.NewReader(string(file(t, f, "svg")))).Decode(&svg))
	found := map[string]reading{}
	for _, group := range svg.Groups {
		for _, circle := range group.Circles {
			found[circle.Title] = circle
		}
	}
	return found
}

// A value of a curve can be read where it is drawn, at any width; what the frame cuts cannot.
func TestValuesCanBeReadFromAnSVG(t *testing.T) {
	const axis = "survival probability of the last block (linear decay) or of all blocks (uniform rule)"
	figure, err := swept(t, figures.OwnStyle{}, figures.Light)
	require.NoError(t, err)
	all := readingsOf(t, figure)
	require.Len(t, all, 7)
	first, middle, last := all["linear decay\n"+axis+" 0.3: 18 (17 to 19)"], all["linear decay\n"+axis+" 0.6: 15 (13 to 17)"],
		all["linear decay\n"+axis+" 0.9: 17 (16 to 18)"]
	require.InDelta(t, (first.X+last.X)/2, middle.X, 0.02)
	require.InDelta(t, 3*(last.Y-first.Y), middle.Y-first.Y, 0.05, "18, 15, 17: three points lower, and one")
	require.Equal(t, 4.0, first.R)

	half, err := figure.In(figures.Style{Width: figure.Width * 0.9})
	require.NoError(t, err)
	smaller := readingsOf(t, half)["linear decay\n"+axis+" 0.6: 15 (13 to 17)"]
	require.InDelta(t, float64(half.Width/figure.Width)*middle.X, smaller.X, 0.5)
	require.Less(t, smaller.Y, float64(half.Height))

	cut, err := swept(t, figures.OwnStyle{X: []float64{0.4, 0.8}}, figures.Light)
	require.NoError(t, err)
	require.Len(t, readingsOf(t, cut), 3, "0.5, 0.6 and constant depth, whose line goes all the way")

	block, err := figures.Confusion(figures.Recorded(""), []string{"a<b", "c"}, [][]int{{3, 1}, {0, 2000}})
	require.NoError(t, err)
	require.Contains(t, readingsOf(t, block), "c\nc: 2000")
	require.Contains(t, readingsOf(t, block), "a<b\nc: 1")
	require.Equal(t, 8*vg.Inch, block.Width)
}

// The two panels of a pruned network are told apart, and so are its fine lines.
func TestNumbersOfPrunedNetworks(t *testing.T) {
	figure, err := figures.Prune(figures.Recorded(""), figures.PruneCurve{Name: "by worth", Networks: []figures.PrunedNetwork{
		{Blocks: 3, MultiplyAdds: 100, Error: 10, AsTrained: 10}, {Blocks: 2, MultiplyAdds: 70, Error: 12, AsTrained: 30}}})
	require.NoError(t, err)
	found := map[[3]string][]float64{}
	for _, n := range figure.Numbers() {
		key := [3]string{n.Panel, n.Series, n.Curve}
		found[key] = append(found[key], n.X, n.Y)
	}
	require.Equal(t, map[[3]string][]float64{
		{"Test error (%)", "by worth", ""}:                  {3, 10, 2, 12},
		{"Test error (%)", "by worth", "as trained"}:        {3, 10, 2, 30},
		{"Test error (%) by multiply-adds", "by worth", ""}: {100, 10, 70, 12},
	}, found)
}
