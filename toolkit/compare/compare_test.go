package compare

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
)

// group makes up runs with the given test errors and the seeds 1, 2, ...
func group(t *testing.T, name string, deathRate float64, testErrors ...float64) Side {
	t.Helper()
	s := Side{Name: name}
	for i, e := range testErrors {
		recipe, err := runs.Preset("quickstart")
		require.NoError(t, err)
		recipe.DeathRate, recipe.Seed = deathRate, int64(i+1)
		s.Runs = append(s.Runs, &runs.Run{Name: fmt.Sprintf("%s-s%d", name, i+1), Recipe: recipe, Rows: []runs.Row{
			{Epoch: 1, Step: 10, TrainLoss: 1, ValidationError: e, TestError: e, OpenBlocksMean: 9 - 5*deathRate, Seconds: 100 * (1 - deathRate)},
		}})
	}
	return s
}

func text(t *testing.T, a, b Side) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Write(&out, a, b))
	return out.String()
}

func TestGroups(t *testing.T) {
	out := text(t, group(t, "constant", 0, 20, 21, 22), group(t, "linear", 0.2, 17, 16, 22.5))
	require.Regexp(t, `(?m)^ +constant +linear +difference\nruns +3 +3\ndeath_rate +0 +0.2\n`, out, "equal keys are left out, seeds among them")
	require.Regexp(t, `(?m)^test error % +21 ± 1 +18.5 ± 3.5 +-2.50 ± 1.61$`, out)
	require.Regexp(t, `(?m)^open blocks +9 ± 0 +8 ± 0 +-1$`, out)
	require.Regexp(t, `(?m)^training time +1 min 40 s +1 min 20 s +-20 %$`, out)
	require.Contains(t, out, "Test error of linear: -2.50 ± 1.61 points (± is the standard error of the differences of 3 seeds;")
	require.Contains(t, out, "lower in 2 of 3 seeds.\nStochastic depth left out 11 % of the blocks and took 20 % less time (± 0).\n")

	// The other way round only the signs differ.
	out = text(t, group(t, "linear", 0.2, 17, 16, 22.5), group(t, "constant", 0, 20, 21, 22))
	require.Contains(t, out, "Test error of constant: +2.50 ± 1.61 points")
	require.Contains(t, out, "lower in 1 of 3 seeds.\nStochastic depth left out 11 % of the blocks")
}

func TestSingleRuns(t *testing.T) {
	a, b := group(t, "a", 0.2, 20), group(t, "b", 0.5, 18, 19)
	b.Runs = b.Runs[1:]
	b.Runs[0].Result = &runs.Result{Machine: "another"}
	out := text(t, a, b)
	require.Regexp(t, `(?m)^death_rate +0.2 +0.5\nseed +1 +2\n`, out)
	require.Regexp(t, `(?m)^test error % +20 +19 +-1.00$`, out)
	require.Regexp(t, `(?m)^machine +another$`, out)
	lines := strings.Split(out, "\n")
	for _, line := range lines[1:3] { // a line without a difference is aligned with those that have one
		require.Equal(t, strings.Index(lines[0], "b"), strings.LastIndexAny(line, " ")+1, line)
	}
	require.Contains(t, out, "a run alone has no standard error")
	require.NotContains(t, out, "left out", "two stochastic settings")
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
	require.Regexp(t, `(?m)^depth +20, 8 +20$`, text(t, mixed, a))
}
