package outcome

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// group makes up runs with the given test errors and the seeds 1, 2, ...
func group(t *testing.T, name string, deathRate float64, testErrors ...float64) Side {
	t.Helper()
	s := Side{Name: name}
	for i, e := range testErrors {
		recipe, err := recipes.Preset("quickstart")
		require.NoError(t, err)
		recipe.DeathRate, recipe.Epochs, recipe.Seed = deathRate, 120, int64(i+1)
		s.Runs = append(s.Runs, &runs.Run{Name: fmt.Sprintf("%s-s%d", name, i+1), Recipe: recipe, Rows: []runs.Row{
			{Epoch: 120, Step: 10, TrainLoss: 1, ValidationError: e, TestError: e, OpenBlocksMean: 9 - 5*deathRate,
				Seconds: 100 * (1 - deathRate)},
		}})
	}
	return s
}

func text(t *testing.T, a, b Side) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, WriteSides(&out, a, b))
	return out.String()
}

func TestGroups(t *testing.T) {
	out := text(t, group(t, "constant", 0, 20, 21, 22), group(t, "linear", 0.2, 17, 16, 22.5))
	require.Regexp(t, `(?m)^ +constant +linear +difference\nruns +3 +3\ndeath_rate +0 +0.2\n`, out,
		"equal keys are left out, seeds among them")
	// 4.303 standard errors of 1.607, at 2 degrees of freedom.
	require.Regexp(t, `(?m)^test error % +21 ± 1 +18.5 ± 3.5 +-2.50 \[-9.42, \+4.42\]$`, out)
	require.Regexp(t, `(?m)^open blocks +9 ± 0 +8 ± 0 +-1$`, out)
	require.Regexp(t, `(?m)^training time +1 min 40 s +1 min 20 s +-20 %$`, out)
	require.Contains(t, out, "Test error of linear: "+
		"-2.50 [-9.42, +4.42] points (in brackets the 95 % interval by Student's t of the differences of 3 seeds;")
	require.Contains(t, out, "lower in 2 of 3 seeds.\nStochastic depth left out 11 % of the blocks and took 20 % less time.\n")
	require.NotContains(t, out, "Left out, as")
	require.NotContains(t, out, "epochs done")

	// The other way round only the signs differ.
	out = text(t, group(t, "linear", 0.2, 17, 16, 22.5), group(t, "constant", 0, 20, 21, 22))
	require.Contains(t, out, "Test error of constant: +2.50 [-4.42, +9.42] points")
	require.Contains(t, out, "lower in 1 of 3 seeds.\nStochastic depth left out 11 % of the blocks")
}

func TestSingleRuns(t *testing.T) {
	a, b := group(t, "a", 0.2, 20), group(t, "b", 0.5, 18, 19)
	b.Runs = b.Runs[1:]
	b.Runs[0].Result = &runs.Result{Session: runs.Session{Machine: "another"}}
	out := text(t, a, b)
	require.Regexp(t, `(?m)^death_rate +0.2 +0.5\nseed +1 +2\n`, out)
	require.Regexp(t, `(?m)^test error % +20 +19 +-1.00$`, out)
	require.Regexp(t, `(?m)^machine +another$`, out)
	lines := strings.Split(out, "\n")
	for _, line := range lines[1:3] { // a line without a difference is aligned with those that have one
		require.Equal(t, strings.Index(lines[0], "b"), strings.LastIndexAny(line, " ")+1, line)
	}
	require.Contains(t, out, "a run alone has no interval")
	require.NotContains(t, out, "left out", "two stochastic settings")
}

