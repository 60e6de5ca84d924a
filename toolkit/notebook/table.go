package notebook

import (
	"fmt"
	"math"
	"os"

	"github.com/janpfeifer/gonb/gonbui"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

// Table shows one line for each run: what it is, how far it got, its errors in percent.
func Table(list ...*runs.Run) {
	if !gonbui.IsNotebook {
		Check(runs.Table(os.Stdout, list, "table"))
		return
	}
	rows := make([][]any, len(list))
	for i, run := range list {
		rule, selected, percents, seconds := run.Recipe.Rule, "–", [2]string{"–", "–"}, "–"
		switch {
		case run.Recipe.IsConstant():
			rule = "constant depth"
		case run.Recipe.Rule == "list":
			open, blocks := run.Recipe.ExpectedOpen()
			rule = fmt.Sprintf("list, %.3g of %d open", open, blocks)
		default:
			rule = fmt.Sprintf("%s, $p_L$ = %.3g", rule, run.Recipe.LastSurvival())
		}
		if best, ok := run.Selected(); ok {
			selected = trimmed(best.Epoch)
			percents = [2]string{fmt.Sprintf("%.2f", best.ValidationError), fmt.Sprintf("%.2f", best.TestError)}
		}
		if s := run.Seconds(); !math.IsNaN(s) {
			seconds = fmt.Sprintf("%.0f s", s)
		}
		epochs := fmt.Sprintf("%d of %d", int64(run.EpochsDone()), run.Recipe.Epochs)
		rows[i] = []any{run.Name, run.Recipe.Dataset, run.Recipe.Depth, rule, epochs, selected, percents[0], percents[1], seconds}
	}
	ShowTable([]string{"run", "data", "layers", "survival", "epochs", "selected", "validation error (%)", "test error (%)",
		"training"}, rows...)
}

// ShowTable shows a table with a head. Cells are shown as by fmt.Print, but floats with at most
// six digits.
func ShowTable(head []string, rows ...[]any) {
	lines := tableText(head, rows)
	if gonbui.IsNotebook {
		Markdown("%s", say.MarkdownTable(lines))
		return
	}
	fmt.Print(say.Aligned(lines, nil))
}

// tableText is a table's cells as text.
func tableText(head []string, rows [][]any) [][]string {
	lines := [][]string{head}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = fmt.Sprint(cell)
			if v, ok := cell.(float64); ok {
				cells[i] = trimmed(v)
			}
		}
		lines = append(lines, cells)
	}
	return lines
}
