package notebook

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// A try is a preset with some keys changed, trained in a folder that is named by what differs from the preset:
// notebook-try-quickstart/death_rate=0.3. So whoever changes a value and runs the cell again gets another run, and
// whoever changes it back finds the old one. Package watch trains tries; here they are named, found and shown.

// TryDir is the folder of the try of a preset with these settings, such as "death_rate=0.3", and its recipe.
func TryDir(preset string, settings ...string) (dir string, recipe recipes.Recipe, err error) {
	base, err := whole(preset, nil)
	if err != nil {
		return "", recipe, err
	}
	changed, err := whole(preset, settings)
	if err != nil {
		return "", recipe, err
	}
	if recipe, err = Preset(preset, settings...); err != nil {
		return "", recipe, err
	}
	name := unnameable.ReplaceAllString(strings.ReplaceAll(strings.Join(recipes.Changes(base, changed), "-"), ",", "_"), "-")
	if name == "" {
		name = asItIs
	}
	if len(name) > longestTry {
		name = fmt.Sprintf("%s-%08x", name[:longestTry], crc32.ChecksumIEEE([]byte(name)))
	}
	return filepath.Join(triesOf(preset), name), recipe, nil
}

// asItIs is the name of a try without changes.
const asItIs = "preset"

// longestTry is the most letters of a try's name; what is longer ends with a sum instead.
const longestTry = 150

// unnameable are the letters that no run's name may have.
var unnameable = regexp.MustCompile(`[^A-Za-z0-9._=+-]`)

// triesOf is the folder of the tries of a preset.
func triesOf(preset string) string { return RunDir(runs.NotebookPrefix + "try-" + preset) }

// Tried opens the try of a preset with these settings, which [watch.Try] has trained. If there is none, the cell ends.
func Tried(preset string, settings ...string) *runs.Run {
	dir, _, err := TryDir(preset, settings...)
	Check(err)
	run, err := runs.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s was not trained yet: run the cell that tries it first", strings.Join(append([]string{preset}, settings...), ", "))
	}
	Check(err)
	run.Name = filepath.Base(triesOf(preset)) + "/" + run.Name
	return run
}

// Try is a run with the settings that make its recipe of the preset's.
type Try struct {
	*runs.Run
	Number   int // of the tries of the preset, in the order in which they began, from 1
	Settings []string
	Text     string // what it changes, without what all tries of several change alike, or else how it differs from another
}

// Tries lists the tries of a preset in the order in which they began. Those that cannot be read are left out.
func Tries(preset string) (tries []Try) {
	base := Recipe(preset)
	list, _ := runs.List(triesOf(preset))
	slices.SortStableFunc(list, func(a, b *runs.Run) int { return a.Began().Compare(b.Began()) })
	times := make(map[string]int) // that a setting occurs
	for i, run := range list {
		tries = append(tries, Try{Run: run, Number: i + 1, Settings: recipes.Changes(base, run.Recipe)})
		for _, setting := range tries[i].Settings {
			times[setting]++
		}
	}
	for i, t := range tries {
		own := slices.DeleteFunc(slices.Clone(t.Settings), func(setting string) bool { return times[setting] == len(tries) })
		switch other := slices.IndexFunc(tries, func(o Try) bool { return o.Number != t.Number }); {
		case len(own) > 0 || len(t.Settings) == 0:
		case other >= 0: // only the others change something besides, so it is named by its own value of that
			own = recipes.Changes(tries[other].Recipe, t.Recipe)
		default:
			own = t.Settings
		}
		tries[i].Text = cmp.Or(strings.Join(own, ", "), "the preset as it is")
	}
	return tries
}

// TriesTable shows all tries of a preset, one in a line: what they change, and their errors in percent.
func TriesTable(preset string) {
	var rows [][]any
	for _, t := range Tries(preset) {
		errors, seconds := [2]string{"–", "–"}, "–"
		if best, ok := t.Selected(); ok {
			errors = [2]string{fmt.Sprintf("%.2f", best.ValidationError), fmt.Sprintf("%.2f", best.TestError)}
		}
		if s := t.Seconds(); !math.IsNaN(s) {
			seconds = fmt.Sprintf("%.0f s", s)
		}
		epochs := fmt.Sprintf("%d of %d", int64(t.EpochsDone()), t.Recipe.Epochs)
		rows = append(rows, []any{t.Number, t.Text, epochs, errors[0], errors[1], seconds})
	}
	ShowTable([]string{"try of " + preset, "what differs", "epochs", "validation error (%)", "test error (%)", "training"}, rows...)
}
