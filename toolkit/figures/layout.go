package figures

import (
	"regexp"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
)

// Provenance says where a figure's data come from, which the figure shows: a figure is of the paper's numbers or of our
// records, never of both unless it is a comparison that says which is which. Published, ReadOff and Recorded make one.
type Provenance struct {
	Origin  string // a word or two for the corner: "published", "our runs", "measured"
	Caption string // what a reader must know to judge the numbers
	Figure  string // the figure of the paper that is redrawn, for the title: "Fig. 3, Huang et al. 2016"
}

// Published is the Provenance of the paper's numbers, redrawn.
func Published(caption string) Provenance { return Provenance{Origin: "published", Caption: caption} }

// ReadOff is the Provenance of what was read off the paper's drawings.
func ReadOff(caption string) Provenance {
	return Provenance{Origin: "published, read off", Caption: caption}
}

// Recorded is the Provenance of this project's records.
func Recorded(caption string) Provenance { return Provenance{Origin: "our runs", Caption: caption} }

// OfRuns is the Provenance of recorded runs, with their conditions.
func OfRuns(list []*runs.Run) Provenance { return Recorded(outcome.Conditions(list)) }

// With adds sentences to the caption.
func (a Provenance) With(sentences ...string) Provenance {
	a.Caption = strings.TrimSpace(strings.Join(append([]string{a.Caption}, sentences...), " "))
	return a
}

// Of says which figure or table of the paper is redrawn, "Fig. 3": the title begins with it.
func (a Provenance) Of(figure string) Provenance {
	a.Figure = figure + ", Huang et al. 2016"
	return a
}

// titled is a headline after the name of the paper's figure that is redrawn, if there is one: "Fig. 3, Huang et al. 2016:
// test error".
func (a Provenance) titled(headline string) string {
	if a.Figure == "" {
		return headline
	}
	return a.Figure + ": " + strings.ToLower(headline[:1]) + headline[1:]
}

// layout is what all figures share: a headline with the origin beside it, a legend, the drawing, a caption.
type layout struct {
	headline   string
	styles     []seriesStyle
	provenance Provenance
	below      []string  // sentences under the headline, a line each or more
	least      vg.Length // the least width at which it can be read; 0: that of all figures
}

const (
	margin     = 18
	lineHeight = 11
	inside     = figureWidth - 2*margin // at a figure's own width
)

// figure returns a figure whose drawing has this height at the figure's own width; paint gets the drawing's canvas,
// inside the margins.
func (l layout) figure(height vg.Length, paint func(c draw.Canvas)) *Figure {
	return l.sized(func(width vg.Length) vg.Length { return inProportion(height, width) }, paint)
}

// panels is figure for n panels, which stand below each other where the figure is narrow.
func (l layout) panels(n int, height vg.Length, paint func(i int, c draw.Canvas)) *Figure {
	const gap = 14
	return l.sized(func(width vg.Length) vg.Length {
		if n > 1 && width < narrow {
			return vg.Length(n)*inProportion(height, width) + gap*vg.Length(n-1)
		}
		return inProportion(height, width)
	}, func(c draw.Canvas) {
		for i, panel := range split(c, n, gap) {
			paint(i, panel)
		}
	})
}

// sized is figure for a drawing whose height is known for every width.
func (l layout) sized(heightOf func(width vg.Length) vg.Length, paint func(c draw.Canvas)) *Figure {
	return design{figureWidth, l.least, func(width vg.Length, style Style) (vg.Length, func(c draw.Canvas)) {
		return l.arrange(width, style, heightOf, paint)
	}}.figure()
}

