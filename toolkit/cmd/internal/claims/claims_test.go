package claims

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/outcome/published"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/pruned"
	"stochdepth/toolkit/runs/recipes"
)

// project is an invented folder: runs of three settings with three seeds, and texts.
type project struct {
	t    *testing.T
	root string
}

func newProject(t *testing.T) project {
	p := project{t, t.TempDir()}
	p.write("data/published.json", `{"units": {"test error": "%", "speed-up": "times"}, "numbers": [
		{"source": "Table 1", "quantity": "test error", "value": 5.25}, {"source": "Fig. 8", "quantity": "speed-up", "value": 2}]}`)
	p.write("README.md", "")
	for setting, deathRate := range map[string]float64{"constant": 0, "linear-0.5": 0.5, "linear-0.9": 0.1} {
		for seed := int64(1); seed <= 3; seed++ {
			recipe, err := recipes.Preset("quickstart")
			require.NoError(t, err)
			recipe.DeathRate, recipe.Seed, recipe.Epochs = deathRate, seed, 2
			// Constant: 21, 22, 23; 0.5: 18, 22, 23; 0.9: 19, 19.5, 20.
			testErrors := map[string][]float64{
				"constant": {21, 22, 23}, "linear-0.5": {18, 22, 23}, "linear-0.9": {19, 19.5, 20},
			}[setting]
			writer, err := runs.Create(filepath.Join(p.root, "data", "runs", fmt.Sprintf("made-%s-s%d", setting, seed)), recipe)
			require.NoError(t, err)
			e := testErrors[seed-1]
			require.NoError(t, writer.Append(runs.Row{Epoch: 1, Step: 5, ValidationError: 10, TestError: e, TrainLoss: 2, Seconds: 1}))
			require.NoError(t, writer.Append(runs.Row{Epoch: 2, Step: 10, ValidationError: 12, TestError: 99, TrainLoss: 1 + deathRate,
				Seconds: 100 * (1 - deathRate/2)}))
			require.NoError(t, writer.WriteResult(runs.Result{Completed: true, Status: "finished"}))
			require.NoError(t, writer.Close())
		}
	}
	return p
}

func (p project) write(name, content string) {
	path := filepath.Join(p.root, filepath.FromSlash(name))
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(content), 0o644))
}

func (p project) notebook(name string, cells ...any) {
	content, err := json.Marshal(map[string]any{"cells": cells})
	require.NoError(p.t, err)
	p.write("notebooks/"+name, string(content))
}

// verify registers claims, and parts of sentences that are not outcomes, and verifies.
func (p project) verify(claims, notOutcomes string) error {
	p.write("data/claims.json", `{"claims": [`+claims+`], "not_outcomes": [`+notOutcomes+`]}`)
	return Verify(p.root)
}

