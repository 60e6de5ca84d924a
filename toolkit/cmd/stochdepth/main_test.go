package main

import (
	"io"
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
