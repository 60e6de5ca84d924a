package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs/recipes"
)

// A run is exported into a folder of networks, listed and evaluated there, and imported again.
func TestExportModelsEval(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	runs, models := filepath.Join(folder, "runs"), filepath.Join(folder, "models")
	file := filepath.Join(models, "net.safetensors")
	require.NoError(t, os.Mkdir(models, 0o755))
	succeed(t, stochdepth(t, "train", "--run", "mine", "--runs", runs, "--recipe", "shapes", "--depth", "8", "--epochs", "1",
		"--seed", "3", "--death-rate", "0", "--set", "train_images=64", "--set", "validation_images=32",
		"--set", "test_images=32", "--set", "batch_size=32"))
	require.Contains(t, succeed(t, stochdepth(t, "export", "mine", "--runs", runs, "-o", file)),
		"mine, checkpoint best, step 2: written to ")
	require.Contains(t, succeed(t, stochdepth(t, "models", "--models", models)), "net   shapes    64      8")

	places := []string{"--runs", runs, "--models", models}
	eval := func(args ...string) string {
		return succeed(t, stochdepth(t, append(append([]string{"eval"}, places...), args...)...))
	}
	for _, name := range []string{"net", file, filepath.Join(models, "net")} {
		out := eval(name)
		require.Regexp(t, `net.safetensors: shapes, 8 layers, run mine, epoch 1, seed 3`, out)
		require.Regexp(t, `(?m)^validation .*\(32 images\)  as recorded: \d+\.\d\d %\n`+
			`test .*\(32 images\)  as recorded: \d+\.\d\d %$`, out)
	}
	require.Contains(t, eval("mine"), "mine, checkpoint best, step 2\nvalidation  error ")
	require.NotContains(t, eval("mine"), "recorded")

	// Probabilities are rated beside the errors. A constant network has the same ones in each pass, and with itself as the
	// second network of an ensemble.
	out := eval("net", "mine", "--passes", "2", "--out", filepath.Join(folder, "doubt.svg"))
	found := regexp.MustCompile(`(?m)^test +error +(\S+) %  loss (\S+) `).FindStringSubmatch(out)
	require.NotNil(t, found, out)
	rating := regexp.QuoteMeta(found[1]) + ` % +` + regexp.QuoteMeta(found[2]) + ` +\d+\.\d\d %( +\d+\.\d\d %){3}`
	require.Regexp(t, `(?m)^ +net, blocks scaled +`+rating+`\n +mine, blocks scaled +`+rating+
		`\n +mean of 2 networks, blocks scaled +`+rating+`\n\n.*doubt\.svg$`, out)
	require.FileExists(t, filepath.Join(folder, "doubt.svg"))

	// A flag of import changes the file's recipe in this key only: the errors are those of the run.
	load := func(args ...string) *exec.Cmd {
		return stochdepth(t, append([]string{"import", file, "--runs", runs}, args...)...)
	}
	out = succeed(t, load("--run", "longer", "--epochs", "5"))
	require.Contains(t, out, "run longer made from "+file+"\n")
	require.Contains(t, out, "train it on: stochdepth train --run longer --runs "+runs+
		" --recipe "+filepath.Join(runs, "longer", "recipe.json"))
	_, errorsOfRun, _ := strings.Cut(eval("mine"), "\n")
	require.Contains(t, eval("longer"), errorsOfRun)
	recipe, err := recipes.Read(filepath.Join(runs, "mine", "recipe.json"))
	require.NoError(t, err)
	longer, err := recipes.Read(filepath.Join(runs, "longer", "recipe.json"))
	require.NoError(t, err)
	require.Equal(t, []string{"epochs: 1, 5"}, recipes.Differences(recipe, longer))
	require.Equal(t, "As the recipe "+file+", but epochs: 5, 1 (its own value second).", longer.Description)
	text, err := load("--run", "other", "--recipe", "shapes", "--set", "shortcut=subsample", "--depth", "8").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(text), "has shortcut average, and its weights do not fit a network with shortcut subsample")
	require.NoDirExists(t, filepath.Join(runs, "other"))

	fail := func(args ...string) string {
		out, err := stochdepth(t, append(append([]string{"eval"}, places...), args...)...).CombinedOutput()
		require.EqualError(t, err, "exit status 1", string(out))
		return string(out)
	}
	require.Contains(t, fail("other"), "there is no run and no network other: ")
	require.Contains(t, fail("net", "--checkpoint", "last"), "--checkpoint chooses between those of a run, leave it out")
	require.NoError(t, os.Rename(file, filepath.Join(models, "mine.safetensors")))
	require.NoError(t, os.RemoveAll(filepath.Join(runs, "mine", "checkpoint")))
	require.Contains(t, fail("mine"),
		"but there is a network with its name: stochdepth eval "+filepath.Join(models, "mine.safetensors"))
	require.NoError(t, tensorfile.Write(file, nil, nil))
	require.Contains(t, fail("net"), "has no recipe in its metadata: make a run from it with `stochdepth import")
	text, err = load("--run", "none", "--epochs", "5").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(text),
		"has no recipe in its metadata: make a run from it with `stochdepth import "+file+" --run NAME --recipe RECIPE`")
}

func TestBesideRecord(t *testing.T) {
	require.Equal(t, "  as recorded: 5.25 %", besideRecord(5.25, 5.25, 10000))
	require.Equal(t, "  recorded: 5.25 %, here 3 more images wrong", besideRecord(5.28, 5.25, 10000))
	require.Equal(t, "  recorded: 5.25 %, here 1 fewer image wrong", besideRecord(5.24, 5.25, 10000))
}
