package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// ErrorByTime draws the test error against the training time of a constant and a stochastic run of one machine, with
// circles at the selected epochs. Runs of different machines or settings are an error.
func ErrorByTime(provenance Provenance, constant, stochastic *runs.Run) (*Figure, error) {
	if err := outcome.SameRegime([]*runs.Run{constant}, []*runs.Run{stochastic}); err != nil {
		return nil, err
	}
	if err := outcome.OneMachine([]*runs.Run{constant, stochastic}); err != nil {
		return nil, err
	}
	var curves [2]plotter.XYs
	var best [2]runs.Row
	longest := 0.0
	for i, run := range []*runs.Run{constant, stochastic} {
		var err error
		if best[i], err = outcome.TestError.Selected(run); err != nil {
			return nil, err
		}
		longest = max(longest, run.Rows[len(run.Rows)-1].Seconds)
	}
	unit, name := 1.0, "seconds"
	switch {
	case longest > 3*3600:
		unit, name = 3600, "hours"
	case longest > 180:
		unit, name = 60, "minutes"
	}
	for i, run := range []*runs.Run{constant, stochastic} {
		for _, row := range run.Rows {
			if !math.IsNaN(row.TestError) {
				curves[i] = append(curves[i], plotter.XY{X: row.Seconds / unit, Y: row.TestError})
			}
		}
	}
	styles := []seriesStyle{constantStyle.adapted(curves[0]), stochasticStyle.adapted(curves[1])}
	l := layout{headline: "Test error against training time", styles: styles,
		provenance: provenance.With("Circles: the epoch of the lowest validation error.")}
	return l.figure(2.5*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Test error (%)")
		p := newPlot()
		p.X.Label.Text = "training time (" + name + ")"
		_, high := spread(curves[:]...)
		p.X.Min, p.X.Max = 0, longest/unit*1.02
		p.Y.Min, p.Y.Max = 0, max(min(high*1.05, 4*max(best[0].TestError, best[1].TestError)), 1)
		frame(c, p)
		selected := callouts{curves: curves[:]}
		for i, s := range styles {
			addCurve(p, s, curves[i])
			label := fmt.Sprintf("%.*f %% at %s", outcome.Digits(constant.Recipe), best[i].TestError, duration(best[i].Seconds))
			above := best[i].TestError > best[1-i].TestError || best[i].TestError == best[1-i].TestError && i == 0
			selected.marks = append(selected.marks, callout{plotter.XY{X: best[i].Seconds / unit, Y: best[i].TestError}, label,
				text(bold(textSize), s.hue()), above, 5})
		}
		p.Add(selected)
		p.Draw(c)
	}), nil
}

