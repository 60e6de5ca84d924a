package outcome

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
	"stochdepth/toolkit/runs/sweep"
)

// Point is a point of a sweep's grid, over its seeds. Its numbers do not include runs that are not done.
type Point struct {
	Name            string         // the runs' names without the seed
	Recipe          recipes.Recipe // of the first seed
	Others          []string       // values of the sweep's other keys, see [sweep.Sweep.OtherKeys]
	Planned         int            // seeds in the grid
	TestError       Estimate       // percent, at each run's best validation epoch: the number to report
	ValidationError Estimate       // percent, at that epoch
	BestEpoch       Estimate
	Seconds         Estimate // of training
	Runs            []sweep.Status
}

// Points returns the points of a sweep's grid in the order of its jobs, with means and spreads over the seeds, from the
// run folders below root.
func Points(s *sweep.Sweep, root string) []Point {
	var points []Point
	index := make(map[string]int)
	for _, status := range s.Status(root) {
		i, there := index[status.Point]
		if !there {
			i = len(points)
			index[status.Point] = i
			points = append(points, Point{Name: status.Point, Recipe: status.Recipe, Others: s.Others(status.Job)})
		}
		points[i].Runs = append(points[i].Runs, status)
	}
	for i := range points {
		p := &points[i]
		var done []*runs.Run
		for _, status := range p.Runs {
			if status.State == sweep.Done {
				done = append(done, status.Run)
			}
		}
		p.Planned = len(p.Runs)
		p.TestError, p.ValidationError = TestError.known(done), ValidationError.known(done)
		p.BestEpoch, p.Seconds = BestEpoch.known(done), TrainingTime.known(done)
	}
	return points
}

// WritePoints writes one line for each point of a sweep's grid, in a format of [say.TableFormats]: "table" for people,
// the others with exact numbers for programs.
func WritePoints(w io.Writer, s *sweep.Sweep, points []Point, format string) error {
	keys := s.OtherKeys()
	columns := append(append([]string{"name", "dataset", "depth", "rule", "death_rate"}, keys...), "runs", "planned",
		"test_error", "test_error_sd", "validation_error", "validation_error_sd", "best_epoch", "seconds")
	switch format {
	case "table":
		return writePointTable(w, keys, points)
	case "tsv", "csv":
		lines := make([][]string, len(points))
		for i, p := range points {
			r := p.Recipe
			lines[i] = append([]string{p.Name, r.Dataset, strconv.Itoa(r.Depth), r.RuleName(), say.Exact(r.DeathRate)}, p.Others...)
			lines[i] = append(lines[i], strconv.Itoa(p.TestError.N), strconv.Itoa(p.Planned))
			for _, x := range p.numbers() {
				lines[i] = append(lines[i], say.Exact(x))
			}
		}
		return say.WriteSeparated(w, format, columns, lines)
	case "json":
		objects := make([]map[string]any, len(points))
		for i, p := range points {
			object := map[string]any{"name": p.Name, "dataset": p.Recipe.Dataset, "depth": p.Recipe.Depth, "rule": p.Recipe.RuleName(),
				"death_rate": p.Recipe.DeathRate, "runs": p.TestError.N, "planned": p.Planned}
			for k, key := range keys {
				object[key] = p.Others[k]
			}
			for k, x := range p.numbers() {
				object[columns[len(columns)-len(p.numbers())+k]] = say.Known(x)
			}
			objects[i] = object
		}
		return say.WriteJSON(w, objects)
	}
	return say.CheckFormat(format)
}

// numbers returns the values of the last columns.
func (p Point) numbers() []float64 {
	return []float64{p.TestError.Mean, p.TestError.deviation(), p.ValidationError.Mean, p.ValidationError.deviation(),
		p.BestEpoch.Mean, p.Seconds.Mean}
}

func writePointTable(w io.Writer, keys []string, points []Point) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(append(append([]string{"data set", "depth", "rule", "p_L"}, keys...),
		"runs", "test %", "validation %", "best epoch", "seconds"), "\t"))
	for _, p := range points {
		survival := say.Exact(p.Recipe.LastSurvival())
		if p.Recipe.Rule == "list" {
			survival = "-"
		}
		cells := append([]string{p.Recipe.Dataset, strconv.Itoa(p.Recipe.Depth), p.Recipe.RuleName(), survival}, p.Others...)
		cells = append(cells, fmt.Sprintf("%d/%d", p.TestError.N, p.Planned), p.TestError.String(), p.ValidationError.String(),
			rounded(p.BestEpoch.Mean), rounded(p.Seconds.Mean))
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
