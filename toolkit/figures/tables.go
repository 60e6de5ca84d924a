package figures

import (
	"fmt"
	"math"
	"slices"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/outcome"
	"stochdepth/toolkit/outcome/published"
	"stochdepth/toolkit/runs"
)

// The data sets of the paper's tables, in their order.
var paperDatasets = []string{"CIFAR-10+", "CIFAR-100+", "SVHN", "ImageNet"}

// PublishedTable1 is the paper's Table 1, with the results without augmentation and the paper's contradictions.
func PublishedTable1(paper *published.Paper) (Table, error) {
	t := Table{Title: "Table 1, Huang et al. 2016: test error (%)", Columns: append([]string{"Method"}, paperDatasets...)}
	var methods []string
	for _, n := range paper.Find("Table 1", published.Key{}) {
		if n.Method != published.Network && !slices.Contains(methods, n.Method) {
			methods = append(methods, n.Method)
		}
	}
	row := func(name string, k published.Key) []string {
		cells := []string{name}
		for _, dataset := range paperDatasets {
			k.Dataset = dataset
			cell := "–"
			if n, err := paper.Number("Table 1", k); err == nil {
				cell = fmt.Sprintf("%.2f", n.Value)
			}
			cells = append(cells, cell)
		}
		return cells
	}
	for _, method := range methods {
		t.Rows = append(t.Rows, TableRow{Cells: row(method, published.Key{Method: method})})
	}
	t.Rows = append(t.Rows,
		TableRow{Cells: row("ResNet, constant depth", published.Key{Method: published.Network, Survival: 1}), Bold: true, Rule: true},
		TableRow{Cells: row("ResNet, stochastic depth", published.Key{Method: published.Network, Survival: 0.5}), Bold: true})
	caption := "+: standard augmentation. ImageNet: validation error after 120 epochs. " +
		"110 layers on CIFAR, 152 on SVHN and ImageNet; linear decay, p_L = 0.5."
	for _, dataset := range []string{"CIFAR-10", "CIFAR-100"} {
		constant, err := paper.Number("text", published.Key{Quantity: published.TestError, Dataset: dataset, Survival: 1})
		if err != nil {
			return t, err
		}
		stochastic, err := paper.Number("text", published.Key{Quantity: published.TestError, Dataset: dataset, Survival: 0.5})
		if err != nil {
			return t, err
		}
		caption += fmt.Sprintf(" %s without augmentation: %.2f and %.2f %%.", dataset, constant.Value, stochastic.Value)
	}
	for _, c := range paper.Contradictions {
		if c.Dataset == "CIFAR-100+" && c.Survival == 1 {
			caption += fmt.Sprintf(" The paper has three values for CIFAR-100+ at constant depth: %s.", say.Enumerate(c.Values))
		}
	}
	t.Provenance = Published(caption)
	return t, nil
}

