package project

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	libraries := map[string]string{"GoMLX": "v1.2.3", "go-xla": "v4.5.6"}
	require.Regexp(t, `^stochdepth v0.1.0, commit 0123456789ab\+\nGo \d\.\d+\S* \w+/\w+\nGoMLX v1.2.3\ngo-xla v4.5.6\n$`,
		versions("v0.1.0", "0123456789ab+", libraries))
	require.Contains(t, versions("(devel)", "0123456789ab", libraries), "stochdepth commit 0123456789ab\n",
		"a build from a checkout has no version")
	require.Contains(t, versions("(devel)", "", nil), "stochdepth of unknown version\n")
	require.Contains(t, versions("v0.1.0+dirty", "0123456789ab", nil), "stochdepth v0.1.0, commit 0123456789ab\n")
	require.Contains(t, versions("v0.1.0+dirty", "0123456789ab+", nil), "stochdepth v0.1.0+dirty, commit 0123456789ab+\n")
	t.Setenv(CommitEnvironment, "fedcba987654")
	require.Contains(t, Versions(), "commit fedcba987654\n")
}

// What was changed counts if it is source, and only if the program can have been built from it.
func TestCommitOf(t *testing.T) {
	root := t.TempDir()
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=b"},
			args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	now := time.Now()
	write := func(name, text string, minute int) string {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		at := now.Add(time.Duration(minute) * time.Minute)
		require.NoError(t, os.Chtimes(path, at, at))
		return path
	}
	require.NotEmpty(t, git("init"))
	for _, name := range []string{"go.mod", "toolkit/a.go", "toolkit/README.md"} {
		write(name, "1", -9)
	}
	git("add", ".")
	git("commit", "-m", "first")
	first := git("rev-parse", "--short=12", "HEAD")
	program := write(".git/program", "", -5)

	require.Equal(t, first, commitOf(program, "", root), "not stamped")
	write("data/runs/a/epochs.tsv", "1", 0)
	require.Equal(t, first, commitOf(program, first+"+", root), "a run is no source")
	git("add", ".")
	git("commit", "-m", "a run")
	second := git("rev-parse", "--short=12", "HEAD")
	require.Equal(t, first, commitOf(program, first+"+", root), "the source is that of the first commit still")
	write("toolkit/README.md", "2", -4)
	require.Equal(t, second+"+", commitOf(program, "", root), "what lies beside the source is not the same")

	source := write("toolkit/a.go", "2", -6)
	require.Equal(t, first+"+", commitOf(program, first+"+", root))
	git("checkout", "--", "toolkit/README.md", "toolkit/a.go")
	require.NoError(t, os.Chtimes(source, now, now))
	require.Equal(t, first+"+", commitOf(program, first+"+", root), "the source was put back after the program was built")
	require.Empty(t, commitOf(program, "", root), "the program is older than the commit")
	require.Equal(t, second, commitOf(write("go-build1/b001/exe/program", "", -5), "", root), "go run keeps programs by their source")
	require.NoError(t, os.Chtimes(source, now.Add(2*time.Minute), now.Add(2*time.Minute)))
	program = write(".git/program", "", 1)
	require.Equal(t, second+"+", commitOf(program, "", root), "built from that commit, with unknown changes")
	require.NoError(t, os.Chtimes(source, now, now))
	write("toolkit/new.go", "1", -6)
	require.Equal(t, first+"+", commitOf(program, first+"+", root), "a new file")
	require.Equal(t, first+"+", commitOf(program, first+"+", t.TempDir()), "no checkout")
}
