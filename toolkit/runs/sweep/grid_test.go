package sweep

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// write writes a sweep file.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

func names(s *Sweep) []string {
	list := make([]string, len(s.Jobs))
	for i, job := range s.Jobs {
		list[i] = job.Name
	}
	return list
}

func TestExpansion(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"the rules share constant depth, seeds vary slowest": {
			`{"recipe": "shapes", "grid": {"seed": [1, 2], "death_rate": [0, 0.1, 0.9], "rule": ["linear", "uniform"]}}`,
			[]string{"it/20-constant-s1", "it/20-linear-0.9-s1", "it/20-linear-0.1-s1", "it/20-uniform-0.9-s1", "it/20-uniform-0.1-s1",
				"it/20-constant-s2", "it/20-linear-0.9-s2", "it/20-linear-0.1-s2", "it/20-uniform-0.9-s2", "it/20-uniform-0.1-s2"},
		},
		"a recipe with lists": {
			`{"description": "d", "dataset": "shapes", "depth": [8, 14], "epochs": 2, "milestones": [0.5]}`,
			[]string{"it/8-constant-s1", "it/14-constant-s1"},
		},
		"other keys, and lists as values": {
			`{"recipe": "shapes", "name": "mine", "set": {"seed": 7}, "grid": {"milestones": [[0.5], [0.5, 0.75]], "augment": [true], "depth": [8]}}`,
			[]string{"mine/8-linear-0.7-augment=true-milestones=0.5-s7", "mine/8-linear-0.7-augment=true-milestones=0.5+0.75-s7"},
		},
		"as an editor on Windows writes it": {
			"\ufeff{\"grid\": {\"dataset\": [\"svhn\"],\r\n\"death_rate\": [0.5]}}\r\n",
			[]string{"it/152-linear-0.5-s1"},
		},
		"each data set with its own preset": {
			`{"grid": {"dataset": ["svhn", "cifar10"], "death_rate": [0.5]}}`,
			[]string{"it/svhn-152-linear-0.5-s1", "it/cifar10-110-linear-0.5-s1"},
		},
		"a folder in a folder": {`{"name": "pilot/it", "grid": {"depth": [8]}}`, []string{"pilot/it/8-linear-0.7-s1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Read(write(t, "it", test.content))
			require.NoError(t, err)
			require.Equal(t, test.want, names(s))
			for i, job := range s.Jobs {
				require.Equal(t, i, job.Index)
				require.Equal(t, job.Name, fmt.Sprintf("%s-s%d", job.Point, job.Recipe.Seed))
			}
		})
	}
}

func TestExpandedRecipe(t *testing.T) {
	path := write(t, "it",
		`{"recipe": "own.json", "set": {"epochs": 3, "milestones": [0.6]}, "grid": {"death_rate": [0.3], "depth": [14]}}`)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "own.json"),
		[]byte(`{"dataset": "shapes", "depth": 8, "epochs": 9, "momentum": 0.5}`), 0o644))
	s, err := Read(path)
	require.NoError(t, err)
	r := s.Jobs[0].Recipe
	require.Equal(t, "Of the sweep it: depth 14, death_rate 0.3. Run: stochdepth sweep run it", r.Description)
	require.Equal(t, []any{14, 3, 0.3, 0.5, []float64{0.6}, int64(1)},
		[]any{r.Depth, r.Epochs, r.DeathRate, r.Momentum, r.Milestones, r.Seed})
}

