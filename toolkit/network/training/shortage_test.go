package training_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/torture"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/runs"
)

// trainShortOfMemory is the child of TestMemoryIsShort: it prints its error.
func trainShortOfMemory(dir string) {
	t := &testing.T{}
	spare = make([]byte, 256<<20)
	spare = nil
	runtime.GC() // now Go has enough memory and asks the system for no more
	begun := false
	_, err := train(t, context.Background(), dir, tiny(t), func(training.Progress) {
		if !begun {
			begun = true
			os.Setenv("SHORTAGE", os.Getenv("STOCHDEPTH_TEST_SHORTAGE")) // in C too, see testdata/shortage.c
		}
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

var spare []byte

// If a kernel gets no memory, in a step or in an evaluation, the training ends with one sentence. The run then is as it was
// at its last checkpoint, and goes on to the same bits.
func TestMemoryIsShort(t *testing.T) {
	if proxy.Processor(backendtest.Open(t).(*xla.Backend).PluginName()) == "" {
		t.Skip("this machine has no kernels")
	}
	folder := t.TempDir()
	library := filepath.Join(folder, "shortage.so")
	if out, err := exec.Command("cc", "-O1", "-shared", "-fPIC", "-o", library, "testdata/shortage.c").CombinedOutput(); err != nil {
		t.Skipf("there is no C compiler: %v, %s", err, out)
	}
	whole := filepath.Join(folder, "whole")
	alone, err := train(t, context.Background(), whole, tiny(t), nil)
	require.NoError(t, err)
	stopped := func(name string, at func(training.Progress) bool) string {
		dir := filepath.Join(folder, name)
		stop(t, dir, tiny(t), at)
		return dir
	}
	trials, failed := 0, 0
	for name, from := range map[string]string{
		"first epoch":  "",
		"second epoch": stopped("second", atStep(5)),
		"evaluation":   stopped("evaluation", inLastEvaluation),
	} {
		every, most := 8, 9
		if torture.Asked() {
			every, most = 1, math.MaxInt
		}
		refused, ended, passed := 0, false, true
		for request := 1; request <= most && passed && !ended; request += every { // until there is no such request
			passed = t.Run(fmt.Sprintf("%s, request %d", name, request), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "run")
				if from != "" {
					require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
				}
				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), "STOCHDEPTH_TEST_SHORT_OF_MEMORY="+dir, "LD_PRELOAD="+library,
					fmt.Sprint("STOCHDEPTH_TEST_SHORTAGE=", request))
				out, err := child.Output()
				if ended = err == nil; !ended {
					refused++
					requireShort(t, strings.TrimSuffix(string(out), "\n"), dir, from)
				}
				resumed, err := train(t, context.Background(), dir, tiny(t), nil)
				require.NoError(t, err)
				require.Equal(t, withoutSeconds(alone.Rows), withoutSeconds(resumed.Rows))
				require.Equal(t, parameters(t, whole, "last"), parameters(t, dir, "last"))
				require.Equal(t, parameters(t, whole, "best"), parameters(t, dir, "best"))
			})
		}
		require.Positive(t, refused, "the kernels asked for no memory that could be refused")
		trials += refused
		if !passed {
			failed++
		}
	}
	torture.Report(t, "memory refused to a kernel", trials, failed)
}

// requireShort checks a run in dir that ended with a message because memory was short; it had begun as a copy of from, if
// that is not "".
func requireShort(t *testing.T, message, dir, from string) {
	t.Helper()
	t.Log(message)
	require.Regexp(t, "^the (training step|evaluation) failed: memory is short: end other programs and start again, "+
		"or take a smaller minibatch$", message)
	require.NotContains(t, message, "\n")
	run, err := runs.Open(dir)
	require.NoError(t, err)
	require.False(t, run.Finished())
	if from == "" {
		return
	}
	before, err := runs.Open(from)
	require.NoError(t, err)
	require.Equal(t, before.Rows, run.Rows[:len(before.Rows)])
	if len(run.Rows) == len(before.Rows) {
		require.Equal(t, parameters(t, from, "last"), parameters(t, dir, "last"))
	}
}
