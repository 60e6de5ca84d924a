package sweep

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// Spread sums up the values of several seeds.
type Spread struct {
	N    int     // values
	Mean float64 // NaN without values
	SD   float64 // sample standard deviation, with N-1; NaN for fewer than two values
}

// NewSpread sums up values.
func NewSpread(values []float64) Spread {
	s := Spread{N: len(values), Mean: stat.Mean(values, nil), SD: math.NaN()}
	if s.N > 1 {
		s.SD = stat.StdDev(values, nil)
	}
	return s
}

// String is "5.25 ± 0.10", in percent for example.
func (s Spread) String() string {
	switch {
	case s.N == 0:
		return "-"
	case s.N == 1:
		return fmt.Sprintf("%.2f", s.Mean)
	}
	return fmt.Sprintf("%.2f ± %.2f", s.Mean, s.SD)
}

// Result is a point of the grid, over its seeds. Runs that are not done are not in it.
type Result struct {
	Point           string         // the runs' names without the seed
	Recipe          recipes.Recipe // of the first seed
	Others          []string       // values of the sweep's other keys, see [Sweep.OtherKeys]
	Planned         int            // seeds in the grid
	TestError       Spread         // percent, at each run's best validation epoch: the number to report
	ValidationError Spread         // percent, at that epoch
	BestEpoch       Spread
	Seconds         Spread // of training
	Runs            []Status
}

// Results gives the grid in the order of its jobs, each point with its mean and spread over the seeds.
func (s *Sweep) Results(root string) []Result {
	var results []Result
	index := make(map[string]int)
	for _, status := range s.Status(root) {
		i, there := index[status.Point]
		if !there {
			i = len(results)
			index[status.Point] = i
			results = append(results, Result{Point: status.Point, Recipe: status.Recipe, Others: s.others(status.Job)})
		}
		results[i].Runs = append(results[i].Runs, status)
	}
	for i := range results {
		results[i].sumUp()
	}
	return results
}

func (r *Result) sumUp() {
	var test, validation, epoch, seconds []float64
	r.Planned = len(r.Runs)
	for _, status := range r.Runs {
		if status.State != Done {
			continue
		}
		best, ok := status.Run.Selected()
		if !ok {
			continue
		}
		test, validation, epoch = append(test, best.TestError), append(validation, best.ValidationError), append(epoch, best.Epoch)
		seconds = append(seconds, status.Run.Seconds())
	}
	r.TestError, r.ValidationError, r.BestEpoch, r.Seconds = NewSpread(test), NewSpread(validation), NewSpread(epoch), NewSpread(seconds)
}

// OtherKeys are the keys of the grid that are not among the usual ones: data set, depth, rule, death rate, seed.
func (s *Sweep) OtherKeys() []string {
	var keys []string
	for _, axis := range s.Axes {
		if !isUsual(axis.Key) {
			keys = append(keys, axis.Key)
		}
	}
	return keys
}

func (s *Sweep) others(job Job) []string {
	var values []string
	for i, axis := range s.Axes {
		if !isUsual(axis.Key) {
			values = append(values, job.Values[i])
		}
	}
	return values
}

func isUsual(key string) bool {
	switch key {
	case "dataset", "depth", "rule", "death_rate", "seed":
		return true
	}
	return false
}

// WriteResults writes one line a point of the grid, in a format of [say.TableFormats]: "table" for people, the
// others with exact numbers for programs.
func (s *Sweep) WriteResults(w io.Writer, results []Result, format string) error {
	keys := s.OtherKeys()
	columns := append(append([]string{"name", "dataset", "depth", "rule", "death_rate"}, keys...), "runs", "planned",
		"test_error", "test_error_sd", "validation_error", "validation_error_sd", "best_epoch", "seconds")
	switch format {
	case "table":
		return writeResultTable(w, keys, results)
	case "tsv", "csv":
		lines := make([][]string, len(results))
		for i, r := range results {
			lines[i] = append([]string{r.Point, r.Recipe.Dataset, strconv.Itoa(r.Recipe.Depth), r.Recipe.RuleName(), exact(r.Recipe.DeathRate)}, r.Others...)
			lines[i] = append(lines[i], strconv.Itoa(r.TestError.N), strconv.Itoa(r.Planned))
			for _, x := range r.numbers() {
				lines[i] = append(lines[i], exact(x))
			}
		}
		return say.WriteSeparated(w, format, columns, lines)
	case "json":
		objects := make([]map[string]any, len(results))
		for i, r := range results {
			object := map[string]any{"name": r.Point, "dataset": r.Recipe.Dataset, "depth": r.Recipe.Depth, "rule": r.Recipe.RuleName(),
				"death_rate": r.Recipe.DeathRate, "runs": r.TestError.N, "planned": r.Planned}
			for k, key := range keys {
				object[key] = r.Others[k]
			}
			for k, x := range r.numbers() {
				object[columns[len(columns)-len(r.numbers())+k]] = orNull(x)
			}
			objects[i] = object
		}
		return say.WriteJSON(w, objects)
	}
	return say.CheckFormat(format)
}

// numbers are the last columns of the results.
func (r Result) numbers() []float64 {
	return []float64{r.TestError.Mean, r.TestError.SD, r.ValidationError.Mean, r.ValidationError.SD, r.BestEpoch.Mean, r.Seconds.Mean}
}

func writeResultTable(w io.Writer, keys []string, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(append(append([]string{"data set", "depth", "rule", "p_L"}, keys...),
		"runs", "test %", "validation %", "best epoch", "seconds"), "\t"))
	for _, r := range results {
		survival := exact(r.Recipe.LastSurvival())
		if r.Recipe.Rule == "list" {
			survival = "-"
		}
		cells := append([]string{r.Recipe.Dataset, strconv.Itoa(r.Recipe.Depth), r.Recipe.RuleName(), survival}, r.Others...)
		cells = append(cells, fmt.Sprintf("%d/%d", r.TestError.N, r.Planned), r.TestError.String(), r.ValidationError.String(),
			rounded(r.BestEpoch.Mean), rounded(r.Seconds.Mean))
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

func rounded(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

func exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func orNull(x float64) any {
	if math.IsNaN(x) {
		return nil
	}
	return x
}
