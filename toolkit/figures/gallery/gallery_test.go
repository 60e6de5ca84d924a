package gallery_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

const data, committed = "../../../data", "../../../figures"

func read(t *testing.T, folder string) *gallery.Sources {
	t.Helper()
	sources, err := gallery.Read(folder)
	require.NoError(t, err)
	return sources
}

// The committed figures, tables and README.md are those of the committed data, byte for byte, and there are no others.
func TestTheCommittedGalleryIsThatOfTheData(t *testing.T) {
	if testing.Short() {
		t.Skip("draws for a while")
	}
	folder := t.TempDir()
	drawn := map[string]bool{}
	require.NoError(t, read(t, data).SaveAll(folder, []string{"png"}, gallery.Network{}, func(file string) {
		if !filepath.IsAbs(file) { // a sentence on runs that are under way here, which figures pass over
			return
		}
		name, err := filepath.Rel(folder, file)
		require.NoError(t, err)
		drawn[name] = true
		want, err := os.ReadFile(filepath.Join(committed, name))
		require.NoError(t, err, "draw the figures again: stochdepth figures")
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s is not that of the data: draw the figures again with stochdepth figures",
			filepath.Join("figures", name))
	}))
	require.NoError(t, filepath.WalkDir(committed, func(path string, entry os.DirEntry, err error) error {
		if name, _ := filepath.Rel(committed, path); err == nil && !entry.IsDir() {
			require.True(t, drawn[name], "figures/%s is of no figure that can be drawn", name)
		}
		return err
	}))
}

// copyData is a data folder of its own with the recorded runs.
func copyData(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "runs"), os.DirFS(filepath.Join(data, "runs"))))
	for _, name := range []string{"published.json", "figures.json"} {
		content, err := os.ReadFile(filepath.Join(data, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o644))
	}
	return folder
}

func choose(t *testing.T, folder string, choice map[string]gallery.Choice) {
	t.Helper()
	content, err := json.Marshal(choice)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "figures.json"), content, 0o644))
}

// A run that is missing, incomplete, empty or does not fit spoils its own figure only, and each error is one sentence.
func TestWhatCannotBeDrawnIsSaidAndTheRestIsDrawn(t *testing.T) {
	folder := copyData(t)
	incomplete := filepath.Join(folder, "runs", "shapes/20-linear-0.7-s11", "result.json")
	content, err := os.ReadFile(incomplete)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(incomplete, bytes.Replace(content, []byte(`"completed": true`), []byte(`"completed": false`), 1),
		0o644))
	require.NoError(t, os.Remove(filepath.Join(folder, "runs", "gap/20-linear-0.5-epochs=64-s2", "epochs.tsv")))
	choose(t, folder, map[string]gallery.Choice{
		"fig3":       {Runs: []string{"gap/20-constant-epochs=64-s1", "nowhere"}},
		"quickstart": {Runs: []string{"shapes/20-constant-s11", "shapes/20-linear-0.7-s11"}},
		"fig5":       {Runs: []string{"shapes/20-constant-s11", "gap/20-linear-0.5-epochs=64-s1"}},
		"fig7":       {Runs: []string{"gap/20-constant-epochs=64-s1", "gap/20-linear-0.5-epochs=64-s2"}},
		"fig8-left":  {Runs: []string{"test-sweep-*"}},
		"table2":     {Runs: []string{"gap"}},
		"fig8-right": {Runs: []string{"gap/20-*0*5-epochs=64-s1", "gap/20-constant-epochs=64-s1"}},
		"step-time":  {Bench: "cpu"},
	})
	out := t.TempDir()
	var drawn []string
	err = read(t, folder).SaveAll(out, []string{"png"}, gallery.Network{},
		func(file string) { drawn = append(drawn, filepath.Base(file)) })
	root := filepath.Join(folder, "runs")
	require.EqualError(t, err, strings.Join([]string{
		"quickstart: the run shapes/20-linear-0.7-s11 is incomplete, 120 of 120 epochs are done: go on with stochdepth train --run shapes/20-linear-0.7-s11",
		"fig3: there is no run nowhere in " + root + ": train it, or name another",
		"fig5: the runs shapes/20-constant-s11 and gap/20-linear-0.5-epochs=64-s1 cannot be compared, their recipes differ in " + differences(t,
			folder, "shapes/20-constant-s11", "gap/20-linear-0.5-epochs=64-s1"),
		"fig7: the log of the run gap/20-linear-0.5-epochs=64-s2 is empty: train it first",
		"fig8-left: there is no run test-sweep-* in " + root + ": train them, or name others",
		"table2: gap is a folder of runs: name one of them, such as gap/20-constant-epochs=128-s1",
		"step-time: no measurements at " + filepath.Join(folder, "bench", "cpu.json") + ": measure with stochdepth bench",
	}, "\n"))
	require.Contains(t, drawn, "fig8-right.png")
	require.Contains(t, drawn, "fig1.png")
	require.NoFileExists(t, filepath.Join(out, "README.md"), "a gallery with holes does not replace a whole one")
}

