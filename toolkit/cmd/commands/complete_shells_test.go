package commands

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// typed are lines as they are typed, and what a shell makes of them at the tab; RUNS is a folder of runs. A unique name is
// followed by a space, unless it can be continued.
var typed = map[string]string{
	"stochdepth swe":                              "stochdepth sweep ",
	"stochdepth completion z":                     "stochdepth completion zsh ",
	"stochdepth train --recip":                    "stochdepth train --recipe ",
	"stochdepth train --recipe qu":                "stochdepth train --recipe quickstart ",
	"stochdepth train --recipe=qu":                "stochdepth train --recipe=quickstart ",
	"stochdepth train --set freeze":               "stochdepth train --set freeze_closed=",
	"stochdepth runs --where freeze-closed=t":     "stochdepth runs --where freeze-closed=true ",
	"stochdepth figures paper/fig2":               "stochdepth figures paper/fig2 ",
	"stochdepth sweep run fig8-l":                 "stochdepth sweep run fig8-left ",
	"stochdepth data get sv":                      "stochdepth data get svhn ",
	"stochdepth eval shapes-20-c":                 "stochdepth eval shapes-20-constant ",
	"stochdepth eval --runs RUNS a-run-epochs=":   "stochdepth eval --runs RUNS a-run-epochs=8-s1 ",
	"stochdepth watch --runs RUNS more/tw":        "stochdepth watch --runs RUNS more/two ",
	"stochdepth export --runs RUNS more/two a-ru": "stochdepth export --runs RUNS more/two a-run-epochs=8-s1 ",
}

// inZsh types each argument and a tab into an interactive zsh, and prints the line that results.
const inZsh = `
zmodload zsh/zpty || exit 3
zpty shell zsh -f -i
zpty -w shell 'PS1= RPS1=; autoload -Uz compinit; compinit -u -D; source <(stochdepth completion zsh)
	note() { zle -I; print -r -- "<$BUFFER>"; BUFFER= }; zle -N note; bindkey "^X" note; print ready''!'
zpty -r shell seen '*ready!*' || exit 4
for line; do
	zpty -w -n shell "$line"$'\t\x18'
	zpty -r shell seen '*<stochdepth*>*' || exit 5
	seen=${seen##*<}
	print -r -- "${seen%%>*}"
done
zpty -d shell`

// inFish prints what fish offers for each argument, without the descriptions, and an empty line.
const inFish = `
stochdepth completion fish | source
for line in $argv
	complete -C $line | string replace -r '\t.*' ''
	echo
end`

// shell runs a script in a shell that finds this command.
func shell(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed, so its completion is not tried", name)
	}
	bin := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(bin, "stochdepth")))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "STOCHDEPTH_TEST_COMMAND=1", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin, "TERM=xterm")
	return succeed(t, cmd)
}

// typedLines returns the lines and their completions, in the same order.
func typedLines(t *testing.T) (lines, want []string) {
	t.Helper()
	folder := t.TempDir()
	recipe, err := recipes.Preset("quickstart")
	require.NoError(t, err)
	for _, name := range []string{"a-run-epochs=8-s1", "more/two"} {
		w, err := runs.Create(filepath.Join(folder, name), recipe)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	for line, completed := range typed {
		lines = append(lines, strings.Replace(line, "RUNS", folder, 1))
		want = append(want, strings.Replace(completed, "RUNS", folder, 1))
	}
	return lines, want
}

func TestZshCompletes(t *testing.T) {
	lines, want := typedLines(t)
	out := shell(t, "zsh", append([]string{"-f", "-c", inZsh, "zsh"}, lines...)...)
	require.Equal(t, want, strings.Split(strings.TrimSuffix(out, "\n"), "\n"))
}

// Fish is asked for its offers, each of which is the last word of the line.
func TestFishCompletes(t *testing.T) {
	lines, want := typedLines(t)
	for i, line := range want {
		line = strings.TrimSuffix(line, " ")
		want[i] = line[strings.LastIndex(line, " ")+1:]
	}
	out := shell(t, "fish", append([]string{"--no-config", "-c", inFish}, lines...)...)
	require.Equal(t, want, strings.Split(strings.TrimSuffix(out, "\n\n"), "\n\n"))
}