func TestSweepFileIsRefusedInOneSentence(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"no JSON": {`{"grid": `, "not a JSON object"},
		"unknown key": {`{"recipes": "shapes", "grid": {"depth": [8]}}`,
			`unknown key "recipes" (did you mean "recipe"?): the keys of a sweep are description, name, recipe, set, grid`},
		"in the grid": {`{"grid": {"deth_rate": [0.5]}}`, `grid: unknown key "deth_rate" (did you mean "death_rate"?)`},
		"in set": {`{"set": {"epoch": 5}, "grid": {"depth": [8]}}`,
			`unknown key "epoch" (did you mean "epochs" or "warmup_epochs"?)`},
		"no list":        {`{"grid": {"depth": 8}}`, "grid: depth must be a list of values"},
		"empty list":     {`{"grid": {"depth": []}}`, "grid: depth must be a list of values"},
		"no grid":        {`{"recipe": "shapes"}`, "there is no grid"},
		"nothing varies": {`{"dataset": "shapes", "depth": 8, "milestones": [0.5]}`, "no key has a list of values"},
		"twice":          {`{"grid": {"death_rate": [0.5, 0.50]}}`, "a value twice: it gives the run it/20-linear-0.5-s1 two times"},
		"same name": {`{"grid": {"death_rate": [0.5, 0.5000000000001]}}`,
			"two runs would have the name it/20-linear-0.5-s1 (death_rate: 0.5, 0.5000000000001)"},
		"in both":        {`{"set": {"depth": 8}, "grid": {"depth": [8]}}`, "depth is in set and in grid"},
		"invalid recipe": {`{"grid": {"depth": [8, 9]}}`, "run it/9-linear-0.7-s1: depth 9 is not 6N+2 layers: the nearest are 8 and 14"},
		"wrong type":     {`{"grid": {"depth": ["deep"]}}`, `depth must be a whole number, not "deep"`},
		"null":           {`{"grid": {"depth": [null]}}`, "depth: null is no value of a recipe"},
		"no preset":      {`{"recipe": "shape", "grid": {"depth": [8]}}`, `no recipe "shape" (did you mean "shapes"?)`},
		"bad name":       {`{"name": "../b", "grid": {"depth": [8]}}`, `the name "../b" is not suitable for run folders`},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "it", test.content)
			_, err := Read(path)
			require.ErrorContains(t, err, "sweep "+path+": ")
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestFind(t *testing.T) {
	folder := filepath.Dir(write(t, "fig8-left", "{}"))
	path, err := Find(folder, "fig8-left")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "fig8-left.json"), path)
	_, err = Find(folder, "fig8-lef")
	require.EqualError(t, err, `no sweep "fig8-lef" (did you mean "fig8-left"?): the sweeps in `+folder+" are fig8-left")
	path, err = Find(folder, "mine.json")
	require.NoError(t, err)
	require.Equal(t, "mine.json", path)
}

// At constant depth the schedule, like the rule, has no effect: there is one run for each seed.
func TestConstantDepthIsOneNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"recipe": "shapes", "grid": {"survival_schedule": ["constant", "early"],
		"rule": ["linear", "uniform"], "death_rate": [0, 0.5], "seed": [1]}}`), 0o644))
	s, err := Read(path)
	require.NoError(t, err)
	var names []string
	for _, job := range s.Jobs {
		names = append(names, job.Name)
	}
	require.Equal(t, []string{"s/20-constant-s1", "s/20-linear-0.5-survival_schedule=constant-s1",
		"s/20-uniform-0.5-survival_schedule=constant-s1",
		"s/20-linear-0.5-survival_schedule=early-s1", "s/20-uniform-0.5-survival_schedule=early-s1"}, names)
}

// The recorded sweeps give their runs the names and the recipes of the records.
func TestSweepsOfTheProject(t *testing.T) {
	for name, want := range map[string]struct {
		jobs        int
		first, last string
	}{
		"fig8-left":  {39, "fig8-left/20-constant-s1", "fig8-left/20-uniform-0.3-s3"},
		"fig8-right": {10, "fig8-right/8-constant-s1", "fig8-right/32-linear-0.3-s1"},
		"gap":        {30, "gap/20-constant-epochs=8-s1", "gap/20-linear-0.5-epochs=128-s3"},
		"schedules":  {9, "schedules/20-linear-0.5-survival_schedule=ramp-s1", "schedules/20-linear-0.5-survival_schedule=late-s3"},
		"quickstart": {24, "quickstart/20-constant-s41", "quickstart/20-linear-0.5-s52"},

		"pilot-cifar10": {2, "pilot/cifar10/38-constant-s101", "pilot/cifar10/38-linear-0.8-s101"},
	} {
		s, err := Read(filepath.Join("..", "..", "..", "data", "sweeps", name+".json"))
		require.NoError(t, err)
		require.Len(t, s.Jobs, want.jobs)
		require.Equal(t, name, s.Name)
		require.Equal(t, want.first, s.Jobs[0].Name)
		require.Equal(t, want.last, s.Jobs[want.jobs-1].Name)
		require.Equal(t, map[State]int{Done: want.jobs}, Count(s.Status(filepath.Join("..", "..", "..", "data", "runs"))), name)
	}
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}
