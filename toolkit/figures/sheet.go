package figures

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// About says where a figure's data come from, which the figure shows: a figure is of the paper's numbers or of our
// records, never of both unless it is a comparison that says which is which. Published, ReadOff and Recorded make one.
type About struct {
	Origin  string // a word or two for the corner: "published", "our runs", "measured"
	Caption string // what a reader must know to judge the numbers
}

// Published is the About of the paper's numbers, redrawn.
func Published(caption string) About { return About{"published", caption} }

// ReadOff is the About of what was read off the paper's drawings.
func ReadOff(caption string) About { return About{"published, read off", caption} }

// Recorded is the About of this project's records. OfRuns writes the caption of runs.
func Recorded(caption string) About { return About{"our runs", caption} }

// With adds sentences to the caption.
func (a About) With(sentences ...string) About {
	a.Caption = strings.TrimSpace(strings.Join(append([]string{a.Caption}, sentences...), " "))
	return a
}

// sheet is what all figures share: a headline with the origin beside it, a legend, the drawing, a caption.
type sheet struct {
	headline string
	looks    []look
	about    About
	below    []string // sentences under the headline, a line each or more
}

const (
	margin     = 18
	lineHeight = 11
	inside     = figureWidth - 2*margin
)

// figure returns a figure with so high a drawing; paint gets the drawing's canvas, inside the margins.
func (s sheet) figure(height vg.Length, paint func(c draw.Canvas)) *Figure {
	rows := legendRows(s.looks, inside)
	large, plain := text(bold(headlineSize), ink), text(sans(titleSize), ink)
	headline := wrap(large, s.headline, inside-originWidth(s.about.Origin))
	var below []string
	for _, sentence := range s.below {
		below = append(below, wrap(plain, sentence, inside)...)
	}
	texts := 16*vg.Length(len(headline)-1) + 14*vg.Length(len(below))
	head := 38 + texts + 15*vg.Length(len(rows))
	style := text(sans(smallSize), grey)
	caption := wrap(style, s.about.Caption, inside)
	foot := 12 + lineHeight*vg.Length(len(caption))
	full := head + height + foot
	return &Figure{figureWidth, full, func(c draw.Canvas) {
		room := inside - drawOrigin(c, full, s.about.Origin)
		y := full - 27
		for i, line := range headline {
			c.FillText(fit(large, line, room), vg.Point{X: margin, Y: y - 16*vg.Length(i)}, line)
		}
		y -= 16 * vg.Length(len(headline)-1)
		for i, line := range below {
			prose(c, plain, vg.Point{X: margin, Y: y - 14*vg.Length(i+1) - 1}, line)
		}
		for i, row := range rows {
			legend(c, vg.Point{X: margin, Y: full - 42 - texts - 15*vg.Length(i)}, row...)
		}
		for i, line := range caption {
			prose(c, style, vg.Point{X: margin, Y: foot - lineHeight*vg.Length(i+1) - 1}, line)
		}
		paint(draw.Crop(c, margin, -margin, foot, -head))
	}}
}

// Marked returns the figure with an origin in its upper right corner, for a schematic that shows the paper's example.
func (f *Figure) Marked(about About) *Figure {
	return &Figure{f.Width, f.Height, func(c draw.Canvas) {
		f.draw(c)
		drawOrigin(c, f.Height, about.Origin)
	}}
}

// originWidth is what drawOrigin takes of the figure's width.
func originWidth(origin string) vg.Length {
	if origin == "" {
		return 0
	}
	return text(bold(smallSize), blue).Width(origin) + 22
}

// drawOrigin writes the origin into the upper right corner, in a frame, and returns the width that it takes.
func drawOrigin(c draw.Canvas, full vg.Length, origin string) vg.Length {
	if origin == "" {
		return 0
	}
	style := centered(text(bold(smallSize), blue))
	if origin != "our runs" {
		style.Color = grey
	}
	width := originWidth(origin) - 10
	right := vg.Length(figureWidth - margin)
	box(c, right-width, full-30, right, full-15, nil, style.Color, nil)
	c.FillText(style, vg.Point{X: right - width/2, Y: full - 22.5}, origin)
	return width + 10
}

// legendRows breaks a legend into rows no wider than width.
func legendRows(looks []look, width vg.Length) [][]look {
	var rows [][]look
	var used vg.Length
	label := text(sans(textSize), ink)
	for _, l := range looks {
		w := 50 + label.Width(l.name)
		if len(rows) == 0 || used+w-20 > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], l)
		used += w
	}
	return rows
}

// wrap breaks a text into lines no wider than width; a longer word has a line of its own.
func wrap(sty draw.TextStyle, s string, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(strings.ReplaceAll(s, " = ", "\u00a0=\u00a0"), " ") { // "p_L = 0.5" stays together
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

// prose draws a line in which p_L, p_ℓ and the like have their index below, and other underscores are themselves.
func prose(c draw.Canvas, sty draw.TextStyle, at vg.Point, line string) {
	sty = fit(sty, line, inside)
	for line != "" {
		i := strings.Index(line, "p_")
		if i < 0 || i > 0 && line[i-1] != ' ' && line[i-1] != '(' {
			i = len(line)
		}
		if i > 0 {
			c.FillText(sty, at, line[:i])
			at.X += sty.Width(line[:i])
			line = line[i:]
			continue
		}
		index := string([]rune(line[2:])[:1])
		at.X += rich(c, sty, at, "p_"+index)
		line = line[2+len(index):]
	}
}

// title writes a panel's title at its upper left and returns the canvas below.
func title(c draw.Canvas, s string) draw.Canvas {
	c.FillText(fit(text(bold(titleSize), ink), s, c.Max.X-c.Min.X), vg.Point{X: c.Min.X, Y: c.Max.Y - 10}, s)
	return draw.Crop(c, 0, 0, 0, -16)
}

// circle marks a point of a curve and writes a label above or below it, or to its left where there is no room below.
func circle(c, area draw.Canvas, at vg.Point, style draw.TextStyle, label string, above bool) {
	half := style.Width(label)/2 + 3
	place := vg.Point{X: min(max(at.X, area.Min.X+half), area.Max.X-half), Y: at.Y + 13}
	if !above {
		place.Y = at.Y - 13
		if place.Y < area.Min.Y+7 {
			place = vg.Point{X: at.X - half - 7, Y: at.Y + 1}
		}
	}
	halo(c, style, place, label)
	ring(c, style.Color, at, 5)
}

// halo is text on a white ground, for labels within a plot.
func halo(c draw.Canvas, sty draw.TextStyle, at vg.Point, s string) {
	w, h := sty.Width(s)/2+1.5, sty.Font.Size/2
	box(c, at.X-w, at.Y-h, at.X+w, at.Y+h, color.White, nil, nil)
	c.FillText(centered(sty), at, s)
}

// enumerate joins words: "a", "a and b", "a, b and c".
func enumerate[T any](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = fmt.Sprint(item)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