func (l layout) arrange(width vg.Length, style Style, heightOf func(width vg.Length) vg.Length, paint func(c draw.Canvas)) (
	vg.Length, func(c draw.Canvas)) {
	inside := width - 2*margin
	rows := legendRows(style.Own.legend(l.styles), inside)
	large, plain, small := text(bold(headlineSize), ink), text(sans(titleSize), ink), text(sans(smallSize), grey)
	var headline, below, caption []string
	var head, foot vg.Length = 9, 10
	if !style.NoTitle {
		headline = wrap(large, l.provenance.titled(l.headline), inside-originWidth(l.provenance.Origin))
		for _, sentence := range l.below {
			below = append(below, wrap(plain, sentence, inside)...)
		}
		head = 22 + 16*vg.Length(len(headline)) + 14*vg.Length(len(below))
	}
	if !style.NoCaption {
		words := l.provenance.Caption
		if origin := l.provenance.Origin; style.NoTitle && origin != "" { // which else stands in the title's corner
			words = strings.TrimSpace(strings.ToUpper(origin[:1]) + origin[1:] + ". " + words)
		}
		caption = wrap(small, words, inside)
		foot = 12 + lineHeight*vg.Length(len(caption))
	}
	legendY := head + 4
	head += 15 * vg.Length(len(rows))
	full := head + heightOf(inside) + foot
	return full, func(c draw.Canvas) {
		if !style.NoTitle {
			room := inside - drawOrigin(c, l.provenance.Origin)
			y := full - 27
			for i, line := range headline {
				c.FillText(fit(large, line, room), vg.Point{X: margin, Y: y - 16*vg.Length(i)}, line)
			}
			y -= 16 * vg.Length(len(headline)-1)
			for i, line := range below {
				prose(c, plain, vg.Point{X: margin, Y: y - 14*vg.Length(i+1) - 1}, line)
			}
		}
		for i, row := range rows {
			legend(c, vg.Point{X: margin, Y: full - legendY - 15*vg.Length(i)}, row...)
		}
		for i, line := range caption {
			prose(c, small, vg.Point{X: margin, Y: foot - lineHeight*vg.Length(i+1) - 1}, line)
		}
		paint(draw.Crop(c, margin, -margin, foot, -head))
	}
}

// originWidth is the part of the figure's width that drawOrigin takes.
func originWidth(origin string) vg.Length {
	if origin == "" {
		return 0
	}
	return text(bold(smallSize), blue).Width(origin) + 22
}

// drawOrigin writes the origin into the upper right corner, in a frame, and returns the width that it takes.
func drawOrigin(c draw.Canvas, origin string) vg.Length {
	if origin == "" {
		return 0
	}
	style := centered(text(bold(smallSize), accent))
	if origin != "our runs" {
		style.Color = grey
	}
	width := originWidth(origin) - 10
	right, head := c.Max.X-margin, c.Max.Y
	box(c, right-width, head-30, right, head-15, nil, style.Color, nil)
	c.FillText(style, vg.Point{X: right - width/2, Y: head - 22.5}, origin)
	return width + 10
}

// together keeps "p_L = 0.5" and "16.0 ± 2.0 %" in one line.
var together = strings.NewReplacer(" = ", "\u00a0=\u00a0", " ± ", "\u00a0±\u00a0", " %", "\u00a0%")

// wrap breaks a text into lines no wider than width; a longer word has a line of its own.
func wrap(sty draw.TextStyle, s string, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(together.Replace(s), " ") {
		if longer := strings.TrimSpace(line + " " + word); line == "" || sty.Width(longer) <= width {
			line = longer
			continue
		}
		lines, line = append(lines, line), word
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\u00a0", " ")
	}
	return lines
}

// indexed finds p_L, p_ℓ and the like where they are whole words, not a part of a longer one.
var indexed = regexp.MustCompile(`(?:^|[ (])(p_\pL)(?:[^\pL\pN_]|$)`)

// prose draws a line in which p_L, p_ℓ and the like have their index below; other underscores are drawn as they are.
func prose(c draw.Canvas, sty draw.TextStyle, at vg.Point, line string) {
	sty = fit(sty, line, c.Max.X-c.Min.X-2*margin)
	for line != "" {
		begin, end := len(line), len(line)
		if found := indexed.FindStringSubmatchIndex(line); found != nil {
			begin, end = found[2], found[3]
		}
		if begin > 0 {
			c.FillText(sty, at, line[:begin])
			at.X += widthOn(c, sty, line[:begin])
		}
		at.X += rich(c, sty, at, line[begin:end])
		line = line[end:]
	}
}

// title writes a panel's title, with subscripts (see rich), at its upper left and returns the canvas below.
func title(c draw.Canvas, s string) draw.Canvas {
	notesOf(c).panel = s
	rich(c, fit(text(bold(titleSize), ink), s, c.Max.X-c.Min.X), vg.Point{X: c.Min.X, Y: c.Max.Y - 10}, s)
	return draw.Crop(c, 0, 0, 0, -16)
}

// halo is text on the ground's colour, for labels within a plot: no grid line goes through them.
func halo(c draw.Canvas, sty draw.TextStyle, at vg.Point, s string) {
	w, h := sty.Width(s)/2+1.5, sty.Font.Size/2
	box(c, at.X-w, at.Y-h, at.X+w, at.Y+h, paper, nil, nil)
	c.FillText(centered(sty), at, s)
}
