package figures_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/cmpimg"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/runs"
)

// The golden files are made again by go test -regen: look at them afterwards.
func TestFiguresLookAsBefore(t *testing.T) {
	for file, example := range map[string]func(){
		"stochastic-depth.png": ExampleStochasticDepth,
		"quickstart.png":       ExampleQuickstart,
		"quickstart-own.png":   ExampleQuickstartOwn,
		"live.svg":             ExampleLiveCurve,
	} {
		t.Run(file, func(t *testing.T) {
			cmpimg.CheckPlot(example, t, file)
			os.Remove(filepath.Join("testdata", file))
		})
	}
}

// cases are all figures in their usual and their unusual states.
func cases(t *testing.T) map[string]*figures.Figure {
	t.Helper()
	all := map[string]*figures.Figure{}
	add := func(name string, f *figures.Figure, err error) {
		require.NoError(t, err, name)
		if f != nil {
			all[name] = f
		}
	}
	paperCases(add)
	gapCases(add)
	for _, blocks := range []int{1, 2, 9, 16, 17, 54, 100, 101, 600, 1000} {
		gates := depth.AllOpen(blocks)
		for i := range gates {
			gates[i] = i%3 != 1
		}
		f, err := figures.StochasticDepth(depth.Linear(blocks, 0.9), gates)
		add(fmt.Sprintf("schematic of %d blocks", blocks), f, err)
	}
	quickstart := func(name string, change func(constant, stochastic *runs.Run), epochs int) {
		constant, stochastic := exampleRun(0, epochs), exampleRun(0.5, epochs)
		change(constant, stochastic)
		f, err := figures.QuickstartOwn(constant, stochastic, nil, nil)
		add("quickstart, "+name, f, err)
	}
	each := func(run *runs.Run, change func(*runs.Row)) {
		for i := range run.Rows {
			change(&run.Rows[i])
		}
	}
	quickstart("as usual", func(_, _ *runs.Run) {}, 12)
	quickstart("one epoch", func(_, _ *runs.Run) {}, 1)
	quickstart("500 epochs", func(c, s *runs.Run) {
		each(c, func(r *runs.Row) { r.Seconds *= 1215 })
		each(s, func(r *runs.Row) { r.Seconds *= 1215 })
	}, 500)
	quickstart("equal curves", func(c, s *runs.Run) { s.Rows = c.Rows }, 12)
	quickstart("all is zero", func(c, s *runs.Run) {
		each(c, func(r *runs.Row) { r.ValidationError, r.TestError, r.TrainLoss, r.Seconds = 0, 0, 0, 0 })
		s.Rows = c.Rows
	}, 3)
	quickstart("no test error, no time, no loss", func(c, s *runs.Run) {
		each(c, func(r *runs.Row) { r.TestError, r.TrainLoss, r.Seconds = math.NaN(), math.NaN(), math.NaN() })
		each(s, func(r *runs.Row) { r.TestError, r.TrainLoss = math.NaN(), math.Inf(1) })
	}, 12)
	quickstart("diverged at the end", func(_, s *runs.Run) {
		last := &s.Rows[len(s.Rows)-1]
		last.TrainLoss, last.ValidationError, last.TestError = math.NaN(), math.NaN(), math.NaN()
	}, 12)
	long := runs.Result{Session: runs.Session{Machine: "a machine with a very long name of many words that says too much",
		Device: "an accelerator whose name is long as well"}}
	quickstart("long names", func(c, s *runs.Run) { c.Result, s.Result, s.Recipe.Seed = &long, &long, math.MaxInt64 }, 12)
	quickstart("two machines", func(c, _ *runs.Run) { c.Result = &long }, 12)
	quickstart("stopped", func(_, s *runs.Run) {
		s.Rows, s.Result = s.Rows[:5], &runs.Result{Status: "stopped",
			Session: runs.Session{Machine: "example machine", Device: "cpu"}}
	}, 12)

	for name, list := range map[string][2][]*runs.Run{
		"five seeds":        {seeded(0, 120, 20, 21, 22, 20.5, 19), seeded(0.2, 120, 16, 17, 18, 15.5, 15)},
		"two nearly equal":  {seeded(0, 20, 99, 98), seeded(0.2, 20, 98.6, 98.5)},
		"one against three": {seeded(0, 20, 0), seeded(0.2, 20, 0, 1, 30)},
		"on two machines":   {seeded(0, 20, 5, 6), elsewhere(seeded(0.2, 20, 5, 6))},
	} {
		f, err := figures.Quickstart(figures.Recorded("Made up."), list[0], list[1])
		add("quickstart, "+name, f, err)
		f, err = figures.QuickstartOwn(seeded(0, 20, 5)[0], seeded(0.2, 20, 6)[0], list[0], list[1])
		add("quickstart, own, "+name, f, err)
	}

	waiting := exampleRun(0.2, 12)
	waiting.Name, waiting.Rows = "a run with a name that is much too long for the margin beside the curves", nil
	for name, list := range map[string][]*runs.Run{
		"live, waiting":   {waiting},
		"live, one epoch": {exampleRun(0, 1)},
		"live, ten equal": {exampleRun(0, 9), exampleRun(0, 9), exampleRun(0, 9), exampleRun(0, 9), exampleRun(0.5, 9),
			exampleRun(0.5, 9), exampleRun(0.5, 9), exampleRun(0.5, 9), waiting, waiting},
		"live, 500 epochs": {exampleRun(0, 500), exampleRun(0.5, 500)},
	} {
		f, err := figures.LiveCurve(list...)
		add(name, f, err)
	}
	for name, lines := range map[string][]figures.Line{
		"lines, one value":      {{Name: "loss", Values: []float64{2.3}}},
		"lines, several":        {{Name: "loss", Values: []float64{2.3, 2.1, math.NaN(), 1.7}}, {Name: "another", Values: []float64{-1, 0, 1}}},
		"lines, of one hundred": {{Name: "loss", Values: slices.Repeat([]float64{2, 3}, 50)}},
	} {
		f, err := figures.Lines(figures.Provenance{Caption: "Made up."}, "Losses of one's own", "step", "Cross-entropy", lines...)
		add(name, f, err)
	}
	f, err := figures.Degradation(figures.Recorded("Made up."), plainAndResidual())
	add("degradation", f, err)
	return all
}

