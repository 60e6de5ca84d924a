package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// call runs the command in this process.
func call(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAugmentWithoutAValue(t *testing.T) {
	for line, want := range map[string]string{
		"train --augment": "train --augment shift", "train --augment --seed 2": "train --augment shift --seed 2",
		"train --augment true": "train --augment true", "train --augment=crop": "train --augment=crop",
		"__complete train --augment": "__complete train --augment", "": "",
	} {
		require.Equal(t, want, strings.Join(bareAugment(strings.Fields(line)), " "))
	}
}

// Senseless command lines are refused in one sentence, at once, and nothing is left behind.
func TestCommandLinesAreRefused(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "none") // nothing here may reach a device
	folder := t.TempDir()
	grid := filepath.Join(folder, "grid.json")
	require.NoError(t, os.WriteFile(grid, []byte(`{"grid": {"depth": [8]}}`), 0o644))
	require.NoError(t, syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o644))
	runsFolder := filepath.Join(folder, "runs")
	const isPath = "is a path: name the folder with --runs, and the run in it with --run"
	for line, want := range map[string]string{
		"trian --depth 20":                     "there is no command `stochdepth trian`",
		"trian":                                "there is no command `stochdepth trian` (did you mean \"train\"?): `stochdepth --help` lists",
		"help trian":                           "there is no command `stochdepth trian` (did you mean \"train\"?): `stochdepth --help` lists",
		"help sweep rn":                        "there is no command `stochdepth sweep rn` (did you mean \"run\"?): ",
		"sweep rn fig8-left":                   "there is no command `stochdepth sweep rn` (did you mean \"run\"?): ",
		"train shapes":                         "`stochdepth train` takes no arguments, but \"shapes\" is one: `stochdepth",
		"eval":                                 "the command is `stochdepth eval RUN|FILE... [flags]`, but 0 arguments are given: `stoch",
		"eval a b":                             "several networks are rated together with --passes 32; without it, name one run or file",
		"eval a --passes 0":                    "--passes 0: the number of passes must be at least 1",
		"eval a --out a.png":                   "--out draws how far the probabilities can be trusted: add --passes 32",
		"compare a":                            "the command is `stochdepth compare A B [flags]`, but 1 argument is given",
		"data get a b":                         "the command is `stochdepth data get NAME [flags]`, but 2 arguments are given",
		"rates timm/mixer":                     "say a rate too, such as: stochdepth rates timm/mixer 0.2",
		"train --rate 0.1":                     "(did you mean --death-rate or --learning-rate or --set warmup_rate=VALUE?)",
		"train -depth=20":                      "`stochdepth train` has no flag -depth (did you mean --depth?): `",
		"train --weight-decay 0":               "`stochdepth train` has no flag --weight-decay (did you mean --set weight_decay=VALUE?)",
		"runs --set depth=20":                  "`stochdepth runs` has no flag --set: `stochdepth runs --help` lists its flags",
		"figures fig1 --width":                 "--width needs a value: `stochdepth figures --help` says which",
		"train --max-time 3":                   `--max-time is "3": it must be a time such as 90m or 8h`,
		"bench --rounds 9223372036854775808":   "--rounds 9223372036854775808 is out of range: whole numbers have up to 64 bits here",
		"bench --layers 20,x":                  `--layers is "20,x": it must be a whole number, or several with commas between them`,
		"bench ---steps 3":                     "\"---steps\" is no flag: `stochdepth bench --help` lists the flags",
		"bench --network resnet18 --layers 20": "--network and --layers both say which networks to time: leave one of them out",
		"train --death-rate 0.5 --set budget=0.75":   "budget and death_rate both say how many blocks close: leave one of them out",
		"summary --set budget=0.1":                   "budget 0.1 is out of reach: with the rule linear and the schedule constant more than 0.444",
		"import x.safetensors":                       "the new run needs a name: add --run NAME",
		"train --data-root x":                        "--data-root x would not be read, as the images of shapes are drawn: add --dataset folder for your pictures",
		"train --network resnet51":                   `--network: network "resnet51" is unknown (did you mean "resnet50"?)`,
		"train --run /abs/path":                      `the run name "/abs/path" ` + isPath,
		"train --run ..":                             `the run name ".." ` + isPath,
		"train --run .":                              `the run name "." ` + isPath,
		"train --run ../../x":                        `the run name "../../x" ` + isPath,
		"train --run a\x1b[2Jb":                      `"a\x1b[2Jb" cannot be the name of a run`,
		"train --run a\nb":                           `"a\nb" cannot be the name of a run`,
		"train --max-time -1s":                       "--max-time -1s is negative: give a time such as 90m, or leave it out",
		"train --devices 0":                          "--devices is 0: it must be from 1 to 1,024",
		"train --devices 9223372036854775807":        "--devices is 9223372036854775807: it must be from 1 to 1,024",
		"train --epochs 9223372036854775807":         "epochs is 9223372036854775807: it must be from 1 to 1,000,000",
		"train --epochs 9223372036854775808":         "--epochs: epochs 9223372036854775808 is out of range: whole numbers have up to 64 bits here",
		"train --batch-size 9223372036854775807":     "batch_size is 9223372036854775807: it must be from 1 to 100,000",
		"train --image-size 7":                       "image_size is 7: it must be from 8 to 256",
		"train --dataset svhn --image-size 64":       "SVHN has images of 32x32 pixels only, not 64x64: leave the size out",
		"train --set resize_size=24":                 "resize_size is 24: it must be from 32 to 512",
		"train --augment all":                        `augment "all" is unknown: use none, shift, crop`,
		"train --set train_images=16":                "batch_size is 32, but there are 16 training images: make it 16 at most",
		"train --depth 9223372036854775802":          "depth is 9223372036854775802: it must be from 8 to 10,000",
		"train --depth 600000002":                    "depth is 600000002: it must be from 8 to 10,000",
		"import x.safetensors --run ../x":            `the run name "../x" ` + isPath,
		"import x.safetensors --run /x":              `the run name "/x" ` + isPath,
		"export x y":                                 "2 runs cannot be one network: name one, or write their logs with --tensorboard FOLDER",
		"export x --tensorboard logs -o y":           "--out is about a network, and --tensorboard writes logs: leave one of them out",
		"figures fig1 --width wide --out x":          `--width "wide" is no length: give centimetres or inches, such as 8cm or 3.25in`,
		"figures fig1 --width 200 --out x":           `--width "200" is no length: give centimetres or inches, such as 8cm or 3.25in`,
		"figures fig1 --width -3cm --out x":          "--width -3cm must be above 0",
		"figures fig1 --width NaNcm --out x":         "--width NaNcm must be above 0",
		"figures fig1 --width 1in --out x":           "fig1: the figure cannot be read at a width of 2.54 cm: ask for 7.0 to 200 cm",
		"figures fig1 --theme grey --out x":          `unknown theme "grey": use light or dark`,
		"figures fig1 --theme dark":                  "the gallery has one style: name another place for these figures with --out",
		"runs --sort tst-error":                      `cannot sort by "tst-error" (did you mean "test-error"?): the columns are name, dataset`,
		"runs --where dept=20":                       `unknown key "dept" (did you mean "depth"?)`,
		"compare a b":                                "no run folder",
		"watch nobody":                               "there is no run nobody: start its training first",
		"watch nobody --wait -1s":                    "--wait -1s is negative",
		"summary --depth 21":                         "depth 21 is not 6N+2 layers",
		"export x -o /dev/full":                      "/dev/full is no regular file and is left as it is: write to another one",
		"export x -o " + folder:                      folder + " is a folder: name a file in it",
		"export x -o " + folder + "/pipe":            folder + "/pipe is no regular file and is left as it is: write to another one",
		"find-rate":                                  "how long may it take? Give --budget, such as --budget 45m",
		"find-rate --budget -1s":                     "how long may it take? Give --budget",
		"find-rate --budget 3":                       `--budget is "3": it must be a time such as 90m or 8h`,
		"train --run x --dataset ./mine":             "--dataset ./mine is a path, not the name of a data set: pictures of your own are --dataset folder",
		"find-rate --budget 1h --recipe shape":       `no recipe "shape" (did you mean "shapes"?)`,
		"find-rate --budget 1h --death-rate 0.5":     "find-rate tries death rates itself: leave --death-rate out, or give --candidates",
		"find-rate --budget 1h --set death_rate=0.5": "find-rate tries death rates itself: leave --death-rate out",
		"find-rate --budget 1h --format xml":         `unknown format "xml": use table, tsv, csv, json`,
		"find-rate --budget 1h --figure a.gif":       `cannot save the figure a.gif: unknown format "gif"`,
		"find-rate --budget 1h --candidates 1,2":     "the candidate 2 is no p_L: it must be above 0 and at most 1",
		"find-rate --budget 1h --candidates 1":       "1 candidates are nothing to choose from: give two p_L at least",
		"find-rate --budget 1h --workers -1":         "--workers is -1: it must be from 0 to 1,024",
		"find-rate --budget 1h --name a:b":           `"find-rate-a:b" cannot be the name of a run`,
		"find-rate --budget 1h --form resnet --set shortcut=none --set death_rate=0": "a network with shortcut none cannot close blocks",
		"sweep run " + grid + " --workers -1":                                        "--workers is -1: it must be from 0 to 1,024",
		"sweep run " + grid + " --workers 99999":                                     "--workers is 99999: it must be from 0 to 1,024",
		"sweep task " + grid + " 0 --max-time -1s":                                   "--max-time -1s is negative",
		"sweep slurm " + grid + " --at-once -1":                                      "--at-once is -1: it must be from 0 to 100,000",
		"sweep slurm " + grid + " --array-size -1":                                   "--array-size is -1: it must be from 0 to 4,000,001",
		"sweep slurm " + grid + " --time 2hours":                                     `"2hours" is no time: give one such as 90m or 2h, or as Slurm has it, 90, 2:00:00 or 1-12:00`,
		"bench --steps 0":                                                            "the number of steps is 0: it must be from 1 to 100,000",
		"bench --steps 9223372036854775807":                                          "the number of steps is 9223372036854775807: it must be from 1 to 100,000",
		"bench --rounds -1":                                                          "--rounds is -1: it must be from 1 to 1,000",
		"bench --layers 20,21":                                                       "depth 21 is not 6N+2 layers: the nearest are 20 and 26",
		"bench --layers 600000002":                                                   "depth is 600000002: it must be from 8 to 10,000",
		"bench --peers --python /nowhere":                                            "there is no Python for the peers at /nowhere: make bench-peers installs one, --python names another",
		"bench --recompute --form resnet":                                            "--recompute needs --form survivors, or survivors,resnet: the textbook form",
		"bench --peers --peer jax":                                                   `--peer "jax" is unknown: say one of torch eager, `,
		"bench --batch 9223372036854775807":                                          "batch_size is 9223372036854775807: it must be from 1 to 100,000",
		"bench --death-rate 0,NaN":                                                   "death_rate NaN is outside [0, 1)",
		"figures --list extra words":                                                 `--list lists all figures and takes no names: leave out ["extra" "words"]`,
		"figures fig1 --blocks -3":                                                   "--blocks is -3: it must be from 0 to 5,000",
		"rates timm/mixer -0.1":                                                      `"-0.1" is not a rate: give a number from 0 to below 1, such as 0.2`,
		"rates timm/mixer 0.2 --format xml":                                          `unknown format "xml": use table, tsv, csv, json`,
		"rates timm/mixer NaN":                                                       `"NaN" is not a rate`,
		"rates transformers/beit 1":                                                  "a rate is below 1 here (at rate 1 in transformers/beit: NaN)",
	} {
		t.Run(line, func(t *testing.T) {
			args := strings.Split(line, " ")
			switch args[0] {
			case "train", "import", "export", "sweep", "runs", "compare", "watch":
				args = append(args, "--runs", runsFolder)
			}
			_, err := call(t, args...)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
			require.NoDirExists(t, runsFolder)
		})
	}
	info, err := os.Lstat("/dev/full")
	require.NoError(t, err)
	require.Equal(t, os.ModeDevice|os.ModeCharDevice, info.Mode().Type())
}

