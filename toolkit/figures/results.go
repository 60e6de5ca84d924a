package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Results is the table of results by regime: each stochastic setting of the runs beside constant depth of the same data,
// network and optimizer, with the difference of the test errors in points and its 95 % confidence interval (see
// [Contrast]), the seeds in which stochastic depth has the lower error, and the blocks and the time saved. A row is of
// the seeds that both have, if they have some. Regimes of one data set are in the order of depth and epochs. A difference
// whose interval lies below zero is bold. A setting without its counterpart is an error, as are two runs of one seed.
func Results(list []*runs.Run) (Table, error) {
	t := Table{Title: "Constant and stochastic depth: test error by regime",
		Columns: []string{"Data", "Layers", "Epochs", "Depth", "n", "Constant (%)", "Stochastic (%)", "Difference", "Wins", "Blocks saved", "Time saved"}}
	groups := bySetting(list)
	constants := matchingGroups(groups, func(r *runs.Run) bool { return r.Recipe.IsConstant() })
	stochastics := matchingGroups(groups, func(r *runs.Run) bool { return !r.Recipe.IsConstant() })
	var order []string // of the data, as they come; below it depth and length of training ascend
	for _, group := range constants {
		order = append(order, dataCell(group[0].Recipe))
	}
	slices.SortStableFunc(constants, func(a, b []*runs.Run) int {
		x, y := a[0].Recipe, b[0].Recipe
		return cmp.Or(cmp.Compare(slices.Index(order, dataCell(x)), slices.Index(order, dataCell(y))),
			cmp.Compare(x.Depth, y.Depth), cmp.Compare(x.Epochs, y.Epochs))
	})
	of := make([][]Comparison, len(constants)) // of each regime
	for _, stochastic := range stochastics {
		i := slices.IndexFunc(constants, func(c []*runs.Run) bool {
			return sameSettings([]*runs.Run{c[0], stochastic[0]}, "seed") == nil
		})
		if i < 0 {
			return t, fmt.Errorf("the run %s has no run of constant depth with the same settings to be compared with", stochastic[0].Name)
		}
		c, err := Compare(constants[i], stochastic)
		if err != nil {
			return t, err
		}
		of[i] = append(of[i], c)
	}
	data, constant := "", "" // of the row above
	for i, comparisons := range of {
		if len(comparisons) == 0 {
			return t, fmt.Errorf("the run %s of constant depth has no run of stochastic depth with the same settings to be compared with", constants[i][0].Name)
		}
		for j, c := range comparisons {
			row := resultRow(c)
			own := row.Cells[5]
			if j == 0 {
				row.Rule = true
				if row.Cells[0] == data {
					row.Cells[0] = ""
				} else {
					data = row.Cells[0]
				}
			} else { // of the regime above
				for _, k := range []int{0, 1, 2} {
					row.Cells[k] = ""
				}
				if own == constant {
					row.Cells[5] = ""
				}
			}
			constant = own
			t.Rows = append(t.Rows, row)
		}
	}
	t.Provenance = OfRuns(list).With("+: augmented by flips and shifts; without +: not augmented.",
		"Each row uses the seeds common to both.",
		"Errors: mean ± standard deviation over n seeds, at the epoch of the lowest validation error.",
		"Difference: stochastic minus constant depth, in points.",
		"Wins: seeds in which stochastic depth has the lower error. Blocks saved: not computed in training.",
		"Time saved: of the training time; it is uncertain where other work ran on the machine.",
		"In brackets: the 95 % confidence interval by Student's t, of the paired differences, and of the paired ratios of the",
		"times (of independent means where no seed is shared); none for one seed.",
		"Bold: the interval lies below zero, so that p < 0.05, two-sided.")
	return t, nil
}

// resultRow is one comparison's row of Results.
func resultRow(c Comparison) TableRow {
	r := c.StochasticRuns[0].Recipe
	n := fmt.Sprint(c.N)
	if len(c.ConstantRuns) != len(c.StochasticRuns) {
		n = fmt.Sprintf("%d and %d", len(c.ConstantRuns), len(c.StochasticRuns))
	}
	digits := digitsOf(r)
	cell := func(e Estimate) string { return strings.TrimSuffix(percent(e, digits), " %") }
	wins := "–"
	if c.Pairs > 0 {
		wins = fmt.Sprintf("%d of %d", c.Wins, c.Pairs)
	}
	row := TableRow{Cells: []string{dataCell(r), fmt.Sprint(r.Depth), fmt.Sprint(r.Epochs), depthCell(r), n,
		cell(c.Constant), cell(c.Stochastic), c.inPoints(digits), wins, saving(c.BlocksSaved, math.NaN(), 0), saving(c.TimeSaved, c.TimeSavedMargin, 0)}}
	if c.Clear() {
		row.BoldCells = []int{7}
	}
	return row
}

// dataCell says in a cell what is learned: "CIFAR-10+, 500 images" is augmented.
func dataCell(r recipes.Recipe) string {
	images := r.TrainImages
	r.TrainImages = 0
	data := DatasetName(r)
	if r.Augment && !strings.HasSuffix(data, "+") {
		data += "+"
	}
	if images > 0 {
		data += fmt.Sprintf(", %d images", images)
	}
	return data
}

// depthCell says in a cell how blocks close; the linear rule, the paper's, goes without saying: "p_L = 0.8".
func depthCell(r recipes.Recipe) string { return strings.TrimPrefix(r.Closing(), "linear, ") }

// inPoints is the difference of two errors with its confidence interval, if it has one: "−3.41 [−5.72, −1.10]".
func (c Contrast) inPoints(digits int) string {
	low, high := c.Interval()
	if math.IsNaN(low) {
		return signed(c.Difference, digits)
	}
	return fmt.Sprintf("%s [%s, %s]", signed(c.Difference, digits), signed(low, digits), signed(high, digits))
}

// saving is a fraction in percent with its confidence interval, if it has a margin, and a dash where it is not known:
// "27 % [21, 33]".
func saving(fraction, margin float64, digits int) string {
	if math.IsNaN(fraction) {
		return "–"
	}
	s := fmt.Sprintf("%.*f %%", digits, 100*fraction+0)
	if !math.IsNaN(margin) {
		s += fmt.Sprintf(" [%.*f, %.*f]", digits, 100*(fraction-margin), digits, 100*(fraction+margin))
	}
	return strings.ReplaceAll(s, "-", "−")
}
