package training_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend/proxy"
)

// A continued run has the same programs at every start, so that they are found compiled.
func TestResumedProgramsAreTheSame(t *testing.T) {
	from := filepath.Join(t.TempDir(), "run")
	stop(t, from, tiny(t), atStep(1))
	var programs [2][]string
	defer proxy.Watch(nil)
	for i := range programs {
		dir := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
		proxy.Watch(func(program string) bool {
			programs[i] = append(programs[i], program)
			return true
		})
		stop(t, dir, tiny(t), atStep(2))
	}
	if len(programs[0]) == 0 {
		t.Skip("this machine has no kernels, with which the programs are watched")
	}
	require.True(t, slices.Equal(programs[0], programs[1]))
}
