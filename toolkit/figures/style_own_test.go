package figures_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/outcome"
)

// swept is a figure with three series.
func swept(t *testing.T, own figures.OwnStyle, theme figures.Theme) (*figures.Figure, error) {
	t.Helper()
	e := func(mean, deviation float64) outcome.Estimate {
		return outcome.Estimate{Mean: mean, Deviation: deviation, N: 3}
	}
	figure, err := figures.SurvivalSweep(figures.Recorded("Made up, p_L."), outcome.SurvivalErrors{Constant: e(20, 1),
		Linear:  []outcome.SurvivalError{{Survival: 0.3, Error: e(18, 1)}, {Survival: 0.6, Error: e(15, 2)}, {Survival: 0.9, Error: e(17, 1)}},
		Uniform: []outcome.SurvivalError{{Survival: 0.5, Error: e(19, 1)}}})
	require.NoError(t, err)
	return figure.In(figures.Style{Own: own, Theme: theme})
}

// An own style arrives in the file, in both themes: colours, font, words and their order, ranges.
func TestOwnStyle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"font": "serif", "colours": {"constant depth": "#d62728", "linear decay": "#123456"},
		"legend": {"constant depth": "ResNet & more"}, "order": ["constant depth"], "x": [0.4, 0.8], "y": [10, 18.5]}`), 0o600))
	own, err := figures.ReadStyle(path)
	require.NoError(t, err)
	for _, theme := range []figures.Theme{figures.Light, figures.Dark} {
		figure, err := swept(t, own, theme)
		require.NoError(t, err)
		require.Equal(t, []string{"constant depth", "linear decay", "uniform rule"}, figure.Series())
		svg := string(file(t, figure, "svg"))
		require.Contains(t, svg, "stroke:#D62728")
		require.Contains(t, svg, "stroke:#123456")
		require.Contains(t, svg, "font-family:Liberation Serif,Times New Roman,Times,serif;")
		require.NotContains(t, svg, "Liberation Sans")
		require.Less(t, strings.Index(svg, ">ResNet &amp; more<"), strings.Index(svg, ">linear decay: best 15 ± 2 % at 0.6<"))
		var ticks []string
		for _, tick := range regexp.MustCompile(`>(0\.\d|1\d)</text>`).FindAllStringSubmatch(svg, -1) {
			ticks = append(ticks, tick[1])
		}
		require.Equal(t, []string{"0.4", "0.5", "0.6", "0.7", "0.8", "10", "12", "14", "16", "18"}, ticks)
		_, fonts := pdfText(t, file(t, figure, "pdf"))
		require.Len(t, fonts, 2)
		require.Contains(t, strings.Join(fonts, " "), "serif")
		// The numbers are still those of the data.
		require.Len(t, figure.Numbers(), 7)
	}
	plain, err := swept(t, figures.OwnStyle{}, figures.Light)
	require.NoError(t, err)
	require.Equal(t, []string{"linear decay", "uniform rule", "constant depth"}, plain.Series())
}

func TestOwnStylesThatAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.json")
	for content, want := range map[string]string{
		`{"colors": {}}`:            ` has the unknown key "colors" (did you mean "colours"?): the keys are font, colours, legend, order, x, y`,
		`{"font": "Times"}`:         `: unknown font "Times": use sans or serif`,
		`{"x": [500, 0]}`:           `: x is [500 0]: give the two ends of the axis, the lower one first, such as [0, 500]`,
		`{"colours": {"a": "red"}}`: `: the colour "red" of "a" is none: write it as #d62728`,
		`[]`:                        `: must be a JSON object, not a array`,
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := figures.ReadStyle(path)
		require.ErrorContains(t, err, "the style "+path+want)
	}
	for want, own := range map[string]figures.OwnStyle{
		`the style has "linear" in colours, a series that the figure does not have (did you mean "linear decay"?): ` +
			`it has constant depth, stochastic depth, linear decay, uniform rule`: {Colours: map[string]string{"linear": "#000000"}},
		`the style has "x" in order, a series that the figure does not have: it has constant depth, linear decay, uniform rule`: {
			Order: []string{"constant depth", "x"}},
		`unknown font "mono": use sans or serif`: {Font: "mono"},
	} {
		_, err := swept(t, own, figures.Light)
		require.EqualError(t, err, want)
	}
	bars, err := figures.DepthBars(figures.Recorded(""), outcome.DepthErrors{Layers: 20, Constant: outcome.Estimate{Mean: 5}})
	require.NoError(t, err)
	_, err = bars.In(figures.Style{Own: figures.OwnStyle{X: []float64{0, 1}}})
	require.EqualError(t, err, "the figure has no horizontal axis whose range can be chosen: leave out x")
}