// A hard seed that only one side has would turn the sign: it is left out everywhere, and named.
func TestOnlySharedSeeds(t *testing.T) {
	a, b := group(t, "constant", 0, 10, 12, 40), group(t, "linear", 0.2, 11, 13)
	a.Runs[2].Rows[0].Seconds = 1000
	out := text(t, a, b)
	require.Regexp(t, `(?m)^runs +2 +2$`, out)
	require.Regexp(t, `(?m)^test error % +11 ± 1.4 +12 ± 1.4 +\+1.00$`, out)
	require.Regexp(t, `(?m)^validation error % +11 ± 1.4 +12 ± 1.4 +\+1$`, out)
	require.Regexp(t, `(?m)^training time +1 min 40 s +1 min 20 s +-20 %$`, out)
	require.Contains(t, out, "+1.00 points (the same for all seeds, so that it has no interval;")
	require.Contains(t, out, "lower in 0 of 2 seeds.")
	require.Contains(t, out, "\nLeft out, as the other side does not have their seeds: constant-s3.\n")
	require.NotRegexp(t, `(?m)^seed `, out)
}

// A run that was stopped half-way is not compared as if it were finished.
func TestStoppedRuns(t *testing.T) {
	a, b := group(t, "constant", 0, 38), group(t, "linear", 0.2, 44)
	b.Runs[0].Rows[0].Epoch, b.Runs[0].Rows[0].Step = 60, 5
	out := text(t, a, b)
	require.Regexp(t, `(?m)^epochs done +120 +60$`, out)
	require.Regexp(t, `(?m)^training time +1 min 40 s +1 min 20 s$`, out)
	require.Regexp(t, `(?m)^time a step, ms +1e\+04 +1.6e\+04 +\+6e\+03$`, out, "per step they can be compared")
	require.NotContains(t, out, "less time")
	require.Contains(t, out, "The times are not compared: the training times of constant-s1 and linear-s1 cannot be compared: "+
		"the numbers of steps differ, 10 and 5.")
	require.Contains(t, out, "Not trained to the end: linear-s1.\n")
}

// Open blocks are the mean over all minibatches, not over the last ones.
func TestOpenBlocksOfAllSteps(t *testing.T) {
	a, b := group(t, "constant", 0, 20), group(t, "early", 0.2, 18)
	first := b.Runs[0].Rows[0]
	first.Epoch, first.Step, first.OpenBlocksMean = 90, 7, 5
	b.Runs[0].Rows[0].OpenBlocksMean = 9
	b.Runs[0].Rows = append([]runs.Row{first}, b.Runs[0].Rows...)
	require.Regexp(t, `(?m)^open blocks +9 +6.2 +-2.8$`, text(t, a, b), "(7·5 + 3·9) / 10")
}

// Times of two machines are not compared, whether of two runs or of one run that went on elsewhere.
func TestTwoMachines(t *testing.T) {
	a, b := group(t, "constant", 0, 20), group(t, "linear", 0.2, 18)
	here := runs.Result{Session: runs.Session{Machine: "here"}}
	a.Runs[0].Result = &here
	b.Runs[0].Result = &runs.Result{Session: here.Session, Earlier: []runs.Session{{Machine: "there"}}}
	out := text(t, a, b)
	require.Regexp(t, `(?m)^training time +1 min 40 s +1 min 20 s$`, out)
	require.Regexp(t, `(?m)^time a step, ms +1e\+04 +8000$`, out)
	require.Regexp(t, `(?m)^machine +here +there; here$`, out)
	require.Contains(t, out, "the training time of linear-s1 cannot be compared with others: "+
		"the machines differ, it was trained on there and here.")
}

func TestWhatIsNotThere(t *testing.T) {
	a, b := group(t, "a", 0.2, 20), group(t, "b", 0.5, 18)
	b.Runs[0].Rows = nil
	out := text(t, a, b)
	require.Regexp(t, `(?m)^test error % +20 +-$`, out)
	require.Contains(t, out, "The test errors are not compared: the run b-s1 has no evaluated epoch")

	mixed := group(t, "mixed", 0.2, 20, 21)
	mixed.Runs[1].Recipe.Depth = 8
	require.Contains(t, text(t, mixed, a), "are of two settings: compare one of them at a time")
	require.Regexp(t, `(?m)^depth +20, 8 +20$`, text(t, mixed, group(t, "a", 0.2, 20, 21)))
}
