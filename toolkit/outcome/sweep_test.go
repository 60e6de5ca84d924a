package outcome

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/sweep"
)

// finish makes a job a finished run with these rows.
func finish(t *testing.T, root string, job sweep.Job, rows ...runs.Row) {
	t.Helper()
	w, err := runs.Create(filepath.Join(root, job.Name), job.Recipe)
	require.NoError(t, err)
	for _, row := range rows {
		require.NoError(t, w.Append(row))
	}
	require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", WallSeconds: 100,
		Steps: rows[len(rows)-1].Step}))
	require.NoError(t, w.Close())
}

// readSweep reads a sweep named it from the text of its file.
func readSweep(t *testing.T, text string) *sweep.Sweep {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	s, err := sweep.Read(path)
	require.NoError(t, err)
	return s
}

func TestPoints(t *testing.T) {
	root := t.TempDir()
	s := readSweep(t, `{"recipe": "shapes", "set": {"epochs": 2},
		"grid": {"death_rate": [0, 0.5], "seed": [1, 2, 3], "momentum": [0.9]}}`)
	for seed, test := range []float64{10, 13, 16} {
		finish(t, root, s.Jobs[2*seed],
			runs.Row{Epoch: 1, Step: 10, ValidationError: 20, TestError: test, Seconds: 30}, // the best epoch
			runs.Row{Epoch: 2, Step: 20, ValidationError: 21, TestError: 1, Seconds: 60})
	}
	finish(t, root, s.Jobs[1], runs.Row{Epoch: 2, Step: 20, ValidationError: 8, TestError: 9, Seconds: 40})

	changed := s.Jobs[3]
	changed.Recipe.Momentum = 0.5
	finish(t, root, changed, runs.Row{Epoch: 2, Step: 20, ValidationError: 1, TestError: 1, Seconds: 40}) // is of another sweep

	points := Points(s, root)
	require.Len(t, points, 2)
	require.Equal(t, Estimate{N: 3, Mean: 13, Deviation: 3}, points[0].TestError)
	require.Equal(t, Estimate{N: 3, Mean: 20}, points[0].ValidationError)
	require.Equal(t, 1, points[1].TestError.N)
	require.Equal(t, 3, points[1].Planned)

	var table, tsv, asJSON bytes.Buffer
	require.NoError(t, WritePoints(&table, s, points, "table"))
	require.Equal(t, ""+
		"data set  depth  rule      p_L  momentum  runs  test %        validation %  best epoch  seconds\n"+
		"shapes    20     constant  1    0.9       3/3   13.00 ± 3.00  20.00 ± 0.00  1.0         60.0\n"+
		"shapes    20     linear    0.5  0.9       1/3   9.00          8.00          2.0         40.0\n", table.String())
	require.NoError(t, WritePoints(&tsv, s, points, "tsv"))
	require.Equal(t, ""+
		"name\tdataset\tdepth\trule\tdeath_rate\tmomentum\truns\tplanned\ttest_error\ttest_error_sd\tvalidation_error\tvalidation_error_sd\tbest_epoch\tseconds\n"+
		"it/20-constant-momentum=0.9\tshapes\t20\tconstant\t0\t0.9\t3\t3\t13\t3\t20\t0\t1\t60\n"+
		"it/20-linear-0.5-momentum=0.9\tshapes\t20\tlinear\t0.5\t0.9\t1\t3\t9\tNaN\t8\tNaN\t2\t40\n", tsv.String())
	require.NoError(t, WritePoints(&asJSON, s, points, "json"))
	var objects []map[string]any
	require.NoError(t, json.Unmarshal(asJSON.Bytes(), &objects))
	require.Equal(t, 13.0, objects[0]["test_error"])
	require.Equal(t, 3.0, objects[0]["test_error_sd"])
	require.Nil(t, objects[1]["test_error_sd"])
	var asCSV bytes.Buffer
	require.NoError(t, WritePoints(&asCSV, s, points, "csv"))
	require.Equal(t, strings.ReplaceAll(tsv.String(), "\t", ","), asCSV.String())
	require.EqualError(t, WritePoints(&table, s, points, "xml"), `unknown format "xml": use table, tsv, csv, json`)
}

// A run that is recorded without its log is described by its result.
func TestPointOfARecordWithoutItsLog(t *testing.T) {
	root := t.TempDir()
	s := readSweep(t, `{"recipe": "shapes", "set": {"epochs": 2}, "grid": {"death_rate": [0], "seed": [1, 2]}}`)
	w, err := runs.Create(filepath.Join(root, s.Jobs[0].Name), s.Jobs[0].Recipe)
	require.NoError(t, err)
	require.NoError(t, w.WriteResult(runs.Result{Completed: true, Status: "finished", BestEpoch: 1, ValidationError: 8, TestError: 9,
		Epochs: 2, Steps: 20, WallSeconds: 100}))
	require.NoError(t, w.Close())
	var table bytes.Buffer
	require.NoError(t, WritePoints(&table, s, Points(s, root), "table"))
	require.Equal(t, ""+
		"data set  depth  rule      p_L  runs  test %  validation %  best epoch  seconds\n"+
		"shapes    20     constant  1    1/2   9.00    8.00          1.0         100.0\n", table.String())
}

func TestEstimatesInWords(t *testing.T) {
	require.Equal(t, "6.00 ± 2.00", Average(4, 6, 8).String())
	require.Equal(t, "6.0 ± 2.0 %", Average(4, 6, 8).Percent(1))
	require.Equal(t, "5.00", Average(5).String())
	require.True(t, math.IsNaN(Average(5).deviation()), "one value has no spread")
	require.Equal(t, "-", Average().String())
	require.Equal(t, []string{"27 % [21, 33]", "−10 %", "–"},
		[]string{Saving(0.27, 0.06, 0), Saving(-0.1, math.NaN(), 0), Saving(math.NaN(), 0, 0)})
}