func differences(t *testing.T, folder, a, b string) string {
	t.Helper()
	first, err := runs.Open(filepath.Join(folder, "runs", a))
	require.NoError(t, err)
	second, err := runs.Open(filepath.Join(folder, "runs", b))
	require.NoError(t, err)
	var list []string
	for _, d := range recipes.Differences(first.Recipe, second.Recipe) {
		if !strings.HasPrefix(d, "death_rate:") && !strings.HasPrefix(d, "seed:") {
			list = append(list, d)
		}
	}
	return strings.Join(list, "; ")
}

// A sweep's runs and a record of measurements only need to be named in figures.json.
func TestASweepAndMeasurements(t *testing.T) {
	folder := copyData(t)
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	recipe.Epochs = 2
	for seed := int64(1); seed <= 3; seed++ {
		for _, rule := range []string{"linear", "uniform"} {
			for i := range 10 {
				if rule == "uniform" && (i == 0 || i == 4) {
					continue // constant depth again, and a hole
				}
				recipe.Rule, recipe.DeathRate, recipe.Seed = rule, float64(i)/10, seed
				writer, err := runs.Create(filepath.Join(folder, "runs", fmt.Sprintf("test-sweep-%s-%d-s%d", rule, i, seed)), recipe)
				require.NoError(t, err)
				require.NoError(t, writer.Append(runs.Row{Epoch: 2, Step: 10, ValidationError: 20, TestError: float64(20 + i + int(seed)),
					Seconds: 1}))
				require.NoError(t, writer.WriteResult(runs.Result{Completed: true, Status: "finished"}))
				require.NoError(t, writer.Close())
			}
		}
	}
	record := &bench.Record{Date: "2016-03-30T00:00:00Z", Commit: "abcdef0", Machine: "machine", Device: "cpu"}
	for open := range 3 {
		record.Results = append(record.Results, bench.Measurement{System: "stochdepth", Mode: "survivors", Layers: 20, Batch: 8,
			Fixed: true, Blocks: 9, Open: float64(open), Steps: 3, StepMS: 5 + float64(open)})
	}
	require.NoError(t, record.Write(filepath.Join(folder, "bench", "cpu.json")))
	choose(t, folder, map[string]gallery.Choice{"fig8-left": {Runs: []string{"test-sweep-*"}}, "step-time": {Bench: "cpu"}})
	sources := read(t, folder)
	for name, used := range map[string]int{"fig8-left": 54, "step-time": 1} {
		entry, err := gallery.Find(name)
		require.NoError(t, err)
		drawn, err := sources.Draw(entry, gallery.Network{})
		require.NoError(t, err)
		require.Len(t, drawn.Used, used)
		files, err := drawn.Save(filepath.Join(folder, "out", name), "svg", "pdf")
		require.NoError(t, err)
		require.Len(t, files, 2)
		if name == "fig8-left" {
			svg, err := os.ReadFile(files[0])
			require.NoError(t, err)
			require.True(t, strings.Contains(string(svg), "54 runs (n = 3), seeds 1, 2"))
			require.True(t, strings.Contains(string(svg), "setting (110 layers and 500 epochs)"))
		}
	}
}