// StepTime draws the measured time of a training step against the number of open blocks, with a straight line through
// each network's points: it shows that cost follows open blocks. It uses the measurements in which the number of open
// blocks was set by hand.
func StepTime(record *bench.Record) (*Figure, error) {
	var lines []stepLine
	for _, m := range record.Results {
		if !m.Fixed || !(m.StepMS > 0) {
			continue
		}
		key := m.Key()
		i := slices.IndexFunc(lines, func(l stepLine) bool { return l.key == key })
		if i < 0 {
			i = len(lines)
			lines = append(lines, stepLine{key: key})
		}
		lines[i].points = append(lines[i].points, m)
	}
	lines = slices.DeleteFunc(lines, func(l stepLine) bool { return len(l.points) < 2 })
	if len(lines) == 0 {
		return nil, fmt.Errorf("the measurements have no network timed at two or more numbers of open blocks: " +
			"measure with stochdepth bench")
	}
	steps := math.MaxInt
	var styles []seriesStyle
	for i := range lines {
		lines[i].fit()
		s := []seriesStyle{stochasticStyle, constantStyle, uniformStyle}[min(i, 2)]
		if i > 2 {
			s.color, s.glyph = furtherColors[(i-1)%len(furtherColors)], moreGlyphs[(i-3)%len(moreGlyphs)]
		}
		s.dashes = nil
		k, digits := lines[i].key, 10.0
		if lines[i].slope < 1 {
			digits = 100
		}
		s = s.named(fmt.Sprintf("%s, %s, batch %d", modeOf(k), networkOf(k), k.Batch))
		lines[i].style = s.saying(fmt.Sprintf("%s: %s ms a block", s.name, say.Decimal(math.Round(lines[i].slope*digits)/digits)))
		styles = append(styles, lines[i].style)
		for _, m := range lines[i].points {
			steps = min(steps, m.Steps)
		}
	}
	made := ""
	if record.Commit != "" {
		made = fmt.Sprintf("; commit %s, %s", say.ShortCommit(record.Commit), record.Date[:min(10, len(record.Date))])
	}
	provenance := Provenance{Origin: "measured", Caption: fmt.Sprintf("Median of at least %d training steps "+
		"(forward, backward, update), bars from the fastest to the slowest; %s. %s, %s%s. Lines: least squares.",
		steps, lines[0].key.DType, record.Machine, record.Device, made)}
	l := layout{headline: "The cost of a step follows the open blocks", styles: styles, provenance: provenance}
	return l.figure(2.7*vg.Inch, func(c draw.Canvas) {
		c = title(c, "Time of a step (ms)")
		p := newPlot()
		p.X.Label.Text, p.X.Tick.Marker = "open blocks", niceTicks{whole: true}
		p.X.Min, p.X.Max, p.Y.Min = 0, 1, 0
		for _, l := range lines {
			for _, m := range l.points {
				p.X.Max, p.Y.Max = max(p.X.Max, m.Open, float64(m.Blocks)), max(p.Y.Max, m.StepMS)
			}
		}
		p.Y.Max *= 1.2                                 // a single slow step may be cut
		p.X.Min, p.X.Max = -0.02*p.X.Max, 1.01*p.X.Max // beside the axis, whose 0 a marker would cover
		frame(c, p)
		for _, l := range lines {
			l.addTo(p)
		}
		p.Draw(c)
	}), nil
}

// moreGlyphs are the markers of further networks, after the first three.
var moreGlyphs = []draw.GlyphDrawer{draw.CrossGlyph{}, draw.RingGlyph{}, draw.TriangleGlyph{}, draw.PlusGlyph{}}

// stepLine is the measurements of one network, and the line through them.
type stepLine struct {
	key         bench.Measurement // what they have in common
	points      []bench.Measurement
	base, slope float64 // ms, and ms a block
	style       seriesStyle
}

// addTo adds the line, and the measurements with their spreads.
func (l stepLine) addTo(p *plot.Plot) {
	last := float64(l.key.Blocks)
	straight := l.style.of("fit")
	straight.glyph, straight.width = nil, 1
	addCurve(p, straight, plotter.XYs{{X: 0, Y: l.base}, {X: last, Y: l.base + l.slope*last}})
	var spreads bars
	var points plotter.XYs
	for _, m := range l.points {
		points = append(points, plotter.XY{X: m.Open, Y: m.StepMS})
		if m.LowMS > 0 {
			spreads.add(m.Open, m.StepMS, m.StepMS-m.LowMS, m.HighMS-m.StepMS)
		}
	}
	addErrorBars(p, l.style.name, l.style.hue(), spreads)
	addPoints(p, l.style, points)
}

// fit finds the line of least squares.
func (l *stepLine) fit() {
	var x, y, xx, xy float64
	n := float64(len(l.points))
	for _, m := range l.points {
		x, y, xx, xy = x+m.Open/n, y+m.StepMS/n, xx+m.Open*m.Open/n, xy+m.Open*m.StepMS/n
	}
	if variance := xx - x*x; variance > 1e-12 {
		l.slope = (xy - x*y) / variance
	}
	l.base = y - l.slope*x
}

// modeOf names what took a measurement's steps: the forms of this project in a reader's words.
func modeOf(m bench.Measurement) string {
	if m.System != "stochdepth" {
		return m.System + " " + m.Mode
	}
	switch m.Mode {
	case "survivors":
		return "engine"
	case "resnet":
		return "textbook"
	}
	return m.Mode
}

// networkOf names a measurement's network: the paper's by its layers, others by the kind of their blocks, which have other layers.
func networkOf(m bench.Measurement) string {
	if m.Block == "" {
		return fmt.Sprintf("%d layers (%d blocks)", m.Layers, m.Blocks)
	}
	return fmt.Sprintf("%d %s blocks", m.Blocks, m.Block)
}
