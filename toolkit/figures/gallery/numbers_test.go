package gallery_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
)

// numbersOf draws a figure and returns its numbers.
func numbersOf(t *testing.T, sources *gallery.Sources, name string) []figures.Number {
	t.Helper()
	return drawn(t, sources, name).Figure.Numbers()
}

func drawn(t *testing.T, sources *gallery.Sources, name string) *gallery.Drawing {
	t.Helper()
	entry, err := gallery.Find(name)
	require.NoError(t, err)
	drawing, err := sources.Draw(entry, gallery.Network{})
	require.NoError(t, err)
	return drawing
}

// find returns the only number of a series at x.
func find(t *testing.T, numbers []figures.Number, panel, series, curve string, x float64) figures.Number {
	t.Helper()
	var found []figures.Number
	for _, n := range numbers {
		if n.Panel == panel && n.Series == series && n.Curve == curve && n.X == x {
			found = append(found, n)
		}
	}
	require.Len(t, found, 1, "%s, %s, %s at %g", panel, series, curve, x)
	return found[0]
}

func TestFiguresKnowTheirNumbers(t *testing.T) {
	sources := read(t, data)

	// The paper's curves, point by point, beyond what its frame cuts.
	fig3 := numbersOf(t, sources, "paper/fig3")
	curve, err := sources.Paper.Curve("Fig. 3 right", published.Key{Quantity: published.TestError, Method: published.Network, Survival: 1})
	require.NoError(t, err)
	for _, point := range curve.Points {
		require.Equal(t, point[1], find(t, fig3, "CIFAR-100+, 110 layers", "test error, constant", "", point[0]).Y)
	}
	fig7 := numbersOf(t, sources, "paper/fig7")
	curve, err = sources.Paper.Curve("Fig. 7", published.Key{Quantity: published.GradientMagnitude, Method: published.Network, Survival: 1})
	require.NoError(t, err)
	at := curve.Points[100]
	require.Equal(t, at[1], find(t, fig7, "Mean gradient magnitude", "constant depth", "", at[0]).Y, "in the data's unit")
	grid := numbersOf(t, sources, "paper/fig8-right")
	require.Len(t, grid, 36)
	require.Equal(t, 5.25, find(t, grid, "Test error (%)", "p_L = 0.5", "", 110).Y)

	// Means over seeds with their spread; the seeds and their mean.
	swept := drawn(t, sources, "fig8-left")
	list, err := sources.Runs(swept.Named)
	require.NoError(t, err)
	errors, err := outcome.SurvivalErrorsOf(list)
	require.NoError(t, err)
	require.NotEmpty(t, errors.Linear)
	means := swept.Figure.Numbers()
	for _, want := range errors.Linear {
		n := find(t, means, "Test error (%)", "linear decay", "", want.Survival)
		require.Equal(t, want.Error.Mean, n.Y)
		require.InDelta(t, want.Error.Mean-want.Error.Deviation, n.Lower, 1e-9)
		require.InDelta(t, want.Error.Mean+want.Error.Deviation, n.Upper, 1e-9)
	}
	quickstart := numbersOf(t, sources, "quickstart")
	sum := 0.0
	for seed := range 12 {
		sum += find(t, quickstart, "Test error (%)", "stochastic depth", strconv.Itoa(seed+1), 240).Y
	}
	require.InDelta(t, sum/12, find(t, quickstart, "Test error (%)", "stochastic depth", "mean", 240).Y, 1e-9)
}

func TestNumbersAndTablesAsFiles(t *testing.T) {
	sources, dir := read(t, data), t.TempDir()
	var said []string
	save := func(out string, formats []string, names ...string) error {
		return sources.SaveNamed(names, filepath.Join(dir, out), formats, gallery.Network{}, figures.Style{}, nil,
			func(line string) { said = append(said, line) })
	}
	require.NoError(t, save("numbers.csv", nil, "paper/fig5"))
	lines, err := csv.NewReader(strings.NewReader(string(fileAt(t, dir, "numbers.csv")))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, [][]string{{"panel", "series", "curve", "x", "y", "lower", "upper"},
		{"Test error (%)", "constant depth", "", "110", "6.41", "", ""}, {"Test error (%)", "constant depth", "", "1202", "6.67", "", ""},
		{"Test error (%)", "stochastic depth", "", "110", "5.25", "", ""}, {"Test error (%)", "stochastic depth", "", "1202", "4.91", "", ""},
	}, lines)

	require.NoError(t, save("table2.tex", nil, "paper/table2"))
	tex := string(fileAt(t, dir, "table2.tex"))
	require.Contains(t, tex, "\\textbf{Stochastic depth} & \\textbf{15h 7m} & ")
	require.Contains(t, tex, "Saved (computed) & 27.0 \\% & ")
	require.Contains(t, tex, "linear decay, $p_L$ = 0.5")
	require.NoError(t, save("results.csv", nil, "results"))
	lines, err = csv.NewReader(strings.NewReader(string(fileAt(t, dir, "results.csv")))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, "Stochastic (%)", lines[0][6])

	require.EqualError(t, save("fig1.csv", nil, "fig1"), "fig1 is a drawing without numbers: there is nothing to write as csv")
	require.EqualError(t, save("fig3.tex", nil, "paper/fig3"),
		"paper/fig3 is no table: only tables are written as tex, the numbers of others as csv")
	said = nil
	require.NoError(t, save("all", []string{"csv"}, "fig1", "paper/fig5"), "of several, it is no error")
	require.Equal(t, []string{"fig1 is a drawing without numbers: there is nothing to write as csv",
		filepath.Join(dir, "all", "paper", "fig5.csv")}, said)
}