// While a sweep is under way, asterisks stand for its finished runs, and the others are named. A run that diverged will
// not be finished, so it is not left out.
func TestAsterisksPassOverWhatIsNotFinished(t *testing.T) {
	folder := copyData(t)
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	recipe.Epochs = 4
	train := func(name string, epochs int, result *runs.Result) {
		writer, err := runs.Create(filepath.Join(folder, "runs", name), recipe)
		require.NoError(t, err)
		for epoch := range epochs {
			require.NoError(t, writer.Append(runs.Row{Epoch: float64(epoch + 1), Step: int64(5 * (epoch + 1)), ValidationError: 20,
				TestError: 21, Seconds: 1}))
		}
		if result != nil {
			require.NoError(t, writer.WriteResult(*result))
		}
		require.NoError(t, writer.Close())
	}
	finished := &runs.Result{Completed: true, Status: "finished", Steps: 20, Epochs: 4}
	train("under-way-a", 4, finished)
	train("under-way-b", 1, &runs.Result{Status: "stopped", Steps: 5, Epochs: 1})
	train("under-way-c", 0, nil)
	train("begun-a", 2, nil)
	train("lost-a", 4, finished)
	train("lost-b", 3, &runs.Result{Status: "diverged", Steps: 15, Epochs: 3})
	sources := read(t, folder)
	names := func(patterns ...string) (list []string, err error) {
		chosen, err := sources.Runs(patterns)
		for _, run := range chosen {
			list = append(list, run.Name)
		}
		return list, err
	}

	list, err := names("under-way-*", "begun-*", "under-way-*")
	require.NoError(t, err)
	require.Equal(t, []string{"under-way-a"}, list)
	for said, patterns := range map[string][]string{
		"the run under-way-b is incomplete, 1 of 4 epochs are done: go on with stochdepth train --run under-way-b": {"under-way-*",
			"under-way-b"},
		"the run begun-a is incomplete, 2 of 4 epochs are done: go on with stochdepth train --run begun-a": {"begun-*"},
		"the run lost-b diverged after 3 epochs and has no result to show":                                 {"lost-*"},
	} {
		_, err := names(patterns...)
		require.EqualError(t, err, said)
	}

	var reported []string
	require.NoError(t, sources.SaveNamed([]string{"fig3"}, filepath.Join(folder, "out.svg"), nil, gallery.Network{}, figures.Style{},
		[]string{"under-way-*"},
		func(line string) { reported = append(reported, line) }))
	require.Equal(t, []string{filepath.Join(folder, "out.svg"),
		"fig3 leaves out what is not finished: under-way-b (1 of 4 epochs), under-way-c (0 of 4 epochs)"}, reported)
}

// What is compared over seeds needs only the names of a sweep's runs, and a table is saved as Markdown too.
func TestRegimesOverSeeds(t *testing.T) {
	folder := copyData(t)
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	for _, epochs := range []int{8, 16} {
		for _, deathRate := range []float64{0, 0.2} {
			for seed := int64(1); seed <= 3; seed++ {
				recipe.Epochs, recipe.DeathRate, recipe.Seed = epochs, deathRate, seed
				writer, err := runs.Create(filepath.Join(folder, "runs",
					fmt.Sprintf("test-gap-%d-%g-s%d", epochs, deathRate, seed)), recipe)
				require.NoError(t, err)
				// 20.x at constant depth; with stochastic depth 1 more after 8 epochs and 1.4 to 1.6 less after 16
				e := 20 + float64(seed)/10
				if deathRate > 0 {
					e += map[int]float64{8: 1, 16: -1.3 - float64(seed)/10}[epochs]
				}
				require.NoError(t, writer.Append(runs.Row{Epoch: float64(epochs), Step: 10, TrainLoss: 1, ValidationError: 20, TestError: e,
					OpenBlocksMean: 9 - 5*deathRate, Seconds: 10 - 10*deathRate}))
				require.NoError(t, writer.WriteResult(runs.Result{Completed: true, Status: "finished",
					Session: runs.Session{Machine: "machine"}}))
				require.NoError(t, writer.Close())
			}
		}
	}
	choose(t, folder, map[string]gallery.Choice{
		"quickstart":    {Runs: []string{"test-gap-16-*"}},
		"gap-by-epochs": {Runs: []string{"test-gap-*"}},
		"results":       {Runs: []string{"test-gap-*"}, Note: "A note."},
	})
	sources := read(t, folder)
	for name, want := range map[string]string{
		"quickstart":    "Lower error in 3 of 3 seeds: paired difference −1.5 points, 95 % interval −1.7 to −1.3",
		"gap-by-epochs": "Stochastic depth overtakes constant depth between 8 and 16 epochs",
		"results":       "A note.",
	} {
		entry, err := gallery.Find(name)
		require.NoError(t, err)
		drawn, err := sources.Draw(entry, gallery.Network{})
		require.NoError(t, err)
		files, err := drawn.Save(filepath.Join(folder, "out", name), "svg")
		require.NoError(t, err)
		svg, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.Contains(t, string(svg), want)
		if name == "results" {
			markdown, err := os.ReadFile(files[1])
			require.NoError(t, err)
			require.Contains(t, string(markdown),
				"| shapes, 500 images | 20 | 8 | *p<sub>L</sub>* = 0.8 | 3 | 20.2 ± 0.1 | 21.2 ± 0.1 | +1.0 | 0 of 3 | 11 % | 20 % |")
			require.Contains(t, string(markdown), "| **−1.5 [−1.7, −1.3]** | 3 of 3 |")
		}
	}
}

