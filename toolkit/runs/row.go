package runs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Row is one evaluation, one line of epochs.tsv. Values that a run does not measure are NaN.
type Row struct {
	Epoch             float64 // epochs done; a fraction for an evaluation within an epoch
	Step              int64   // minibatches done
	LearningRate      float64 // of the last step
	TrainLoss         float64 // mean cross-entropy since the previous row
	TrainError        float64 // percent, since the previous row
	ValidationError   float64 // percent
	TestError         float64 // percent; only reported, never selected on; NaN where the recipe's test_every leaves it out
	OpenBlocksMean    float64 // mean number of open blocks a minibatch since the previous row
	GradientMagnitude float64 // mean absolute gradient of the first convolution of block 1 (Fig. 7)
	Seconds           float64 // training wall time so far, over all sessions of the run
}

const header = "epoch\tstep\tlearning_rate\ttrain_loss\ttrain_error\tvalidation_error\t" +
	"test_error\topen_blocks_mean\tgradient_magnitude\tseconds\n"

// fields lists the row's floats in the order of the columns; the step, column 1, is not among them.
func (r *Row) fields() []*float64 {
	return []*float64{&r.Epoch, &r.LearningRate, &r.TrainLoss, &r.TrainError, &r.ValidationError,
		&r.TestError, &r.OpenBlocksMean, &r.GradientMagnitude, &r.Seconds}
}

// Unknown is a row of which nothing is known.
func Unknown() (row Row) {
	for _, x := range row.fields() {
		*x = math.NaN()
	}
	return row
}

// line is the row as text, with every float in the fewest digits that read back exactly.
func (r Row) line() string {
	var b strings.Builder
	for i, x := range r.fields() {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(say.Exact(*x))
		if i == 0 {
			b.WriteByte('\t')
			b.WriteString(strconv.FormatInt(r.Step, 10))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// Text is the row as a line for people.
func (r Row) Text() string {
	test := ""
	if !math.IsNaN(r.TestError) {
		test = fmt.Sprintf(", test %.2f %%", r.TestError)
	}
	return fmt.Sprintf("epoch %-4.4g loss %.4f  error: training %.2f %%, validation %.2f %%%s  open blocks %.2f  %s",
		r.Epoch, r.TrainLoss, r.TrainError, r.ValidationError, test, r.OpenBlocksMean, say.SpanOf(r.Seconds))
}

func parseRow(line string) (Row, error) {
	var row Row
	columns := strings.Split(line, "\t")
	floats := row.fields()
	if len(columns) != len(floats)+1 {
		return Row{}, fmt.Errorf("%d columns instead of %d", len(columns), len(floats)+1)
	}
	var err error
	if row.Step, err = strconv.ParseInt(columns[1], 10, 64); err != nil {
		return Row{}, fmt.Errorf("%q is no step", columns[1])
	}
	for i, text := range append(columns[:1:1], columns[2:]...) {
		if *floats[i], err = strconv.ParseFloat(text, 64); err != nil {
			return Row{}, fmt.Errorf("%q is no number", text)
		}
	}
	return row, nil
}

const largestLog = 256 << 20 // bytes: two million rows

// readRows reads an epochs.tsv; a missing one has no rows. The file grows by whole lines, so a crash can tear only the
// last one: it lacks its newline, or has zeros for what did not reach the disk. Such a line is dropped and torn is true.
// All other damage is an error. Lines may end as on Windows.
func readRows(path string) (rows []Row, torn bool, err error) {
	data, err := files.ReadText(path, largestLog)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the log of the run: %w", err)
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	rest, found := bytes.CutPrefix(data, []byte(header))
	if !found {
		if strings.HasPrefix(header, string(data)) { // the first write was cut short
			return nil, true, nil
		}
		return nil, false, fmt.Errorf("%s is damaged: its first line does not name the columns %s",
			path, strings.Join(strings.Fields(header), ", "))
	}
	lines := strings.SplitAfter(string(rest), "\n") // the last is empty when the file ends in a newline
	for i, line := range lines {
		if line == "" {
			break
		}
		last := i == len(lines)-1 || lines[i+1] == ""
		row, err := parseRow(strings.TrimSuffix(line, "\n"))
		if err == nil && len(rows) > 0 && row.Step <= rows[len(rows)-1].Step {
			err = fmt.Errorf("step %d follows step %d", row.Step, rows[len(rows)-1].Step)
		}
		// Without its newline the last number may have lost digits, even if it reads as a number.
		if last && (!strings.HasSuffix(line, "\n") || strings.Contains(line, "\x00")) {
			return rows, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("%s is damaged in line %d (%w): restore the file from a copy, "+
				"or train again under another run name", path, i+2, err)
		}
		rows = append(rows, row)
	}
	return rows, false, nil
}
