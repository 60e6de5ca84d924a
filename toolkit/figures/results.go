package figures

import (
	"fmt"
	"math"

	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Results is the table of results by regime: each stochastic setting of the runs beside constant depth of the same data,
// network and optimizer, with the difference of the test errors in points and its 95 % confidence interval (see
// [outcome.Contrast]), the seeds in which stochastic depth has the lower error, and the blocks and the time saved. Each
// row uses the seeds common to both, if there are any. Regimes of one data set are in the order of depth and epochs. A
// difference whose interval lies below zero is bold. A setting without its counterpart is an error, as are two runs of
// one seed.
func Results(list []*runs.Run) (Table, error) {
	t := Table{Title: "Constant and stochastic depth: test error by regime",
		Columns: []string{"Data", "Layers", "Epochs", "Survival", "n", "Constant (%)", "Stochastic (%)", "Difference", "Wins",
			"Blocks saved", "Time saved"}}
	rows, err := rowsOfRegimes(list, resultRow)
	if err != nil {
		return t, err
	}
	constant := "" // of the row above
	for _, row := range rows {
		own := row.Cells[5]
		if !row.Rule && own == constant { // of the regime above
			row.Cells[5] = ""
		}
		constant = own
	}
	t.Rows = rows
	t.Provenance = OfRuns(list).With("+: augmented by flips and shifts; without +: not augmented.",
		"Each row uses the seeds common to both.",
		"Errors: mean ± standard deviation over n seeds, at the epoch of the lowest validation error.",
		"Difference: stochastic minus constant depth, in points.",
		"Wins: seeds in which stochastic depth has the lower error. Blocks saved: not computed in training.",
		"Time saved: of the training time; it is uncertain where other work ran on the machine, and – stands for trainings that cannot be",
		"compared, on two machines or of two lengths.",
		"In brackets: the 95 % confidence interval by Student's t, of the paired differences, and of the paired ratios of the",
		"times (of independent means where no seed is shared); none for one seed.",
		"Bold: the interval lies below zero, so that p < 0.05, two-sided.")
	return t, nil
}

// rowsOfRegimes makes a row of each comparison of a stochastic setting with constant depth; its first cells are data, layers and
// epochs. What a row has in common with the one above is left out.
func rowsOfRegimes(list []*runs.Run, rowOf func(outcome.Comparison) TableRow) (rows []TableRow, err error) {
	regimes, err := outcome.Regimes(list)
	if err != nil {
		return nil, err
	}
	data := "" // of the row above
	for _, comparisons := range regimes {
		for j, c := range comparisons {
			row := rowOf(c)
			row.Rule = j == 0
			if j > 0 {
				row.Cells[1], row.Cells[2] = "", ""
			}
			if row.Cells[0] == data {
				row.Cells[0] = ""
			} else {
				data = row.Cells[0]
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// resultRow is one comparison's row of Results.
func resultRow(c outcome.Comparison) TableRow {
	r := c.StochasticRuns[0].Recipe
	n := fmt.Sprint(c.N)
	if len(c.ConstantRuns) != len(c.StochasticRuns) {
		n = fmt.Sprintf("%d and %d", len(c.ConstantRuns), len(c.StochasticRuns))
	}
	digits := c.Digits()
	wins := "–"
	if c.Pairs > 0 {
		wins = fmt.Sprintf("%d of %d", c.Wins, c.Pairs)
	}
	row := TableRow{Cells: []string{dataCell(r), fmt.Sprint(r.Depth), fmt.Sprint(r.Epochs), outcome.Closing(r), n,
		c.Constant.Text(digits), c.Stochastic.Text(digits), c.Points(digits), wins, outcome.Saving(c.BlocksSaved, math.NaN(), 0),
		outcome.Saving(c.TimeSaved, c.TimeSavedMargin, 0)}}
	if c.Clear() {
		row.BoldCells = []int{7}
	}
	return row
}

// dataCell names in a cell the data: "CIFAR-10+, 500 images".
func dataCell(r recipes.Recipe) string {
	if r.TrainImages > 0 {
		return fmt.Sprintf("%s, %d images", outcome.DataName(r), r.TrainImages)
	}
	return outcome.DataName(r)
}