// plainAndResidual are runs of two depths with two seeds.
func plainAndResidual() (list []*runs.Run) {
	for _, shortcut := range []string{"none", "average"} {
		for _, layers := range []int{8, 20} {
			for _, run := range seeded(0, 20, 5, 6) {
				run.Recipe.Depth, run.Recipe.Shortcut = layers, shortcut
				list = append(list, run)
			}
		}
	}
	return list
}

func TestDegradationNeedsBothKinds(t *testing.T) {
	list := plainAndResidual()
	_, err := figures.Degradation(figures.Provenance{}, list[:4])
	require.ErrorContains(t, err, "name runs of both kinds")
	_, err = figures.Degradation(figures.Provenance{}, list[2:])
	require.ErrorContains(t, err, "of the same depths")
}

func TestLinesNeedValues(t *testing.T) {
	for want, lines := range map[string][]figures.Line{
		"there is no curve to draw":         nil,
		`the curve "a" has no finite value`: {{Name: "a", Values: []float64{math.NaN()}}},
		"more than 4 curves cannot be told": slices.Repeat([]figures.Line{{Name: "a", Values: []float64{1}}}, 5),
	} {
		_, err := figures.Lines(figures.Provenance{}, "a", "b", "c", lines...)
		require.ErrorContains(t, err, want)
	}
}

// The figures are recorded instead of drawn, and the box of each text is compared with all others and the edges.
func TestTextNeverOverlapsNorLeavesTheFigure(t *testing.T) {
	styles := map[string]figures.Style{"": {}, " in a column": {Width: 8 * vg.Centimeter},
		" without title": {Width: 12 * vg.Centimeter, NoTitle: true, NoCaption: true}, " in serif": {Own: figures.OwnStyle{Font: "serif"}}}
	all := map[string]*figures.Figure{}
	for name, figure := range cases(t) {
		for word, style := range styles {
			styled, err := figure.In(style)
			if err != nil { // a table of many columns
				require.ErrorContains(t, err, "cannot be read at a width of")
				continue
			}
			all[name+word] = styled
		}
	}
	for name, figure := range all {
		t.Run(name, func(t *testing.T) {
			type placed struct {
				text string
				box  vg.Rectangle
			}
			var texts []placed
			var canvas recorder.Canvas
			figure.Draw(draw.NewCanvas(&canvas, figure.Width, figure.Height))
			rotated, scale := false, vg.Length(1)
			for _, action := range canvas.Actions {
				switch a := action.(type) {
				case *recorder.Scale:
					scale = vg.Length(a.X)
				case *recorder.Rotate:
					rotated = true
				case *recorder.Pop:
					rotated = false
				case *recorder.FillString:
					if rotated || a.String == "" {
						continue
					}
					face := font.DefaultCache.Lookup(a.Font, a.Size)
					// Capitals and digits reach about 0.7 of the size above the baseline.
					box := vg.Rectangle{Min: a.Point, Max: vg.Point{X: a.Point.X + face.Width(a.String), Y: a.Point.Y + a.Size*0.7}}
					require.True(t,
						box.Min.X >= 0 && box.Min.Y >= 0 && box.Max.X*scale <= figure.Width+0.01 && box.Max.Y*scale <= figure.Height,
						"%q leaves the figure", a.String)
					for _, other := range texts {
						apart := box.Max.X <= other.box.Min.X || other.box.Max.X <= box.Min.X || box.Max.Y <= other.box.Min.Y ||
							other.box.Max.Y <= box.Min.Y
						require.True(t, apart, "%q is written over %q", a.String, other.text)
					}
					texts = append(texts, placed{a.String, box})
				}
			}
			require.Greater(t, len(texts), 5)
		})
	}
}