// A style for several figures may name what only some of them have, but not what none has.
func TestOwnStyleOfSeveralFigures(t *testing.T) {
	sources, dir := read(t, data), t.TempDir()
	save := func(series string, names ...string) error {
		style := figures.Style{Own: figures.OwnStyle{Colours: map[string]string{series: "#123456", "constant depth": "#654321"}}}
		return sources.SaveNamed(names, dir, []string{"svg"}, gallery.Network{}, style, nil, func(string) {})
	}
	require.NoError(t, save("training loss, constant", "paper/fig3", "paper/fig5"))
	require.Contains(t, string(fileAt(t, dir, "paper", "fig3.svg")), "#123456")
	require.NotContains(t, string(fileAt(t, dir, "paper", "fig5.svg")), "#123456")
	require.Contains(t, string(fileAt(t, dir, "paper", "fig5.svg")), "#654321")
	require.ErrorContains(t, save("training los", "paper/fig3", "paper/fig5"),
		`the style names "training los", which none of these figures has: paper/fig3: `)
}

// The paper's values stand beside ours where both exist, each named, and the caption says which are which.
func TestPublishedBesideOurs(t *testing.T) {
	sources := read(t, data)
	ours := numbersOf(t, sources, "fig3")
	sources.Published = true
	both := drawn(t, sources, "fig3")
	all := both.Figure.Numbers()
	kept := slices.DeleteFunc(slices.Clone(all), func(n figures.Number) bool { return strings.HasSuffix(n.Series, "published") })
	require.Equal(t, fmt.Sprint(ours), fmt.Sprint(kept), "ours are the same")
	curve, err := sources.Paper.Curve("Fig. 3 left", published.Key{Quantity: published.TestError, Method: published.Network, Survival: 0.5})
	require.NoError(t, err)
	for _, point := range curve.Points {
		n := find(t, all, "CIFAR-10, 38 layers, p_L = 0.5", "test error, stochastic, published", "", point[0])
		require.Equal(t, point[1], n.Y)
	}
	svg, err := both.Figure.Bytes("svg")
	require.NoError(t, err)
	require.Contains(t, string(svg), ">published and ours<")
	require.Contains(t, string(svg), ">test error, stochastic, published<")
	require.Contains(t, string(svg), "Pale, published: Fig. 3 left of the paper")

	swept := numbersOf(t, sources, "fig8-left")
	require.Equal(t, 5.25, find(t, swept, "Test error (%)", "linear decay, published", "", 0.5).Y)
	require.InDelta(t, 50.4, find(t, swept, "Test error (%)", "linear decay", "", 0.5).Y, 0.1)
	require.Equal(t, 6.41, find(t, swept, "Test error (%)", "constant depth, published", "", 1).Y)

	for name, want := range map[string]string{
		"fig5": "the figure fig5 does not show the paper's values beside ours: fig3, fig4 and fig8-left do",
		"fig3": "fig3: the paper has no curves of shapes (500 images) here: leave out --published",
	} {
		entry, err := gallery.Find(name)
		require.NoError(t, err)
		_, err = sources.Draw(entry, gallery.Network{}, "quickstart/*-s41")
		require.EqualError(t, err, want)
	}
}

// Fig. 4 has no recorded runs, and is drawn from those that a reader names.
func TestFig4OfOwnRuns(t *testing.T) {
	sources := read(t, data)
	entry, err := gallery.Find("fig4")
	require.NoError(t, err)
	require.False(t, sources.Available(entry))
	drawing, err := sources.Draw(entry, gallery.Network{}, "cifar10-110/*")
	require.NoError(t, err)
	run, err := sources.Runs([]string{"cifar10-110/110-constant-s31"})
	require.NoError(t, err)
	last := run[0].Rows[len(run[0].Rows)-1]
	n := find(t, drawing.Figure.Numbers(), "CIFAR-10+, 110 layers", "test error, constant", "", last.Epoch)
	require.Equal(t, last.TestError, n.Y)
	svg, err := drawing.Figure.Bytes("svg")
	require.NoError(t, err)
	require.Contains(t, string(svg), "Smaller than the paper&#39;s setting (152 layers and 50 epochs on SVHN")
}

func fileAt(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return data
}