func TestChecks(t *testing.T) {
	p := newProject(t)
	p.write("README.md", "Some outcome is stated here.\n")
	for name, percents := range map[string][2]float64{"a-s1": {10, 20}, "a-s2": {12, 22}, "b-s1": {9, 30}} {
		record := pruned.Record{Network: name, Recipe: recipes.Default(), States: []pruned.State{{Kept: []int{1, 2}, TestError: percents[0]},
			{Kept: []int{1}, TestError: percents[1]}}}
		p.write("data/pruned/"+name+".jsonl", "")
		require.NoError(t, record.Save(filepath.Join(p.root, "data/pruned", name+".jsonl")))
	}
	for name, c := range map[string]struct{ holds, want string }{
		"pruned": {`{"pruned": {"records": ["a-*"], "than": ["b-*"], "blocks": 1, "by": 9}}`, ""},
		"pruned, by less": {`{"pruned": {"records": ["a-*"], "than": ["b-*"], "blocks": 1, "by": 9.1}}`,
			"the test error of a-* with 1 blocks is 21.00 ± 1.41, and of b-* 30.00: not lower by more than 9.1"},
		"pruned, whole":     {`{"pruned": {"records": ["a-*"], "than": ["b-*"], "blocks": 2}}`, "not lower by more than 0"},
		"pruned, no state":  {`{"pruned": {"records": ["a-*"], "than": ["b-*"], "blocks": 3}}`, "a-s1 has no state with 3 blocks"},
		"pruned, no record": {`{"pruned": {"records": ["c-*"], "than": ["b-*"], "blocks": 2}}`, "there is no record c-*"},
		"lower":             {`{"lower": {"runs": ["made-linear-0.9-s*"], "than": ["made-constant-s*"], "by": 2.5, "clear": true}}`, ""},
		"lower, wrong sign": {`{"lower": {"runs": ["made-constant-s*"], "than": ["made-linear-0.9-s*"]}}`,
			"the mean test error of made-constant-s* is 22 (n = 3), and of made-linear-0.9-s* 19.5 (n = 3): it is not lower"},
		"lower than itself": {`{"lower": {"runs": ["made-constant-s*"], "than": ["made-constant-s*"]}}`, "it is not lower"},
		"lower, by less": {`{"lower": {"runs": ["made-linear-0.9-s*"], "than": ["made-constant-s*"], "by": 2.6}}`,
			"lower by 2.5 and not by 2.6"},
		// -3, 0 and 0 have a standard error of 1, and Student's t is 4.303; for -3 and 0 it is 1.5, and t is 12.706. A paired
		// difference of 2.5 with a standard error of 0.29 is clear.
		"lower, within noise": {`{"lower": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "clear": true}}`,
			"the 95 % interval of the difference, -5.3 to 3.3, does not lie below zero"},
		"lower, two seeds": {`{"lower": {"runs": ["made-linear-0.5-s1", "made-linear-0.5-s2"], "than": ["made-constant-s*"], "clear": true}}`,
			"and of made-constant-s* 21.5 (n = 2): the 95 % interval of the difference, -20.6 to 17.6,"},
		"lower, one run": {`{"lower": {"runs": ["made-linear-0.5-s1"], "than": ["made-constant-s*"], "clear": true}}`,
			"and of made-constant-s* 21 (n = 1): one run has no interval"},
		"lower, shared seeds": {`{"lower": {"runs": ["made-linear-0.5-s1", "made-linear-0.5-s2"], "than": ["made-constant-s*"], "by": 1.51}}`,
			"lower by 1.5 and not by 1.51"},
		"lower, loss": {`{"lower": {"quantity": "training loss", "runs": ["made-constant-s*"], "than": ["made-linear-0.9-s*"]}}`,
			""},
		"unknown quantity": {`{"lower": {"quantity": "loss", "runs": ["made-constant-s*"], "than": ["made-linear-0.9-s*"]}}`,
			`unknown quantity "loss"`},
		"two settings":        {`{"lower": {"runs": ["made-linear-*"], "than": ["made-constant-s*"]}}`, "are of two settings"},
		"no such run":         {`{"lower": {"runs": ["nowhere-*"], "than": ["made-constant-s*"]}}`, "there is no run nowhere-*"},
		"runs of a notebook":  {`{"lower": {"runs": ["notebook-a"], "than": ["made-constant-s*"]}}`, "which are not kept"},
		"between":             {`{"between": {"runs": ["made-constant-s*"], "low": 21.995, "high": 22.005}}`, ""},
		"between, at its end": {`{"between": {"runs": ["made-constant-s*"], "low": 22, "high": 22}}`, ""},
		"between, above": {`{"between": {"runs": ["made-constant-s*"], "low": 20, "high": 21.9}}`,
			"is 22 (n = 3): not from 20 to 21.9"},
		"between, difference": {`{"between": {"runs": ["made-constant-s*"], "minus": ["made-linear-0.9-s*"], "low": 2.45, "high": 2.55}}`,
			""},
		"between, shared": {`{"between": {"runs": ["made-linear-0.9-s3"], "minus": ["made-constant-s*"], "low": -3, "high": -3}}`, ""},
		"between, sign": {`{"between": {"runs": ["made-linear-0.9-s*"], "minus": ["made-constant-s*"], "low": 2.45, "high": 2.55}}`,
			"the difference -2.5: not from"},
		"between, no end": {`{"between": {"runs": ["made-constant-s*"], "low": 20}}`, `does not name "low" and "high"`},
		"faster":          {`{"faster": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "percent": 25}}`, ""},
		"faster, by less": {`{"faster": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "percent": 26}}`,
			"25.0 % less, not at least 26"},
		"faster, by more": {`{"faster": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "percent": 10, "at_most": 20}}`,
			"25.0 % less, not 10 to 20"},
		"faster, wrong sign": {`{"faster": {"runs": ["made-constant-s*"], "than": ["made-linear-0.5-s*"]}}`, "-33.3 % less"},
		"wins":               {`{"wins": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "wins": 1, "seeds": 3}}`, ""},
		// All have their lowest validation error at once, after equally many steps.
		"reaches": {`{"reaches": {"runs": ["made-linear-0.5-s*"], "goal": ["made-constant-s*"], "reached": 3, "seeds": 3, "steps_percent": 100}}`, ""},
		"reaches, fewer": {`{"reaches": {"runs": ["made-linear-0.5-s*"], "goal": ["made-constant-s*"], "reached": 2, "seeds": 3}}`,
			"3 of 3 runs of made-linear-0.5-s* reach the lowest validation error of made-constant-s*, not 2 of 3"},
		"reaches, later": {`{"reaches": {"runs": ["made-linear-0.5-s*"], "goal": ["made-constant-s*"], "reached": 3, "seeds": 3, "steps_percent": 99}}`,
			"after 100 % of the steps on average, not after at most 99 %"},
		"wins, too many": {`{"wins": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"], "wins": 2, "seeds": 3}}`,
			"in 1 of 3 pairs of equal seeds (of 3 and 3 runs), not in 2 of 3"},
		"wins, chosen seeds": {`{"wins": {"runs": ["made-linear-0.5-s1"], "than": ["made-constant-s*"], "wins": 1, "seeds": 1}}`,
			"in 1 of 1 pairs of equal seeds (of 1 and 3 runs)"},
		"best": {`{"best": {"runs": ["made-linear-0.9-s*"], "among": ["made-*"]}}`, ""},
		"best, another": {`{"best": {"runs": ["made-constant-s*"], "among": ["made-*"]}}`,
			"the mean test error of made-constant-s* is 22 (n = 3), and of made-linear-0.5-s1 and the other seeds 21"},
		"best, one seed": {`{"best": {"runs": ["made-linear-0.5-s1"], "among": ["made-*"]}}`, "are 1 of the 3 runs of their setting"},
		"best of nothing": {`{"best": {"runs": ["made-linear-0.9-s*"], "among": ["made-linear-0.9-s*"]}}`,
			"are not one of several settings"},
		"best elsewhere": {`{"best": {"runs": ["made-linear-0.9-s*"], "among": ["made-constant-s*", "made-linear-0.5-s*"]}}`,
			"are not one of several settings"},
		"shown in a README": {`{"shown": ["a text"]}`, "its outputs do not show"},
		"two, both hold": {`[{"between": {"runs": ["made-constant-s*"], "low": 22, "high": 22}}, {"between": {"runs": ["made-linear-0.5-s*"], "low": 21, "high": 21}}]`,
			""},
		"two, one fails": {`[{"between": {"runs": ["made-constant-s*"], "low": 22, "high": 22}}, {"between": {"runs": ["made-linear-0.5-s*"], "low": 22, "high": 22}}]`,
			"is 21 (n = 3)"},
		"two kinds": {`{"between": {"runs": ["made-constant-s*"], "low": 22, "high": 22}, "faster": {"runs": ["made-constant-s*"], "than": ["made-constant-s*"]}}`,
			"0.0 % less"},
		"none":           {`[]`, "has no check"},
		"an empty one":   {`{}`, "has an empty check"},
		"an unknown one": {`{"higher": {}}`, `unknown field "higher"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.verify(`{"where": "README.md", "says": "outcome is stated here", "holds": `+c.holds+`}`, "")
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n", "one error")
		})
	}
}

// Times of two machines are not compared.
func TestTimesOfTwoMachines(t *testing.T) {
	p := newProject(t)
	p.write("README.md", "Some outcome is stated here.\n")
	for _, name := range []string{"made-constant-s1", "made-linear-0.5-s1"} {
		p.write("data/runs/"+name+"/result.json", fmt.Sprintf(`{"completed": true, "status": "finished", "machine": %q}`, name))
	}
	for _, holds := range []string{`{"faster": {"runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"]}}`,
		`{"lower": {"quantity": "training seconds", "runs": ["made-linear-0.5-s*"], "than": ["made-constant-s*"]}}`} {
		err := p.verify(`{"where": "README.md", "says": "outcome is stated here", "holds": `+holds+`}`, "")
		require.ErrorContains(t, err, "cannot be compared: the machines differ")
	}
}

// A claim's error names the file, the sentence, the numbers, and what to do.
func TestTheErrorOfAClaim(t *testing.T) {
	p := newProject(t)
	p.write("README.md", "Constant depth\nis **better** here.\n")
	holds := `"holds": {"lower": {"runs": ["made-constant-s*"], "than": ["made-linear-0.9-s*"]}}`
	require.EqualError(t, p.verify(`{"where": "README.md", "says": "Constant depth is  **better**", `+holds+`}`, ""),
		`README.md says "Constant depth is  **better**", but the mean test error of made-constant-s* is 22 (n = 3), `+
			`and of made-linear-0.9-s* 19.5 (n = 3): it is not lower: correct the sentence, or its claim in data/claims.json`)
	gone := `does not say "Constant depth is worse": data/claims.json registers that sentence, change or remove it there`
	require.EqualError(t, p.verify(`{"where": "README.md", "says": "Constant depth is worse", `+holds+`}`, ""), "README.md "+gone)
	require.EqualError(t, p.verify("", `{"where": "notebooks/1.ipynb", "says": "Constant depth is worse", "why": "x"}`),
		"notebooks/1.ipynb "+gone)
	require.ErrorContains(t, p.verify(`{"where": "README.md", "says": "better", `+holds+`}`, ""), "at least 3 words")
	require.ErrorContains(t, p.verify("", `{"where": "README.md", "says": "is **better** here.", "why": " "}`), "has no reason")
	require.ErrorContains(t, p.verify("", "x"), "is damaged")
}

func TestUnregisteredPercentages(t *testing.T) {
	p := newProject(t)
	for text, want := range map[string]string{
		"The paper has 5.25 %, which is 5.250 percent.":     "",
		"No unit: 20 layers, 3 seeds, 1,408 steps, Fig. 8.": "",
		"Two points, and a line with the points p.":         "",
		"It gets 5.26 %.":                                       "5.26",
		"It is 5.25 points lower.":                              "5.25", // a difference is no error of the paper
		"It is 5.25 percentage points lower.":                   "5.25",
		"It computes 2 % of them.":                              "2", // the paper's 2 is no percentage
		"It gets 61&nbsp;% wrong.":                              "61",
		"It gets 61\u00a0% wrong.":                              "61",
		"It gets 61% wrong.":                                    "61",
		`It gets $61\,\%$ wrong.`:                               "61",
		"It gets **61** % wrong.":                               "61",
		"It gets 61 per cent wrong.":                            "61",
		"It gets 61\n  percent wrong.":                          "61",
		"A 61-percent error.":                                   "61",
		"Errors of 5.25, 61.5 and 62 %, here.":                  "61.5, 62",
		"From 61 to 62 %.":                                      "61, 62",
		"5.25 % instead of 61 %":                                "61",
		"61 ± 0.7 %":                                            "61, 0.7",
		"| linear | 61.20 % | 5.25 % |":                         "61.20",
		"1,061.5 % more":                                        "1,061.5",
		"    go run ./x --by 61%":                               "61",
		"Guessing gets 90 % wrong.":                             "",
		"Others than that get 90 % wrong.":                      "90",
		"Here constant depth has 22.0 %, or 61 %, of errors.":   "61",
		"Here constant depth has\n  22.0 %, the best is 22.0 %": "22.0",
	} {
		p.write("README.md", "Guessing gets 90 % wrong. Here constant depth has 22.0 %.\n")
		p.notebook("1.ipynb", map[string]any{"cell_type": "markdown", "source": []string{text[:len(text)/2], text[len(text)/2:]}})
		claim := `{"where": "%s", "says": "constant depth has 22.0 %%",
			"holds": {"between": {"runs": ["made-constant-s*"], "low": 21.95, "high": 22.05}}}`
		notOutcome := `{"where": "%s", "says": "Guessing gets 90 %% wrong", "why": "nine of ten classes"}`
		claims, notOutcomes := fmt.Sprintf(claim, "README.md"), fmt.Sprintf(notOutcome, "README.md")
		if strings.Contains(text, "constant depth has") {
			claims += "," + fmt.Sprintf(claim, "notebooks/1.ipynb")
		}
		if strings.Contains(text, "Guessing") {
			notOutcomes += "," + fmt.Sprintf(notOutcome, "notebooks/1.ipynb")
		}
		err := p.verify(claims, notOutcomes)
		var found []string
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				rest, ok := strings.CutPrefix(line, "notebooks/1.ipynb has ")
				require.True(t, ok, line)
				require.Contains(t, line, "register the sentence in data/claims.json")
				unknown, _, _ := strings.Cut(rest, ", counted")
				found = append(found, unknown)
			}
		}
		require.Equal(t, want, strings.Join(found, ", "), text)
	}
}

func TestWhichTextsAreRead(t *testing.T) {
	const begin = "<!-- begin results, written by `stochdepth pages` -->\n"
	p := newProject(t)
	p.write("README.md", "Before: 61 %.\n"+begin+"\n| 62 % |\n<!-- end -->\nAfter: 63 %.\n")
	p.write("notebooks/README.md", "It is 64 %.\n")
	p.write("toolkit/network/bench/README.md", "It is 68 %.\n")
	p.write("figures/README.md", "It is 69 %.\n")
	p.notebook("1.ipynb", map[string]any{"cell_type": "markdown", "source": "It is 65 %."},
		map[string]any{"cell_type": "code", "source": "// 66 %",
			"outputs": []any{map[string]any{"output_type": "stream", "text": "67 %\n"}}})
	err := p.verify("", "")
	for _, number := range []string{"61", "63", "64", "65", "68"} {
		require.ErrorContains(t, err, "has "+number+", counted")
	}
	require.Len(t, strings.Split(err.Error(), "\n"), 5)
	require.ErrorContains(t, err, `in "Before: 61 %.", without a source`)

	p.write("README.md", "Before\n"+begin)
	require.ErrorContains(t, p.verify("", ""), "README.md: the part that begins with")
	p.write("README.md", "")
	p.write("notebooks/1.ipynb", "{")
	require.ErrorContains(t, p.verify("", ""), "notebooks/1.ipynb is damaged")
}

// A notebook may state what its own outputs show.
func TestShown(t *testing.T) {
	p := newProject(t)
	output := func(kind string, content any) map[string]any {
		data := map[string]any{kind: content, "image/png": "x", "application/json": map[string]int{"a": 1}}
		return map[string]any{"output_type": "display_data", "data": data}
	}
	p.notebook("1.ipynb", map[string]any{"cell_type": "markdown", "source": "The error is 20 % at last."},
		map[string]any{"cell_type": "code", "source": "x", "outputs": []any{
			output("text/markdown", []string{"| constant |\n", "| 20.10 |"}),
			map[string]any{"output_type": "stream", "text": []string{"open: ", "7\n"}}}})
	claim := `{"where": "notebooks/1.ipynb", "says": "The error is 20 %%", "holds": {"shown": [%s]}}`
	require.NoError(t, p.verify(fmt.Sprintf(claim, `"| 20.10 |", "open: 7"`), ""))
	require.ErrorContains(t, p.verify(fmt.Sprintf(claim, `"20.10", "30.10"`), ""), `its outputs do not show "30.10"`)
	require.ErrorContains(t, p.verify(fmt.Sprintf(claim, ``), ""), "names nothing")
}

func TestSentence(t *testing.T) {
	part := strings.Repeat("é word ", 40) + "has 61 % of " + strings.Repeat("é word ", 40)
	at := strings.Index(part, "61")
	near := sentence(part, at, at+4)
	require.Contains(t, near, "has 61 % of é")
	require.True(t, strings.HasPrefix(near, "é ") || strings.HasPrefix(near, "word "), near)
	require.Less(t, len(near), 220)
	require.Equal(t, "Here 61 % are.", sentence("First. Here 61 % are. Last.", 12, 16))
	require.Empty(t, unregistered(nil, &File{}, &published.Paper{}))
}

// The committed pages and notebooks agree with the committed records about outcomes.
func TestTheCommittedTexts(t *testing.T) {
	require.NoError(t, Verify("../../../.."))
}
