package commands

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// Outside the project's folder, an error about one of its folders says so.
func TestOutsideOfTheProject(t *testing.T) {
	t.Setenv(project.EnvRoot, "")
	t.Setenv("GONB_DIR", "")
	root, err := project.Root()
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	fails := func(args ...string) string {
		cmd := command()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		found, err := cmd.ExecuteC()
		require.Error(t, err)
		return explainOutside(found, err).Error()
	}
	const hint = " (the project's folder was not found: run inside it, or set STOCHDEPTH_ROOT to it)"
	for _, args := range []string{"runs", "models", "eval x", "compare a b", "figures fig3", "watch x", "sweep plan x"} {
		require.Contains(t, fails(strings.Fields(args)...), hint, args)
	}
	require.Equal(t, "the paper's numbers are missing: restore data/published.json"+hint, fails("figures"))
	require.NotContains(t, fails("figures", "--data", "elsewhere", "--out", "x"), hint)
	require.NotContains(t, fails("data", "get", "nothing"), hint)
	t.Chdir(root)
	require.NotContains(t, fails("watch", "nothing"), hint)
}

func TestVersion(t *testing.T) {
	t.Setenv(project.CommitEnvironment, "0123456789ab+")
	out, err := call(t, "--version")
	require.NoError(t, err)
	require.Regexp(t, `^stochdepth .*commit 0123456789ab\+\nGo .*\nGoMLX .*\ngo-xla .*\n$`, out)
}

func TestPaint(t *testing.T) {
	table := "index  name     state   epochs\n0      ± done   done    3/3\n1      failed   failed  1/3     why\n" +
		"2      c        left    0/3\n3\n"
	require.Equal(t, "index  name     state   epochs\n"+
		"0      ± done   \x1b[32mdone\x1b[0m    3/3\n"+
		"1      failed   \x1b[31mfailed\x1b[0m  1/3     why\n"+
		"2      c        left    0/3\n3\n", paint(table, "state"), "words of other columns stay as they are")
	require.Equal(t, table, paint(table, "status"), "there is no such column")
	require.Equal(t, "status\n\x1b[31mdiverged\x1b[0m", paint("status\ndiverged", "status"))
}

// Only a terminal gets colours.
func TestColoursAreForTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	defer file.Close()
	require.False(t, hasColours(file))
	require.False(t, hasColours(&bytes.Buffer{}))
}

// Data sets that are there, or need no download, are not said to be downloaded.
func TestDataGetOfWhatIsThere(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "cifar-10-batches-bin")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
		"test_batch.bin"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		require.NoError(t, os.Truncate(filepath.Join(dir, name), 10_000*3073)) // sparse
	}
	for name, want := range map[string]string{
		"cifar10": "cifar10 is there already; `stochdepth data verify cifar10` checks its files\n",
		"shapes":  "shapes are drawn when they are needed: there is nothing to download\n",
	} {
		out, err := call(t, "data", "get", name, "--data-root", root)
		require.NoError(t, err)
		require.Equal(t, want, out)
	}
}
