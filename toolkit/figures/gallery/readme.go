package gallery

import (
	"fmt"
	"path"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome/published"
)

// Readme is the gallery as Markdown: each figure beside what it shows, the command that draws it and the records that
// it used. A figure of the paper stands above its counterpart of our runs.
func Readme(paper *published.Paper, drawings []*Drawing) string {
	var b strings.Builder
	b.WriteString(`# Gallery

Every figure and table of "Deep Networks with Stochastic Depth" (Huang, Sun, Liu, Sedra, Weinberger 2016), and a few more.

- **published** figures are redrawn from the paper's numbers, which are in [data/published.json](../data/published.json), each with its source. Values that are not printed in the paper but read off its vector drawings are marked as such, in the figures too.
- **our runs** are drawn from this project's records in [data/runs](../data/runs), with their conditions in the caption. Where the caption says so, they are smaller than the paper's experiments, and their errors cannot be compared with the paper's. Which runs each figure shows is in [data/figures.json](../data/figures.json).

` + "`stochdepth figures`" + ` draws all of them, ` + "`stochdepth figures NAME`" + ` one, ` + "`--runs A,B`" + ` from other runs, ` + "`--format png,svg,pdf`" + ` in other formats, in which text stays text; a browser shows the values of an SVG where the mouse points (in a notebook: ` + "`notebook.Hover`" + `). For a paper or slides, ` + "`--width 8cm`" + ` lays a figure out for a column, with text that can be read; ` + "`--no-title`" + ` and ` + "`--no-caption`" + ` leave out what the paper says itself; ` + "`--theme dark`" + ` is for dark pages; and ` + "`--out FILE`" + ` or ` + "`--out FOLDER`" + ` names the place. This page is written by the same command.

` + "`stochdepth figures fig3 --out fig3.csv`" + ` writes the numbers that a figure shows, for your own tools: a line for each point, bar or cell, with its panel, series, curve (where a series has several: a number for each seed, and their mean), x, y, and the lower and upper end of the bar or band around it; of a table its cells. ` + "`--out table1.tex`" + ` writes a table for LaTeX, with the package booktabs; ` + "`--no-title --no-caption`" + ` leaves the bare tabular. ` + "`--format csv,tex`" + ` writes these for several figures.

` + "`stochdepth figures fig3 --published --out both.png`" + ` draws the paper's values, pale, beside those of the runs, in one frame; also fig4 and fig8-left.

**Your own style.** ` + "`stochdepth figures fig8-left --style mine.json --out mine.pdf`" + ` draws a figure with what this file chooses; leave out what shall stay:

` + "```json" + `
{
  "font": "serif",
  "colours": {"constant depth": "#d62728", "linear decay": "#1f77b4"},
  "legend": {"constant depth": "ResNet-20"},
  "order": ["constant depth", "linear decay"],
  "x": [0.2, 1],
  "y": [45, 60]
}
` + "```" + `

` + "`font`" + ` is sans or serif: Liberation Sans or Serif, as wide as Arial and Times. ` + "`colours`" + `, ` + "`legend`" + ` and ` + "`order`" + ` name series as they stand in the csv file; a wrong name is answered with those that the figure has. Constant depth and stochastic depth have their colours in every figure: in fig3 that of constant depth is also its test error's, unless the file names "test error, constant". ` + "`order`" + ` is that of the legend. ` + "`x`" + ` and ` + "`y`" + ` are the ends of the axes of the first panel, and of a second one that shows the same. In Go and in a notebook, ` + "`figure.In(figures.Style{Own: figures.OwnStyle{Font: \"serif\"}})`" + ` does the same.
`)
	heading := ""
	for _, d := range drawings {
		if d.Heading != heading {
			heading = d.Heading
			fmt.Fprintf(&b, "\n## %s\n", heading)
		}
		name := path.Base(d.Name) + map[bool]string{true: ", published"}[strings.HasPrefix(d.Name, "paper/")]
		fmt.Fprintf(&b, "\n**%s.** %s\n\n", name, d.Shows)
		fmt.Fprintf(&b, "![%s](%s.png)\n\n", strings.NewReplacer("[", "(", "]", ")").Replace(d.Shows), d.Name)
		fmt.Fprintf(&b, "`stochdepth figures %s`", d.Name)
		switch {
		case d.inputs == ofRuns && len(d.Used) <= 6:
			links := make([]string, len(d.Used))
			for i, name := range d.Used {
				links[i] = fmt.Sprintf("[%s](../data/runs/%s)", name, name)
			}
			fmt.Fprintf(&b, ", runs: %s", strings.Join(links, ", "))
		case d.inputs == ofRuns:
			fmt.Fprintf(&b, ", %d runs: `%s`", len(d.Used), strings.Join(d.Named, ", "))
		case d.inputs == ofBench:
			fmt.Fprintf(&b, ", measurements: [%s](../data/bench/%s.json)", d.Used[0], d.Used[0])
		case d.inputs == ofPruned:
			fmt.Fprintf(&b, ", %d pruned networks: `%s`", len(d.Used), strings.Join(d.Named, ", "))
		}
		if d.Markdown != "" {
			fmt.Fprintf(&b, ", [as Markdown](%s.md)", d.Name)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Where the paper contradicts itself\n\n| What | Values found | Quoted here | |\n| --- | --- | --- | --- |\n")
	for _, c := range paper.Contradictions {
		values, quote := make([]string, len(c.Values)), ""
		for i, v := range c.Values {
			values[i] = fmt.Sprint(v)
		}
		if len(values) > 0 {
			quote = fmt.Sprint(c.Quote)
		}
		note := say.Markdown(strings.ToUpper(c.Note[:1]) + c.Note[1:])
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.ToUpper(c.About[:1])+c.About[1:], strings.Join(values, ", "), quote, note)
	}
	return b.String()
}