// A run's name cannot control the terminal.
func TestListingOfHostileRuns(t *testing.T) {
	folder := t.TempDir()
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	hostile := "x\x1b]0;owned\a\u009b31m\nstochdepth: all is well"
	writer, err := runs.Create(filepath.Join(folder, hostile), recipe)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.NoError(t, syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o644))
	for _, format := range say.TableFormats {
		out := succeed(t, stochdepth(t, "runs", "--runs", folder, "--format", format))
		require.Equal(t, out, escape(out))
		require.NotContains(t, out, "\nstochdepth")
		if format == "json" {
			var list []map[string]any
			require.NoError(t, json.Unmarshal([]byte(out), &list))
			require.Equal(t, hostile, list[0]["name"], "programs get the name itself")
		}
	}

	// And in errors.
	require.NoError(t, os.WriteFile(filepath.Join(folder, hostile, "recipe.json"), nil, 0o644))
	for _, args := range [][]string{{"runs"}, {"runs", hostile}, {"eval", hostile}, {"eval", "no\x1b[31m\nsuch"}} {
		out, err := stochdepth(t, append(args, "--runs", folder)...).CombinedOutput()
		require.Error(t, err)
		require.Equal(t, string(out), escape(string(out)))
		require.Equal(t, 1, strings.Count("\n"+string(out), "\nstochdepth:"), "%q", out)
	}
}

func TestErrorsALine(t *testing.T) {
	var out bytes.Buffer
	printError(&out, errors.Join(errors.New("one\nmore"), errors.New("two\x1b[1m\u202e")))
	require.Equal(t, "stochdepth: one\n  more\nstochdepth: two\\u001b[1m\\u202e\n", out.String())
	require.Equal(t, "half \xe2\x82 and \\u001b", escape("half \xe2\x82 and \x1b"))
}
