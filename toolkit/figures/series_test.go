package figures

import (
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
)

// recorded is what a drawing on a canvas does.
func recorded(paint func(c draw.Canvas)) []recorder.Action {
	var canvas recorder.Canvas
	paint(draw.NewCanvas(&canvas, 600, 300))
	return canvas.Actions
}

// texts are the words of a drawing with their sizes, and filled how many areas have each colour.
func texts(actions []recorder.Action) (words []string, sizes []vg.Length, filled map[color.Color]int) {
	filled = make(map[color.Color]int)
	var now color.Color
	for _, action := range actions {
		switch a := action.(type) {
		case *recorder.SetColor:
			now = a.Color
		case *recorder.Fill:
			filled[now]++
		case *recorder.FillString:
			words, sizes = append(words, a.String), append(sizes, a.Size)
		}
	}
	return words, sizes, filled
}

// An index is below the line; a text that only ends like one is drawn as it is.
func TestIndexes(t *testing.T) {
	for line, want := range map[string]string{
		"p_L = 0.5":                  "p|L| = 0.5",
		"with p_L, (p_ℓ) and p_":     "with |p|L|, (|p|ℓ|) and p_",
		"p_":                         "p_",
		"a run of the name p_":       "a run of the name p_",
		"step_ p_ and p_test, ap_L,": "step_ p_ and p_test, ap_L,",
	} {
		words, sizes, _ := texts(recorded(func(c draw.Canvas) { prose(c, text(sans(smallSize), ink), vg.Point{}, line) }))
		require.Equal(t, want, strings.Join(words, "|"))
		for i, word := range words {
			require.Equal(t, word == "L" || word == "ℓ", sizes[i] < smallSize, word)
		}
	}
	for line, want := range map[string]string{"SVHN_": "SVHN_", "H_{12}": "H|12", "a_": "a_", "_": "_", "b_l_": "b|l|_"} {
		words, _, _ := texts(recorded(func(c draw.Canvas) { title(c, line) }))
		require.Equal(t, want, strings.Join(words, "|"))
	}
	// Wherever the words of a reader stand.
	words := "Trained with the rule p_"
	figure, err := Table{Title: words, Columns: []string{words, "p_"}, Rows: []TableRow{{Cells: []string{"p_", words}}},
		Provenance: Recorded(words)}.Figure()
	require.NoError(t, err)
	_, err = figure.Bytes("svg")
	require.NoError(t, err)
}

// A curve of one point, from a run of one epoch or of one evaluation, has a mark, with or without a marker of its own.
func TestOnePointIsSeen(t *testing.T) {
	one := plotter.XYs{{X: 1, Y: 0.5}}
	curve := func(points plotter.XYs, style seriesStyle) map[color.Color]int {
		_, _, filled := texts(recorded(func(c draw.Canvas) {
			p := newPlot()
			p.X.Max, p.Y.Max = 2, 1
			addCurve(p, style, points)
			p.Draw(c)
		}))
		return filled
	}
	require.Equal(t, 1, curve(one, constantStyle)[constantStyle.hue()])
	require.Equal(t, 1, curve(one, constantLossStyle)[constantLossStyle.hue()])
	require.Zero(t, curve(append(one, plotter.XY{X: 2, Y: 0.4}), constantLossStyle)[constantLossStyle.hue()], "a line needs no dots")

	training := []*Training{{Error: one, Loss: one, Selected: one[0]}}
	figure, err := TrainingCurves(Recorded(""), Panel{Title: "one", Constant: training, Stochastic: training})
	require.NoError(t, err)
	_, _, filled := texts(recorded(figure.paint))
	require.Equal(t, [2]int{1, 1}, [2]int{filled[constantLossStyle.hue()], filled[stochasticLossStyle.hue()]}, "the training losses")

	_, _, filled = texts(recorded(func(c draw.Canvas) {
		p := newPlot()
		p.X.Max, p.Y.Max = 2, 1
		addRuns(p, constantStyle, []plotter.XYs{one, {{X: 1, Y: 0.25}}, {{X: 1, Y: 0.75}}})
		p.Draw(c)
	}))
	require.Equal(t, [2]int{3, 1}, [2]int{filled[blend{constantStyle.hue(), 0.55}], filled[constantStyle.hue()]},
		"three seeds and their mean")
}
