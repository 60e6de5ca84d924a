package commands

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/runs/pruned"
)

func pruneCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prune RUN|FILE",
		Short: "Remove blocks from a trained network, and write the smaller one",
		Long: `Remove blocks from a trained network one after the other, and print the error of each smaller network. A network
that was trained with stochastic depth stands this better than another.

The order says which block goes next: greedy, the one without which the loss on validation images is lowest; depth, the last
one; every-other, blocks at equal distances; survival, the one that was closed most often in training. The first block of a
group, which changes the shape, stays, and so does one block of each group. Test images never choose.

The running averages of batch normalisation belong to the whole network. After each removal they are measured again on
training images, which takes no labels and changes no weights; the errors without that are shown too.

With --keep 0.6 -o FILE the network with at most that share of the blocks is written, with its new averages. It is an
ordinary network of this project, which takes the time of its own blocks: for eval, import and PyTorch.`,
		Example: `  stochdepth prune mine
  stochdepth prune data/models/cifar100-38-linear-0.8 --order greedy,depth --figure front.png
  stochdepth prune mine --keep 0.6 -o small.safetensors && stochdepth eval small.safetensors`,
		Args: cobra.ExactArgs(1),
	}
	orders := cmd.Flags().StringSlice("order", []string{analysis.Greedy}, "greedy, depth, every-other or survival; several with commas between them")
	choose := cmd.Flags().Int("images", 1000, "validation images on which greedy compares")
	keep := cmd.Flags().Float64("keep", 0, "with -o: the largest share of the blocks to keep, above 0 and at most 1")
	out := cmd.Flags().StringP("out", "o", "", "with --keep: the file of the smaller network")
	figure := cmd.Flags().String("figure", "", "also draw the errors into this file (.png, .svg or .pdf)")
	page := cmd.Flags().String("page", "", "also write a page (.html) for a lecture, with a slider for the depth and 24 test images")
	record := cmd.Flags().String("record", "", "also keep the errors in this file (.jsonl), from which the figure fronts is drawn")
	format := formatFlag(cmd)
	open := trainedFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case cmd.Flags().Changed("keep") != (*out != ""):
			return errors.New("--keep says how much of the network -o writes: give both, or none")
		case cmd.Flags().Changed("keep") && !(*keep > 0 && *keep <= 1):
			return fmt.Errorf("--keep %v: it is a share of the blocks, above 0 and at most 1", *keep)
		case len(*orders) > 1 && (*out != "" || *page != "" || *record != ""):
			return errors.New("-o, --page and --record are about one order: give one --order")
		case *record != "" && filepath.Ext(*record) != pruned.Extension:
			return fmt.Errorf("--record %s: the name of a record ends in %s", *record, pruned.Extension)
		case *choose < 1:
			return fmt.Errorf("--images %d: at least one image compares", *choose)
		case len(*orders) == 0:
			return fmt.Errorf("--order is empty: use %s", strings.Join(analysis.PruneOrders(), ", "))
		}
		for _, order := range *orders {
			if !slices.Contains(analysis.PruneOrders(), order) {
				return fmt.Errorf("--order %q: use %s", order, strings.Join(analysis.PruneOrders(), ", "))
			}
		}
		if err := cmp.Or(files.CheckThere(*out), files.CheckThere(*page), files.Check(*record), figures.CheckPath(*figure),
			say.CheckFormat(*format)); err != nil {
			return err
		}
		about := aside(cmd, *format)
		net, _, _, err := open(about, args[0])
		if err != nil {
			return err
		}
		if *record != "" && len(net.Info.Kept) > 0 {
			return fmt.Errorf("%s has lost blocks already: a record is of a whole network, so prune that one", net.Info.Name())
		}
		if *out != "" {
			if err := checkKeep(net, *keep); err != nil {
				return err
			}
		}
		var rows []prunedRow
		var curves []figures.PruneCurve
		var kept *pruned.Record
		for _, order := range *orders {
			bar := progress.New(0, "prune", "networks")
			options := analysis.PruneOptions{Order: order, Choose: *choose,
				Done: func(done, total int) { bar.SetTotal(int64(total)); bar.Set(int64(done), order) }}
			if *page != "" {
				options.Show = lessonImages
			}
			list, err := analysis.Prune(cmd.Context(), net, options)
			if err != nil {
				return err
			}
			bar.Done("")
			kept = analysis.RecordOf(net, options, list)
			curve := figures.PruneCurve{Name: order}
			for _, one := range list {
				row := prunedRow{order: order, Pruned: one, whole: list[0]}
				rows = append(rows, row)
				curve.Networks = append(curve.Networks, figures.PrunedNetwork{Blocks: len(one.Kept), MultiplyAdds: row.work(),
					Error: one.Remeasured.Test.Error, AsTrained: one.AsTrained.Test.Error})
			}
			curves = append(curves, curve)
		}
		markFront(rows)
		fmt.Fprintln(about)
		if err := say.WriteTable(cmd.OutOrStdout(), *format, prunedColumns(net), rows); err != nil {
			return err
		}
		if *out != "" {
			if err := writePruned(cmd, about, net, rows, *keep, *out); err != nil {
				return err
			}
		}
		if *record != "" {
			if err := kept.Save(*record); err != nil {
				return err
			}
		}
		if *page != "" {
			if err := writeLesson(net, rows, *page); err != nil {
				return err
			}
		}
		if *figure == "" {
			return nil
		}
		drawn, err := figures.Prune(figures.Recorded(fmt.Sprintf("%s, %d layers; depth in training: %s. %d test images. Averages of batch normalisation measured again "+
			"on training images; greedy compares %d validation images.", net.Data.Name, net.Recipe.Depth, net.Info.Recipe.Closing(), net.Data.Test.Len(), *choose)), curves...)
		if err != nil {
			return err
		}
		return figures.Save(*figure, drawn)
	}
	return cmd
}

