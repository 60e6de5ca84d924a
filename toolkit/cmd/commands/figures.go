package commands

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

func figuresCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "figures [NAME ...]",
		Short: "Draw the figures and tables, from the paper's numbers and the recorded runs",
		Long: "Draw the named figures; without names, all of them and the gallery figures/README.md.\n" +
			"data/figures.json says which runs each figure shows; --runs names others. --width, --no-title, --no-caption and\n" +
			"--theme are for a paper or a slide, and need --out.",
		Example: "  stochdepth figures\n  stochdepth figures fig3 --runs mine-constant,mine-stochastic --out mine.pdf\n" +
			"  stochdepth figures paper/fig3 --width 8cm --no-title --no-caption --out column.pdf\n" +
			"  stochdepth figures --theme dark --format svg --out slides",
	}
	flags := cmd.Flags()
	data := flags.String("data", inProject("data"), "folder of published.json, figures.json, runs and bench")
	out := flags.String("out", inProject("figures"), "folder of the figures, or the file of a single one (.png, .svg or .pdf)")
	formats := flags.StringSlice("format", []string{"png"}, "png, svg, pdf")
	names := flags.StringSlice("runs", nil, "runs to draw one figure from (step-time: the record of measurements)")
	list := flags.Bool("list", false, "list the figures and what each is drawn from")
	width := flags.String("width", "",
		"width of the files, such as 8cm or 3.25in: text stays readable, panels stand below each other in a column (default 8in)")
	var style figures.Style
	flags.BoolVar(&style.NoTitle, "no-title", false, "leave out the title and the sentences below it")
	flags.BoolVar(&style.NoCaption, "no-caption", false, "leave out the caption")
	flags.StringVar((*string)(&style.Theme), "theme", string(figures.Light), "colours: light, or dark for slides and dark pages")
	var network gallery.Network
	flags.IntVar(&network.Blocks, "blocks", 0, "fig1, fig2, stochastic-depth, rules: residual blocks, L")
	flags.Float64Var(&network.DeathRate, "death-rate", 0, "fig1, fig2, stochastic-depth, rules: 1 - p_L (default 0.5)")
	flags.StringVar(&network.Rule, "rule", "", "fig1, fig2, stochastic-depth: one of the rules that train knows, but list (default linear)")
	flags.Int64Var(&network.Seed, "seed", 0, "fig2, stochastic-depth: seed of the minibatch (default 1)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *list && len(args) > 0 {
			return fmt.Errorf("--list lists all figures and takes no names: leave out %q", args)
		}
		if err := say.CheckRange("--blocks", network.Blocks, 0, recipes.MaxDepth/2); err != nil {
			return err
		}
		if err := setWidth(&style, *width); err != nil {
			return err
		}
		own := style != figures.Style{Theme: figures.Light}
		if own && !cmd.Flags().Changed("out") && !*list {
			return fmt.Errorf("the gallery has one style: name another place for these figures with --out")
		}
		sources, err := gallery.Read(*data)
		if err != nil {
			return err
		}
		for _, format := range *formats {
			if !slices.Contains([]string{"png", "svg", "pdf"}, format) {
				return fmt.Errorf("unknown format %q: use png, svg or pdf", format)
			}
		}
		report := func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) }
		switch {
		case *list:
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, e := range gallery.Entries() {
				fmt.Fprintf(table, "%s\t%s\t%s\n", e.Name, sources.Inputs(e), e.Shows)
			}
			return table.Flush()
		case len(args) == 0 && len(*names) > 0:
			return fmt.Errorf("--runs draws one figure: name it, as in stochdepth figures fig3 --runs A,B")
		case len(args) == 0 && own:
			for _, e := range gallery.Entries() {
				if sources.Available(e) {
					args = append(args, e.Name)
				}
			}
		case len(args) == 0:
			return sources.SaveAll(*out, *formats, network, report)
		case len(args) > 1 && len(*names) > 0:
			return fmt.Errorf("--runs draws one figure: name one, not %d", len(args))
		}
		return sources.SaveNamed(args, *out, *formats, network, style, *names, report)
	}
	return cmd
}

// setWidth sets a style's width, and checks its theme.
func setWidth(style *figures.Style, width string) error {
	if style.Theme != figures.Light && style.Theme != figures.Dark {
		return fmt.Errorf("unknown theme %q: use %s or %s", style.Theme, figures.Light, figures.Dark)
	}
	if width == "" {
		return nil
	}
	var err error
	style.Width, err = vg.ParseLength(width)
	if err != nil || !strings.HasSuffix(width, "cm") && !strings.HasSuffix(width, "in") && !strings.HasSuffix(width, "mm") {
		return fmt.Errorf("--width %q is no length: give centimetres or inches, such as 8cm or 3.25in", width)
	}
	if !(style.Width > 0) {
		return fmt.Errorf("--width %s must be above 0", width)
	}
	return nil
}