// Fig. 6 takes runs of any stochastic settings; without any it is left out, and says so if it is asked for.
func TestErrorsByEpoch(t *testing.T) {
	folder := copyData(t)
	recipe := recipes.Default()
	recipe.Dataset, recipe.Depth, recipe.Epochs = "folder:birds", 20, 8
	for _, deathRate := range []float64{0, 0.2, 0.5} {
		for seed := int64(1); seed <= 2; seed++ {
			recipe.DeathRate, recipe.Seed = deathRate, seed
			writer, err := runs.Create(filepath.Join(folder, "runs", "birds", fmt.Sprintf("20-%g-s%d", deathRate, seed)), recipe)
			require.NoError(t, err)
			for epoch := 1; epoch <= 8; epoch++ {
				require.NoError(t, writer.Append(runs.Row{Epoch: float64(epoch), Step: int64(epoch), ValidationError: float64(epoch),
					TestError: float64(50-2*epoch) - 10*deathRate + float64(seed)}))
			}
			require.NoError(t, writer.WriteResult(runs.Result{Completed: true, Status: "finished"}))
			require.NoError(t, writer.Close())
		}
	}
	choose(t, folder, map[string]gallery.Choice{})
	sources := read(t, folder)
	entry, err := gallery.Find("fig6")
	require.NoError(t, err)
	require.False(t, sources.Available(entry))
	_, err = sources.Draw(entry, gallery.Network{})
	require.EqualError(t, err, "the figure fig6 has no runs or measurements to be drawn from yet: name some with --runs, or in "+
		filepath.Join(folder, "figures.json"))

	drawn, err := sources.Draw(entry, gallery.Network{}, "birds/*")
	require.NoError(t, err)
	require.Len(t, drawn.Used, 6)
	svg, err := drawn.Figure.Bytes("svg")
	require.NoError(t, err)
	for _, said := range []string{"constant depth: 35.50 ± 0.71 % (n = 2)", "= 0.8: 33.50 ± 0.71 % (n = 2)",
		"= 0.5: 30.50 ± 0.71 % (n = 2)", "From epoch 7 on, enlarged", "Smaller than the paper", "birds, 20 layers"} {
		require.Contains(t, string(svg), said)
	}
	_, err = sources.Draw(entry, gallery.Network{}, "birds/*", "shapes/20-constant-s11")
	require.ErrorContains(t, err, "fig6: the runs birds/20-0-s1 and shapes/20-constant-s11 cannot be compared, their recipes differ in ")
}