func TestSameDataGiveSameBytes(t *testing.T) {
	for _, format := range []string{"png", "svg", "pdf"} {
		t.Run(format, func(t *testing.T) {
			var files [2][]byte
			for i := range files {
				figure, err := figures.QuickstartOwn(exampleRun(0, 12), exampleRun(0.5, 12), nil, nil)
				require.NoError(t, err)
				files[i], err = figure.Bytes(format)
				require.NoError(t, err)
			}
			require.True(t, string(files[0]) == string(files[1]))
			if format == "pdf" { // the clock is not in it
				require.Contains(t, string(files[0]), "(D:20160330000000)")
			}
		})
	}
}

func TestSave(t *testing.T) {
	figure, err := figures.LiveCurve(exampleRun(0, 3))
	require.NoError(t, err)
	dir := t.TempDir()
	for name, start := range map[string]string{"new/a.png": "\x89PNG", "a.SVG": "<?xml", "a.pdf": "%PDF"} {
		path := filepath.Join(dir, name)
		require.NoError(t, figures.Save(path, figure))
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, start, string(data[:len(start)]))
	}
	path := filepath.Join(dir, "a.gif")
	require.EqualError(t, figures.Save(path, figure), "cannot save the figure "+path+`: unknown format "gif": use png, svg or pdf`)
	require.NoFileExists(t, path)
}

func TestWhatCannotBeDrawnIsSaid(t *testing.T) {
	empty, deeper := exampleRun(0.5, 3), exampleRun(0.5, 3)
	empty.Rows = nil
	deeper.Recipe.Depth = 110
	for name, test := range map[string]struct {
		draw func() (*figures.Figure, error)
		want string
	}{
		"no rows": {func() (*figures.Figure, error) { return figures.QuickstartOwn(exampleRun(0, 3), empty, nil, nil) },
			"the run stochastic has no evaluated epoch to draw yet: train it first"},
		"swapped": {func() (*figures.Figure, error) {
			return figures.QuickstartOwn(exampleRun(0.5, 3), exampleRun(0, 3), nil, nil)
		}, "the run stochastic is not of constant depth: its death rate must be 0"},
		"other depth": {func() (*figures.Figure, error) { return figures.QuickstartOwn(exampleRun(0, 3), deeper, nil, nil) },
			"the runs constant and stochastic cannot be compared, their recipes differ in depth: 20, 110"},
		"no runs": {func() (*figures.Figure, error) { return figures.LiveCurve() }, "no run to draw: name one at least"},
		"gates missing": {func() (*figures.Figure, error) {
			return figures.StochasticDepth(depth.Linear(3, 0.5), depth.AllOpen(2))
		}, "3 survival probabilities and 2 gates: a block has one of each"},
		"too many": {func() (*figures.Figure, error) {
			return figures.StochasticDepth(depth.Linear(1001, 0.5), depth.AllOpen(1001))
		}, "a picture of 1001 blocks cannot be read: draw 1 to 1000"},
		"no blocks": {func() (*figures.Figure, error) { return figures.StochasticDepth(nil, nil) },
			"a picture of 0 blocks cannot be read: draw 1 to 1000"},
		"no probabilities": {func() (*figures.Figure, error) { return figures.Calibration(made) },
			"0 curves: the figure of calibration takes 1 to 4"},
		"no groups": {func() (*figures.Figure, error) { return figures.SurvivalRules(nil, 0.5) }, "there are no blocks to draw"},
		"impossible": {func() (*figures.Figure, error) { return figures.StochasticDepth(depth.Survival{2}, depth.AllOpen(1)) },
			"the survival probability of block 1 is 2: it must be in (0, 1]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.draw()
			require.EqualError(t, err, test.want)
		})
	}
}
