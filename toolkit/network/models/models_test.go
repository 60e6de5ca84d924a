package models_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

const committed = "../../../data/models"

// The networks of data/models are small and say what they are.
func TestTheCommittedNetworks(t *testing.T) {
	list, err := models.List(committed)
	require.NoError(t, err)
	for _, info := range list {
		require.NoError(t, info.Complete())
		require.NoError(t, info.Recipe.Validate())
	}
}

// finished is a run with two rows; the first is the best.
func finished(t *testing.T, change func(*recipes.Recipe)) *runs.Run {
	t.Helper()
	recipe, err := recipes.Preset("shapes")
	require.NoError(t, err)
	recipe.Depth, recipe.Seed = 8, 5
	if change != nil {
		change(&recipe)
	}
	return &runs.Run{Name: "mine", Recipe: recipe,
		Rows: []runs.Row{{Epoch: 1, Step: 10, ValidationError: 20.1, TestError: 21.25},
			{Epoch: 2, Step: 20, ValidationError: 30, TestError: 31}},
		Result: &runs.Result{Session: runs.Session{Commit: "0123456789ab+", Machine: "a machine, 2 cores"}}}
}

// write writes a file without tensors.
func write(t *testing.T, path string, info models.Info, change func(map[string]string)) {
	t.Helper()
	recipe, err := json.Marshal(info.Recipe)
	require.NoError(t, err)
	meta := info.Metadata()
	meta["recipe"] = string(recipe)
	if change != nil {
		change(meta)
	}
	require.NoError(t, tensorfile.Write(path, nil, meta))
}