// Table1 sets the recorded runs beside the paper's Table 1 and, without augmentation, beside the errors in its text:
// published, ours, difference, with n, spread and conditions. Where the runs have no setting for a cell, it says so; runs
// of other data sets follow without a published number, and those of a part of the images without a difference.
func Table1(paper *published.Paper, list []*runs.Run) (Table, error) {
	t := Table{Title: "Table 1, published and ours: test error (%)",
		Columns: []string{"Data set", "Depth", "Published", "Ours", "Difference", "n", "Our conditions"}}
	used := map[*runs.Run]bool{}
	groups := outcome.BySetting(list)
	add := func(dataset, network, published string, value float64, group []*runs.Run, rule bool) error {
		row := TableRow{Cells: []string{dataset, network, published, "no run yet", "", "", ""}, Rule: rule}
		if dataset == "ImageNet" || dataset == "" && len(t.Rows) > 0 && t.Rows[len(t.Rows)-1].Cells[0] == "ImageNet" {
			row.Cells[3] = "out of reach"
		}
		if group != nil {
			e, err := outcome.MeanOf(outcome.TestError, group)
			if err != nil {
				return err
			}
			used[group[0]] = true
			row.Cells[3] = e.String()
			if !math.IsNaN(value) && group[0].Recipe.TrainImages == 0 {
				row.Cells[4] = outcome.Signed(e.Mean-value, 2)
			}
			row.Cells[5], row.Cells[6] = fmt.Sprint(e.N), outcome.Setting(group[0].Recipe)
		}
		t.Rows = append(t.Rows, row)
		return nil
	}
	for _, dataset := range []string{"CIFAR-10+", "CIFAR-10", "CIFAR-100+", "CIFAR-100", "SVHN", "ImageNet"} {
		source, quantity := "Table 1", ""
		if !slices.Contains(paperDatasets, dataset) {
			source, quantity = "text", published.TestError
		}
		for i, pair := range pairsOf(groups, dataset) {
			for j, network := range []string{"constant", "stochastic"} {
				k := published.Key{Quantity: quantity, Method: published.Network, Dataset: dataset, Survival: []float64{1, 0.5}[j]}
				n, err := paper.Number(source, k)
				if err != nil {
					return t, err
				}
				for m, group := range pair[j] {
					name := dataset
					if i > 0 || j > 0 || m > 0 {
						name = ""
					}
					if err := add(name, network, fmt.Sprintf("%.2f", n.Value), n.Value, group, name != ""); err != nil {
						return t, err
					}
				}
			}
		}
	}
	last := ""
	for _, group := range groups {
		if !used[group[0]] {
			name, network := outcome.DataName(group[0].Recipe), "stochastic"
			if group[0].Recipe.IsConstant() {
				network = "constant"
			}
			if name == last {
				name = ""
			}
			last = outcome.DataName(group[0].Recipe)
			if err := add(name, network, "–", math.NaN(), group, name != ""); err != nil {
				return t, err
			}
		}
	}
	provenance := OfRuns(list)
	provenance.Origin = "published and ours"
	t.Provenance = provenance.With("Published: 110 layers and 500 epochs on CIFAR, 152 layers on SVHN (50 epochs) and " +
		"ImageNet (120), p_L = 0.5, one run each; +: augmented; CIFAR without + from the paper's text, repeated in Table 2 " +
		"of Huang et al. 2017 (arXiv 1608.06993). " +
		"Ours: mean ± standard deviation over seeds, at the epoch of the lowest validation error. Difference: ours minus published, whatever " +
		"the conditions; none for a part of the images, which is another experiment.")
	return t, nil
}

// pairsOf returns the groups of a data set by depth, epochs and images: those of constant depth, then the others. Where there is
// none of a kind, in all, a nil stands for it.
func pairsOf(groups [][]*runs.Run, dataset string) (pairs [][2][][]*runs.Run) {
	of := [2][][]*runs.Run{ofData(groups, dataset, true), ofData(groups, dataset, false)}
	for kind, list := range of {
		if len(list) == 0 {
			of[kind] = [][]*runs.Run{nil}
		}
	}
	if of[0][0] == nil || of[1][0] == nil {
		return [][2][][]*runs.Run{of}
	}
	regime := func(group []*runs.Run) [3]int {
		r := group[0].Recipe
		return [3]int{r.Depth, r.Epochs, r.TrainImages}
	}
	var regimes [][3]int
	for _, group := range slices.Concat(of[0], of[1]) {
		if r := regime(group); !slices.Contains(regimes, r) {
			regimes = append(regimes, r)
		}
	}
	for _, r := range regimes {
		var pair [2][][]*runs.Run
		for kind, list := range of {
			pair[kind] = slices.DeleteFunc(slices.Clone(list), func(group []*runs.Run) bool { return regime(group) != r })
		}
		pairs = append(pairs, pair)
	}
	return pairs
}

// PublishedTable2 is the paper's Table 2 with the time saved, which follows from it.
func PublishedTable2(paper *published.Paper) (Table, error) {
	t := Table{Title: "Table 2, Huang et al. 2016: training time", Columns: append([]string{""}, paperDatasets[:3]...)}
	rows := [][]string{{"Constant depth"}, {"Stochastic depth"}, {"Saved (computed)"}}
	for _, dataset := range paperDatasets[:3] {
		constant, stochastic, err := publishedTimes(paper, dataset)
		if err != nil {
			return t, err
		}
		rows[0], rows[1] = append(rows[0], constant.Printed), append(rows[1], stochastic.Printed)
		rows[2] = append(rows[2], fmt.Sprintf("%.1f %%", 100*(1-stochastic.Value/constant.Value)))
	}
	for i, cells := range rows {
		t.Rows = append(t.Rows, TableRow{Cells: cells, Bold: i == 1, Rule: i == 2})
	}
	t.Provenance = Published("110 layers on CIFAR (500 epochs), 152 on SVHN (50 epochs); linear decay, p_L = 0.5. " +
		"The paper does not name the machine.")
	return t, nil
}

