package figures

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/internal/say"
)

// Table is a table of text, drawn by Figure and written by Markdown: both say the same.
type Table struct {
	Title      string
	Provenance Provenance
	Columns    []string
	Rows       []TableRow
}

// TableRow is a row of cells, one for each column.
type TableRow struct {
	Cells     []string
	Bold      bool  // to be seen first
	Rule      bool  // a line above it
	BoldCells []int // columns of cells to be seen first, counted from 0
}

// bold reports whether the cell of a column is bold.
func (r TableRow) bold(column int) bool { return r.Bold || slices.Contains(r.BoldCells, column) }

// Markdown returns the table for a README, with its caption below.
func (t Table) Markdown() string {
	lines := [][]string{t.Columns}
	for _, row := range t.Rows {
		cells := slices.Clone(row.Cells)
		for i, cell := range cells {
			if cells[i] = strings.ReplaceAll(cell, "|", `\|`); cell != "" && row.bold(i) {
				cells[i] = "**" + cells[i] + "**"
			}
		}
		lines = append(lines, cells)
	}
	return say.Markdown(fmt.Sprintf("**%s** (%s)\n\n%s\n%s\n", t.Title, t.Provenance.Origin, say.MarkdownTable(lines),
		t.Provenance.Caption))
}

// CSV returns the table's cells, with a line of names.
func (t Table) CSV() []byte {
	lines := [][]string{t.Columns}
	for _, row := range t.Rows {
		lines = append(lines, row.Cells)
	}
	return asCSV(lines)
}

// LaTeX returns the table for a paper, in the style of the package booktabs, which it needs. Of a style it takes what is left
// out: without title and caption it is a tabular alone.
func (t Table) LaTeX(style Style) string {
	var b strings.Builder
	line := func(words ...string) { b.WriteString(strings.Join(words, "") + "\n") }
	line("% In the preamble: \\usepackage{booktabs}")
	caption := ""
	if !style.NoTitle {
		caption = t.Title + " (" + t.Provenance.Origin + "). "
	}
	if !style.NoCaption {
		caption += t.Provenance.Caption
	}
	if caption != "" {
		line("\\begin{table}")
		line("\\centering")
		line("\\caption{", latex(strings.TrimSpace(caption)), "}")
	}
	line("\\begin{tabular}{", strings.Repeat("l", len(t.Columns)), "}")
	line("\\toprule")
	line(latexRow(t.Columns, func(int) bool { return false }))
	line("\\midrule")
	for i, row := range t.Rows {
		if row.Rule && i > 0 {
			line("\\addlinespace")
		}
		line(latexRow(row.Cells, row.bold))
	}
	line("\\bottomrule")
	line("\\end{tabular}")
	if caption != "" {
		line("\\end{table}")
	}
	return b.String()
}

// latexRow is a row of cells, in bold where they are to be seen first.
func latexRow(cells []string, bold func(column int) bool) string {
	written := make([]string, len(cells))
	for i, cell := range cells {
		if written[i] = latex(cell); cell != "" && bold(i) {
			written[i] = "\\textbf{" + written[i] + "}"
		}
	}
	row := strings.Join(written, " & ") + ` \\`
	if strings.HasPrefix(row, "[") { // which would belong to the row above
		row = "{}" + row
	}
	return row
}

// latexIndexed finds p_L, as latexSigns has it, where it is a whole word.
var latexIndexed = regexp.MustCompile(`\bp\\_L\b`)

// latexSigns are what LaTeX writes otherwise.
var latexSigns = strings.NewReplacer(`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "%", `\%`, "&", `\&`, "#", `\#`, "$", `\$`,
	"_", `\_`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "−", "$-$", "–", "--", "±", `$\pm$`, "×", `$\times$`,
	"÷", `$\div$`, "·", `$\cdot$`, "ℓ", `$\ell$`, "≤", `$\leq$`, "≥", `$\geq$`, "<", "$<$", ">", "$>$", "\u00a0", "~",
	"…", `\dots{}`, "↑", `$\uparrow$`, "↓", `$\downarrow$`, "“", "``", "”", "''")

// latex is a text in LaTeX.
func latex(s string) string {
	return strings.ReplaceAll(latexIndexed.ReplaceAllString(latexSigns.Replace(s), "$$p_L$$"), `p\_$\ell$`, `$p_\ell$`)
}

// Figure draws the table. Columns are as wide as their cells need; what is too wide in all is written smaller.
func (t Table) Figure() (*Figure, error) {
	if len(t.Columns) == 0 || len(t.Rows) == 0 {
		return nil, fmt.Errorf("the table %q is empty", t.Title)
	}
	for _, row := range t.Rows {
		if len(row.Cells) != len(t.Columns) {
			return nil, fmt.Errorf("a row of the table %q has %d cells for %d columns", t.Title, len(row.Cells), len(t.Columns))
		}
	}
	l := layout{headline: t.Title, provenance: t.Provenance, least: t.least()}
	return l.sized(func(vg.Length) vg.Length { return tableRow*vg.Length(len(t.Rows)+1) + 6 }, t.draw), nil
}

const tableRow = 15 // points

// draw draws the columns' names and the rows over the width of a canvas, from its top.
func (t Table) draw(c draw.Canvas) {
	widths, size := t.widths(c.Max.X - c.Min.X)
	row := func(y vg.Length, cells []string, styleOf func(column int) draw.TextStyle) {
		x := c.Min.X + 4
		for i, cell := range cells {
			style := styleOf(i)
			style.Font.Size, style.YAlign = size, draw.YCenter
			prose(c, fit(style, cell, widths[i]-6), vg.Point{X: x, Y: y}, cell)
			x += widths[i]
		}
	}
	line := func(y, width vg.Length) {
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: width}, c.Min.X, y, c.Max.X, y)
	}
	y := c.Max.Y - 8
	line(y+7, 0.9)
	row(y, t.Columns, func(int) draw.TextStyle { return text(bold(smallSize), grey) })
	line(y-8, 0.6)
	for i, r := range t.Rows {
		y -= tableRow
		if r.Rule && i > 0 {
			line(y+7, 0.4)
		}
		row(y, r.Cells, func(column int) draw.TextStyle {
			if r.bold(column) {
				return text(bold(textSize), ink)
			}
			return text(sans(textSize), ink)
		})
	}
	line(y-8, 0.9)
}

// least is the width at which the cells fit in 8 points, or a figure's own width if that is smaller.
func (t Table) least() vg.Length {
	_, sum := t.natural()
	return min(figureWidth, sum*smallSize/textSize+2*margin)
}

// widths shares out the width over the columns, and returns the size of text at which all cells fit.
func (t Table) widths(width vg.Length) ([]vg.Length, vg.Length) {
	natural, sum := t.natural()
	size := vg.Length(textSize)
	if sum > width {
		size = max(6, size*width/sum)
	}
	for i := range natural {
		natural[i] *= width / sum
	}
	return natural, size
}

// natural is the width that each column needs, and their sum.
func (t Table) natural() (natural []vg.Length, sum vg.Length) {
	style := text(bold(textSize), ink)
	natural = make([]vg.Length, len(t.Columns))
	for i := range t.Columns {
		natural[i] = style.Width(t.Columns[i])
		for _, row := range t.Rows {
			natural[i] = max(natural[i], style.Width(row.Cells[i]))
		}
		natural[i] += 14
		sum += natural[i]
	}
	return natural, sum
}
