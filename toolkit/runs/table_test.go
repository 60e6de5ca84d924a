package runs

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// everyKind returns runs of every kind: with rows, without, recorded without its log, with a list of probabilities, with
// a million epochs, and with a name that is not fit to be shown.
func everyKind(t *testing.T) []*Run {
	base, err := recipes.Preset("shapes")
	require.NoError(t, err)
	list, recorded, diverged := base, base, base
	base.DeathRate, base.Epochs = 0.5, 1_000_000
	list.Rule, list.DeathRate, list.SurvivalProbabilities = "list", 0, []float64{1, 0.5, 0.25}
	list.Depth = 8
	recorded.DeathRate = 0
	return []*Run{
		{Name: "half", Recipe: base, Rows: []Row{{Epoch: 0.5, Step: 2, ValidationError: 30, TestError: 31.256, Seconds: 1.5},
			{Epoch: 1.25, Step: 5, ValidationError: 29.5, TestError: 30.125, Seconds: 3725}}},
		{Name: "young", Recipe: list},
		{Name: "recorded", Recipe: recorded, Result: &Result{Status: "finished", Completed: true, Epochs: 240, BestEpoch: 200,
			ValidationError: 12.5, TestError: 1. / 3, StepsPerSecond: 7.123456, WallSeconds: 4 * 24 * 3600}},
		{Name: "a\tb, <\"c\">", Recipe: diverged, Result: &Result{Status: "diverged"}, Rows: []Row{{Epoch: 3, Step: 1}}},
	}
}

// The lists in all formats, letter for letter.
func TestTableOfEveryKind(t *testing.T) {
	var out bytes.Buffer
	for _, format := range say.TableFormats {
		require.NoError(t, Table(&out, everyKind(t), format))
		out.WriteString("\n")
	}
	want, err := os.ReadFile("testdata/tables.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

// listed are three runs of 20 and of 110 layers; the second has no errors yet.
func listed(t *testing.T) []*Run {
	recipe, err := recipes.Preset("cifar10")
	require.NoError(t, err)
	run := func(name string, depth int, deathRate float64, rows ...Row) *Run {
		r := recipe
		r.Depth, r.DeathRate = depth, deathRate
		return &Run{Name: name, Recipe: r, Rows: rows}
	}
	return []*Run{
		run("quickstart-20", 20, 0, Row{Epoch: 1, Step: 10, ValidationError: 30, TestError: 31, Seconds: 100}),
		run("more/quickstart-110", 110, 0.5),
		run("fig8-20", 20, 0.5, Row{Epoch: 1, Step: 10, ValidationError: 20, TestError: 21, Seconds: 90}),
	}
}

func TestSelection(t *testing.T) {
	for _, test := range []struct {
		want string
		Selection
	}{
		{"quickstart-20 more/quickstart-110 fig8-20", Selection{}},
		{"quickstart-20 more/quickstart-110", Selection{Names: "quickstart-*"}},
		{"more/quickstart-110", Selection{Names: "more/*"}},
		{"", Selection{Names: "quickstart"}},
		{"quickstart-20 fig8-20", Selection{Where: []string{"depth=20"}}},
		{"fig8-20", Selection{Where: []string{"depth=20", "death-rate=.5"}}},
		{"", Selection{Where: []string{"depth=20", "depth=110"}}},
		{"", Selection{Where: []string{"description=anything"}}},
		{"fig8-20 more/quickstart-110 quickstart-20", Selection{Sort: "name"}},
		{"fig8-20 more/quickstart-110 quickstart-20", Selection{Reverse: true}},
		{"fig8-20 quickstart-20 more/quickstart-110", Selection{Sort: "test-error"}},
		{"quickstart-20 fig8-20 more/quickstart-110", Selection{Sort: "test_error", Reverse: true}},
		{"more/quickstart-110 quickstart-20 fig8-20", Selection{Sort: "depth", Reverse: true}},
		{"fig8-20", Selection{Sort: "time", Names: "*20", Where: []string{"death_rate=0.5"}}},
	} {
		list, err := test.Of(listed(t))
		require.NoError(t, err)
		var names []string
		for _, run := range list {
			names = append(names, run.Name)
		}
		require.Equal(t, test.want, strings.Join(names, " "), "%+v", test.Selection)
	}
	for want, s := range map[string]Selection{
		`the pattern "[a" has a bracket that does not close`:            {Names: "[a"},
		`"depth" is not a condition: write key=value, such as depth=20`: {Where: []string{"depth"}},
		`unknown key "dept" (did you mean "depth"?)`:                    {Where: []string{"dept=20"}},
		`depth must be a whole number, not "deep"`:                      {Where: []string{"depth=deep"}},
		`cannot sort by "error" (did you mean "validation-error" or`:    {Sort: "error"},
	} {
		_, err := s.Of(nil)
		require.ErrorContains(t, err, want)
	}
}

// Every column orders two runs that differ in all columns, in both directions.
func TestSortKeys(t *testing.T) {
	list := listed(t)
	low, high := list[0], list[2]
	low.Name, low.Recipe.Dataset, low.Recipe.Rule, low.Recipe.DeathRate, low.Recipe.Depth = "a", "a", "a", 0.1, 8
	low.Rows = []Row{{Epoch: 0.5, Step: 1, ValidationError: 1, TestError: 1, Seconds: 1}}
	low.Result, high.Result = &Result{Status: "a"}, &Result{Status: "b"}
	high.Rows = []Row{{Epoch: 1, Step: 10, ValidationError: 2, TestError: 2, Seconds: 2}}
	for _, key := range SortKeys() {
		sorted, err := Selection{Sort: key}.Of([]*Run{high, low})
		require.NoError(t, err)
		require.Equal(t, []*Run{low, high}, sorted, key)
		sorted, err = Selection{Sort: key, Reverse: true}.Of([]*Run{low, high})
		require.NoError(t, err)
		require.Equal(t, []*Run{high, low}, sorted, key)
	}
	require.True(t, math.IsNaN(list[1].selected().TestError))
}