func publishedTimes(paper *published.Paper, dataset string) (constant, stochastic published.Number, err error) {
	k := published.Key{Quantity: published.TrainingTime, Dataset: dataset, Survival: 1}
	if constant, err = paper.Number("Table 2", k); err != nil {
		return
	}
	k.Survival = 0.5
	stochastic, err = paper.Number("Table 2", k)
	return
}

// Table2 sets recorded training times beside the paper's Table 2. What is compared is the time saved (see [outcome.TimeSaved]),
// since the machines differ. Ours are pairs of constant and stochastic runs of one data set, depth and machine, of the
// seeds that both have, if they share some.
func Table2(paper *published.Paper, list []*runs.Run) (Table, error) {
	t := Table{Title: "Table 2, published and ours: training time",
		Columns: []string{"Data set", "Whose", "Constant", "Stochastic", "Saved", "Difference", "n", "Conditions"}}
	groups := outcome.BySetting(list)
	used := map[*runs.Run]bool{}
	ours := func(dataset string, publishedSaved float64) error {
		constants, stochastics := ofData(groups, dataset, true), ofData(groups, dataset, false)
		for _, group := range stochastics {
			i, err := outcome.Counterpart(constants, group)
			if err != nil {
				return err
			}
			constant, stochastic := outcome.OfSharedSeeds(constants[i], group)
			saved, margin, err := outcome.TimeSaved(constant, stochastic)
			if err != nil {
				return err
			}
			a, b, difference := outcome.TimeOf(constant), outcome.TimeOf(stochastic), ""
			if !math.IsNaN(publishedSaved) {
				difference = outcome.Signed(100*(saved-publishedSaved), 1) + " points"
			}
			used[group[0]] = true
			t.Rows = append(t.Rows, TableRow{Cells: []string{dataset, "ours", clock(a), clock(b), outcome.Saving(saved, margin, 1),
				difference, fmt.Sprint(min(a.N, b.N)), outcome.Setting(stochastic[0].Recipe)}, Rule: math.IsNaN(publishedSaved)})
		}
		return nil
	}
	for _, dataset := range paperDatasets[:3] {
		constant, stochastic, err := publishedTimes(paper, dataset)
		if err != nil {
			return t, err
		}
		saved := 1 - stochastic.Value/constant.Value
		t.Rows = append(t.Rows, TableRow{Cells: []string{dataset, "published", constant.Printed, stochastic.Printed,
			fmt.Sprintf("%.1f %%", 100*saved), "", "1", fmt.Sprintf("%d layers, p_L = 0.5", constant.Layers)}, Rule: true})
		before := len(t.Rows)
		if err := ours(dataset, saved); err != nil {
			return t, err
		}
		if len(t.Rows) == before {
			t.Rows = append(t.Rows, TableRow{Cells: []string{"", "ours", "no run yet", "", "", "", "", ""}})
		}
		for i := range t.Rows[before:] {
			t.Rows[before+i].Cells[0] = ""
		}
	}
	for _, group := range groups {
		if r := group[0]; !used[r] && !r.Recipe.IsConstant() {
			if err := ours(outcome.DataName(r.Recipe), math.NaN()); err != nil {
				return t, err
			}
		}
	}
	provenance := OfRuns(list)
	provenance.Origin = "published and ours"
	t.Provenance = provenance.With("Ours: training time of all epochs, mean ± standard deviation over n seeds, " +
		"which are those that both have, if they share some; " +
		"in brackets the 95 % confidence interval of what is saved, by Student's t. Compare within a pair only.")
	return t, nil
}

// ofData returns the groups of a data set that have constant depth, or those that do not.
func ofData(groups [][]*runs.Run, dataset string, constant bool) [][]*runs.Run {
	return slices.DeleteFunc(slices.Clone(groups), func(group []*runs.Run) bool {
		r := group[0].Recipe
		return outcome.DataName(r) != dataset || r.IsConstant() != constant
	})
}

// clock is a mean time with its spread over n runs.
func clock(e outcome.Estimate) string {
	if e.N > 1 {
		return duration(e.Mean) + " ± " + duration(e.Deviation)
	}
	return duration(e.Mean)
}