func TestMetadata(t *testing.T) {
	run := finished(t, nil)
	best := models.OfRun(run, 10, 4000)
	require.Equal(t, map[string]string{
		"run": "mine", "checkpoint": "best", "step": "10", "epoch": "1", "validation_error": "20.1", "test_error": "21.25", "seed": "5",
		"training_images": "4000", "commit": "0123456789ab+", "machine": "a machine, 2 cores",
	}, best.Metadata())
	require.Equal(t, "last", models.OfRun(run, 20, 0).Checkpoint)
	require.Equal(t, map[string]string{
		"run": "mine", "checkpoint": "last", "step": "15", "seed": "5", "commit": "0123456789ab+", "machine": "a machine, 2 cores",
	}, models.OfRun(run, 15, 0).Metadata(), "between two rows")
	run.Result.Earlier = []runs.Session{{Machine: "another", Commit: "fedcba987654"}}
	several := models.OfRun(run, 10, 4000)
	require.Equal(t, []string{"fedcba987654, 0123456789ab+", "another; a machine, 2 cores"},
		[]string{several.Commit, several.Machine})
	require.Contains(t, figures.OfRuns([]*runs.Run{several.Record()}).Caption,
		"; another; a machine, 2 cores; commits fedcba9 and 0123456+.")
	var table strings.Builder
	require.NoError(t, models.Table(&table, []models.Info{several}, "table"))
	require.Contains(t, table.String(), "fedcba9, 0123456+")

	path := filepath.Join(t.TempDir(), "net.safetensors")
	write(t, path, best, nil)
	back, err := models.Read(path)
	require.NoError(t, err)
	require.Equal(t, "net", back.Name())
	require.NoError(t, back.Complete())
	require.Positive(t, back.Bytes)
	best.Path, best.Bytes = back.Path, back.Bytes
	require.Equal(t, best, back)

	record := back.Record()
	row, ok := record.Best()
	require.True(t, ok)
	require.Equal(t, []float64{1, 20.1, 21.25}, []float64{row.Epoch, row.ValidationError, row.TestError})
	require.Equal(t, best.Recipe, record.Recipe)
	require.Equal(t, "0123456789ab+", record.Result.Commit)

	back.Bytes, back.TestError = models.MaxBytes, 1
	require.ErrorContains(t, back.Complete(), "has 8.0 MB: a network that is kept with the project has less than 8 MB")
	back.TestError, back.Commit = math.NaN(), ""
	require.ErrorContains(t, back.Complete(),
		"net.safetensors does not say its test error, commit: export it again from a run that is done")
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.safetensors")
	for want, change := range map[string]func(map[string]string){
		"net.safetensors has no recipe in its metadata: make a run from it with `stochdepth import": func(m map[string]string) {
			delete(m, "recipe")
		},
		`is not valid (unknown key "dept"`:             func(m map[string]string) { m["recipe"] = `{"dept": 8}` },
		`do not parse (epoch is "many", step is "1.5"`: func(m map[string]string) { m["epoch"], m["step"] = "many", "1.5" },
		`do not parse (seed is "6")`:                   func(m map[string]string) { m["seed"] = "6" },
	} {
		write(t, path, models.OfRun(finished(t, nil), 10, 1), change)
		_, err := models.Read(path)
		require.ErrorContains(t, err, want)
		require.Equal(t, strings.Contains(want, "no recipe"), strings.Contains(err.Error(), models.ErrNoRecipe.Error()))
	}
	_, err := models.Read(path + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestListTables(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "b.safetensors"), models.OfRun(finished(t, nil), 10, 400), nil)
	ramp := finished(t, func(r *recipes.Recipe) { r.DeathRate, r.SurvivalSchedule = 0.2, "ramp" })
	write(t, filepath.Join(folder, "a.safetensors"), models.OfRun(ramp, 10, 400), nil)
	table, err := models.Markdown(folder)
	require.NoError(t, err)
	require.Contains(t, table, "\n| [a](a.safetensors) | shapes | 400 | 8 | linear, *p<sub>L</sub>* = 0.8, ramp schedule | 1 of ")
	require.True(t, strings.HasSuffix(table, " | 5 | 20.10 | 21.25 | 0123456+ |\n"), table)
	require.Less(t, strings.Index(table, "[a]"), strings.Index(table, "[b]"))

	list, err := models.List(folder)
	require.NoError(t, err)
	for _, format := range say.TableFormats {
		var text bytes.Buffer
		require.NoError(t, models.Table(&text, list, format))
		require.Contains(t, text.String(), "21.25", format)
	}
	require.EqualError(t, models.Table(&bytes.Buffer{}, list, "xml"), `unknown format "xml": use table, tsv, csv, json`)

	// Unknown numbers are dashes, null or NaN in lists, and an error for a page.
	write(t, filepath.Join(folder, "c.safetensors"), models.OfRun(finished(t, nil), 15, 0), nil)
	_, err = models.Markdown(folder)
	require.ErrorContains(t, err, "c.safetensors does not say its epoch, validation error, test error, number of training images")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "d.safetensors"), []byte("no tensors"), 0o644))
	list, err = models.List(folder)
	require.ErrorContains(t, err, "d.safetensors is damaged")
	require.Len(t, list, 3)
	var text bytes.Buffer
	require.NoError(t, models.Table(&text, list, "json"))
	require.Contains(t, text.String(), `"test_error": null`)

	_, err = models.List(filepath.Join(folder, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "net.safetensors")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, name := range []string{"net", "net.safetensors", file, strings.TrimSuffix(file, models.Extension)} {
		path, found := models.Find(folder, name)
		require.True(t, found, name)
		require.Equal(t, file, path)
	}
	_, found := models.Find(folder, "other")
	require.False(t, found)
}

// A file's recipe must be valid.
func TestTheRecipeIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.safetensors")
	for recipe, want := range map[string]string{
		`{"dataset": "shapes", "depth": 8, "epochs": 1, "deathrate": 0.5}`: `is not valid (unknown key "deathrate" (did you mean "death_rate"?))`,
		`{"dataset": "shapes", "depth": 9, "epochs": 1}`:                   "is not valid (depth 9 is not 6N+2 layers",
		`{`: "is not valid (not valid JSON",
	} {
		require.NoError(t, tensorfile.Write(path, nil, map[string]string{"recipe": recipe}))
		_, err := models.Read(path)
		require.ErrorContains(t, err, "the recipe in "+path+" "+want)
	}
	shapes := `{"dataset": "shapes", "depth": 8, "epochs": 1}`
	require.NoError(t, tensorfile.Write(path, nil, map[string]string{"recipe": shapes}))
	info, err := models.Read(path)
	require.NoError(t, err)
	require.Equal(t, "survivors", info.Recipe.Form, "keys that older files lack are the defaults")
}