func TestSaveNamed(t *testing.T) {
	sources := read(t, data)
	folder := t.TempDir()
	file := filepath.Join(folder, "mine.svg")
	var reported []string
	var style figures.Style
	save := func(names []string, out string, of ...string) error {
		reported = nil
		return sources.SaveNamed(names, out, []string{"png"}, gallery.Network{Blocks: 5}, style, of,
			func(f string) { reported = append(reported, f) })
	}
	require.NoError(t, save([]string{"fig3"}, file, "shapes/20-constant-s11",
		filepath.Join(data, "runs", "shapes/20-linear-0.7-s11")))
	require.Equal(t, []string{file}, reported)
	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(svg), "shapes (500 images), 20 layers")

	style = figures.Style{Width: 8 * vg.Centimeter}
	require.NoError(t, save([]string{"fig2"}, file))
	svg, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(svg), `<svg width="226.77`)
	require.ErrorContains(t, save([]string{"results"}, file), "results: the figure cannot be read at a width of 8 cm: ask for ")
	style = figures.Style{}

	stagewise := gallery.Network{Blocks: 5, Rule: "stagewise"}
	require.EqualError(t, sources.SaveNamed([]string{"fig2"}, file, nil, stagewise, style, nil, func(string) {}),
		"fig2: the rule stagewise is for 3 groups of equally many blocks, and there are 5 blocks: give --blocks a multiple of 3")

	require.EqualError(t, save([]string{"fig3", "fig5"}, file), "2 figures do not fit into the file "+file+": name a folder")
	err = save([]string{"fig9", "fig2"}, folder)
	require.ErrorContains(t, err, `there is no figure "fig9": the figures are stochastic-depth, quickstart, fig1, paper/fig2`)
	require.Equal(t, []string{filepath.Join(folder, "fig2.png")}, reported)
	require.EqualError(t, save([]string{"paper/fig3"}, folder, "shapes/20-constant-s11"),
		"the figure paper/fig3 is not drawn from runs")
	require.EqualError(t, save([]string{"quickstart"}, folder, "shapes/20-constant-s11"),
		"quickstart: 1 runs of constant and 0 of stochastic depth are no comparison: name one of each at least")
}

// A notebook's cell asks for the recorded runs of a figure; there need not be any.
func TestRecords(t *testing.T) {
	folder := copyData(t)
	records := func(name string) (constant, stochastic []string) {
		entry, err := gallery.Find(name)
		require.NoError(t, err)
		a, b, err := read(t, folder).Records(entry)
		require.NoError(t, err)
		for _, run := range a {
			constant = append(constant, run.Name)
		}
		for _, run := range b {
			stochastic = append(stochastic, run.Name)
		}
		return constant, stochastic
	}
	choose(t, folder, map[string]gallery.Choice{
		"quickstart": {Runs: []string{"nowhere-*", "gap/20-constant-epochs=64-s[12]*",
			"gap-20-linear-*-epochs=64-s1", "gap-20-linear-0.5-epochs=64-s2", "nowhere"}}, // as before there were folders
		"fig3": {Runs: []string{"nowhere-*"}},
	})
	constant, stochastic := records("quickstart")
	require.Equal(t, []string{"gap/20-constant-epochs=64-s1", "gap/20-constant-epochs=64-s2"}, constant)
	require.Equal(t, []string{"gap/20-linear-0.5-epochs=64-s1", "gap/20-linear-0.5-epochs=64-s2"}, stochastic)
	for _, name := range []string{"fig3", "fig7"} { // named but missing, and not named
		constant, stochastic = records(name)
		require.Empty(t, append(constant, stochastic...))
	}
	entry, err := gallery.Find("paper/fig3")
	require.NoError(t, err)
	_, _, err = read(t, folder).Records(entry)
	require.EqualError(t, err, "the figure paper/fig3 is not drawn from runs")
	require.NoError(t, os.Remove(filepath.Join(folder, "runs", "gap/20-linear-0.5-epochs=64-s2", "epochs.tsv")))
	entry, err = gallery.Find("quickstart")
	require.NoError(t, err)
	_, _, err = read(t, folder).Records(entry)
	require.EqualError(t, err, "quickstart: the log of the run gap/20-linear-0.5-epochs=64-s2 is empty: train it first")
}

func TestTheChoiceOfRunsMustBeOfKnownFigures(t *testing.T) {
	folder := copyData(t)
	choose(t, folder, map[string]gallery.Choice{"fig33": {}})
	_, err := gallery.Read(folder)
	require.ErrorContains(t, err, `there is no figure "fig33"`)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "figures.json"), []byte(`{"fig3": {"run": []}}`), 0o644))
	_, err = gallery.Read(folder)
	require.ErrorContains(t, err, "is damaged")
}

// Every figure of the paper has its entry, published and ours, except Fig. 1, which is a schematic. Ours of Fig. 4 and Fig. 6
// have no recorded runs.
func TestEveryFigureOfThePaperIsThere(t *testing.T) {
	names := map[string]bool{}
	for _, e := range gallery.Entries() {
		require.False(t, names[e.Name], e.Name)
		names[e.Name] = true
		require.NotEmpty(t, e.Shows)
	}
	for _, name := range []string{"fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8-left", "fig8-right", "table1", "table2"} {
		require.True(t, names[name] && names["paper/"+name], name)
	}
	require.True(t, names["fig1"])
}