// aside is where a command writes what is not its table: beside a table for people, else where it does not disturb programs.
func aside(cmd *cobra.Command, format string) io.Writer {
	if format == "table" {
		return cmd.OutOrStdout()
	}
	return cmd.ErrOrStderr()
}

// prunedRow is a line of the table.
type prunedRow struct {
	order string
	analysis.Pruned
	whole analysis.Pruned
	front bool // no other one has a lower validation error with at most as much work
}

// work is the multiply-adds of an image, in percent of the whole network's.
func (r prunedRow) work() float64 {
	if r.whole.MultiplyAdds == 0 {
		return math.NaN()
	}
	return 100 * float64(r.MultiplyAdds) / float64(r.whole.MultiplyAdds)
}

// markFront marks the best networks, by their validation errors: test images choose nothing.
func markFront(rows []prunedRow) {
	for i, r := range rows {
		rows[i].front = !slices.ContainsFunc(rows, func(other prunedRow) bool {
			less := other.MultiplyAdds < r.MultiplyAdds || r.MultiplyAdds == 0 && len(other.Kept) < len(r.Kept)
			same := other.MultiplyAdds == r.MultiplyAdds && len(other.Kept) == len(r.Kept)
			a, b := other.Remeasured.Validation, r.Remeasured.Validation
			return (less || same) && (a.Error < b.Error || less && a.Error == b.Error)
		})
	}
}

func prunedColumns(net *network.Opened) []say.Column[prunedRow] {
	percent := func(key, head string, value func(prunedRow) float64) say.Column[prunedRow] {
		return say.Column[prunedRow]{Key: key, Head: head, Right: true, Format: "%.2f", Value: func(r prunedRow) any { return value(r) }}
	}
	columns := []say.Column[prunedRow]{
		{Key: "order", Head: "Order", Value: func(r prunedRow) any { return r.order }},
		{Key: "blocks", Head: "Blocks", Right: true, Value: func(r prunedRow) any { return len(r.Kept) }},
		percent("multiply_adds", "Multiply-adds (%)", prunedRow.work),
		percent("validation_error", "Validation (%)", func(r prunedRow) float64 { return r.Remeasured.Validation.Error }),
		percent("test_error", "Test (%)", func(r prunedRow) float64 { return r.Remeasured.Test.Error }),
	}
	if net.HasAverages() {
		columns = append(columns,
			percent("test_error_as_trained", "Test, averages as trained (%)", func(r prunedRow) float64 { return r.AsTrained.Test.Error }))
	}
	return append(columns, say.Column[prunedRow]{Key: "front", Head: "Front", Value: func(r prunedRow) any {
		return map[bool]string{true: "best", false: ""}[r.front]
	}}, say.Column[prunedRow]{Key: "kept", Head: "Kept", Value: func(r prunedRow) any {
		return strings.Trim(fmt.Sprint(r.Kept), "[]")
	}})
}

// writePruned writes the largest network that keeps at most a share of the blocks.
func writePruned(cmd *cobra.Command, about io.Writer, net *network.Opened, rows []prunedRow, keep float64, out string) error {
	whole := len(rows[0].Kept)
	i := slices.IndexFunc(rows, func(r prunedRow) bool { return within(len(r.Kept), keep, whole) }) // there is one: see checkKeep
	if err := analysis.WritePruned(cmd.Context(), net, out, rows[i].Pruned); err != nil {
		return err
	}
	_, err := fmt.Fprintf(about, "\n%d of %d blocks: written to %s\n", len(rows[i].Kept), whole, out)
	return err
}

// within reports whether this number of blocks is at most a share of the whole.
func within(blocks int, keep float64, whole int) bool {
	return float64(blocks) <= keep*float64(whole)+1e-9
}

// checkKeep returns an error if no network can keep as few blocks as this share.
func checkKeep(net *network.Opened, keep float64) error {
	least, err := analysis.Least(net)
	whole := len(net.Network.Survival)
	if err != nil || within(least, keep, whole) {
		return err
	}
	return fmt.Errorf("--keep %v: %d of the %d blocks have to stay, so give at least %.2g", keep, least, whole,
		math.Ceil(100*float64(least)/float64(whole))/100)
}

// lessonImages is the number of images in a lesson, at most.
const lessonImages = 24

// writeLesson writes the page for a lecture.
func writeLesson(net *network.Opened, rows []prunedRow, path string) error {
	test := net.Data.Test.First(lessonImages)
	page := figures.Lesson{Title: "A network loses its blocks", Blocks: len(net.Network.Survival), Classes: net.Data.Classes,
		Text: fmt.Sprintf("%s, %d layers, depth in training: %s. Move the slider to the left: blocks go, in the order %s, without any "+
			"training after it.", net.Data.Name, net.Recipe.Depth, net.Recipe.Closing(), rows[0].order),
		Caption: "The first images of the test set. Green frame and ✓: right. Dashed red frame and ✗: wrong. The bar and the number are the " +
			"probability that the network gives to what it says. After each removal the averages of batch normalisation were measured " +
			"again on training images."}
	for i := range test.Len() {
		page.Pictures = append(page.Pictures, figures.Picture{Format: test.Format(), Pixels: test.Image(i)})
		page.Labels = append(page.Labels, test.Label(i))
	}
	for _, r := range rows {
		page.States = append(page.States, figures.LessonState{Kept: r.Kept, Error: r.Remeasured.Test.Error, MultiplyAdds: r.work(),
			Probabilities: r.Probabilities})
	}
	return page.Write(path)
}
