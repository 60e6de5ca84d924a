package outcome

import (
	"fmt"
	"io"
	"slices"
	"strings"

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
		p.TestError, p.ValidationError = TestError.Known(done), ValidationError.Known(done)
		p.BestEpoch, p.Seconds = BestEpoch.Known(done), TrainingTime.Known(done)
	}
	return points
}

// WritePoints writes one line for each point of a sweep's grid, in a format of [say.TableFormats].
func WritePoints(w io.Writer, s *sweep.Sweep, points []Point, format string) error {
	columns := []say.Column[Point]{
		{Key: "name", Value: func(p Point) any { return p.Name }},
		{Key: "dataset", Head: "data set", Value: func(p Point) any { return p.Recipe.Dataset }},
		{Key: "depth", Head: "depth", Value: func(p Point) any { return p.Recipe.Depth }},
		{Key: "rule", Head: "rule", Value: func(p Point) any { return p.Recipe.RuleName() }},
		{Key: "death_rate", Head: "p_L", Value: func(p Point) any { return p.Recipe.DeathRate }, Shown: Point.survival},
	}
	for k, key := range s.OtherKeys() {
		columns = append(columns, say.Column[Point]{Key: key, Head: key, Value: func(p Point) any { return p.Others[k] }})
	}
	columns = append(columns, []say.Column[Point]{
		{Key: "runs", Head: "runs", Value: func(p Point) any { return p.TestError.N },
			Shown: func(p Point) string { return fmt.Sprintf("%d/%d", p.TestError.N, p.Planned) }},
		{Key: "planned", Value: func(p Point) any { return p.Planned }},
		{Key: "test_error", Head: "test %", Value: func(p Point) any { return p.TestError.Mean },
			Shown: func(p Point) string { return p.TestError.String() }},
		{Key: "test_error_sd", Value: func(p Point) any { return p.TestError.deviation() }},
		{Key: "validation_error", Head: "validation %", Value: func(p Point) any { return p.ValidationError.Mean },
			Shown: func(p Point) string { return p.ValidationError.String() }},
		{Key: "validation_error_sd", Value: func(p Point) any { return p.ValidationError.deviation() }},
		{Key: "best_epoch", Head: "best epoch", Value: func(p Point) any { return p.BestEpoch.Mean }, Format: "%.1f"},
		{Key: "seconds", Head: "seconds", Value: func(p Point) any { return p.Seconds.Mean }, Format: "%.1f"},
	}...)
	if format == "json" { // whose keys are in the order of the alphabet
		slices.SortFunc(columns, func(a, b say.Column[Point]) int { return strings.Compare(a.Key, b.Key) })
	}
	return say.WriteTable(w, format, columns, points)
}

// survival is p_L for people; a dash where each block has its own survival probability.
func (p Point) survival() string {
	if p.Recipe.Rule == "list" {
		return "-"
	}
	return say.Exact(p.Recipe.LastSurvival())
}
