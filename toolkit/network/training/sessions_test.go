package training

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/runs"
)

// A run lists all sessions that made a part of it on different machines or with different commits; one that always goes on
// with the same machine and commit lists one.
func TestSessionsOfARun(t *testing.T) {
	tr := newTrainer(t, nil) // three epochs of two steps
	trainUntil := func(dir, commit string, step int64) *runs.Run {
		t.Setenv(project.CommitEnvironment, commit)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		run, err := tr.train(t, ctx, dir, func(p Progress) {
			if p.Step == step {
				cancel()
			}
		})
		if step > 0 {
			require.ErrorIs(t, err, ErrStopped)
		} else {
			require.NoError(t, err)
		}
		return run
	}
	root := scratch(t)
	dir := filepath.Join(root, "several")
	require.Nil(t, trainUntil(dir, "a", 1).Result.Earlier)
	trainUntil(dir, "b", 3)
	require.NoError(t, os.Remove(filepath.Join(dir, "result.json"))) // as if it had been killed after its checkpoint
	run := trainUntil(dir, "c", 0)
	require.Equal(t, []string{"a", "b", "c"}, run.Result.Commits())
	require.Equal(t, "c", run.Result.Commit)
	require.Equal(t, []string{project.Machine()}, run.Result.Machines())
	require.Equal(t, project.Machine(), run.Result.Earlier[0].Machine)

	dir = filepath.Join(root, "one")
	trainUntil(dir, "a", 1)
	trainUntil(dir, "a", 0)
	result, err := os.ReadFile(filepath.Join(dir, "result.json"))
	require.NoError(t, err)
	require.NotContains(t, string(result), "earlier")

	// Older checkpoints name no sessions: then those of the result count.
	dir = filepath.Join(root, "older")
	trainUntil(dir, "a", 1)
	setPosition(t, dir, Last, "sessions", nil)
	edit(t, filepath.Join(dir, "result.json"), func(text string) string {
		return regexp.MustCompile(`"machine": ".*"`).ReplaceAllString(text, `"machine": "another"`)
	})
	require.Equal(t, []string{"another", project.Machine()}, trainUntil(dir, "a", 0).Result.Machines())
}

// The time that remains is that of steps and evaluations, without the first step and the evaluations that were compiled.
func TestRemainingTime(t *testing.T) {
	tr := newTrainer(t, nil) // three epochs of two steps
	s := &session{net: tr.net, batches: tr.net.Batches(), steps: 6}
	var p Progress
	s.OnProgress = func(now Progress) { p = now }
	remaining := func() time.Duration {
		s.report("training", nil)
		return p.Remaining
	}
	s.at.Step, s.trainSeconds = 1, 1
	require.Zero(t, remaining())
	s.at.Step, s.trainSeconds = 2, 3600
	require.Zero(t, remaining())
	s.at.Step, s.trainSeconds = 4, 3640
	require.Equal(t, 40*time.Second, remaining(), "two steps of twenty seconds")
	validation, test := tr.net.Data.Validation.Len(), tr.net.Data.Test.Len()
	s.evaluationPace.add(validation, validation, time.Hour)
	s.evaluationPace.add(test+1, test, time.Hour)
	require.Equal(t, 40*time.Second, remaining())
	s.evaluationPace.add(validation, validation, time.Duration(validation)*time.Second)
	require.Equal(t, time.Duration(40+validation+test)*time.Second, remaining(), "and an evaluation of a second an image")
	tr.net.Recipe.EvaluateEvery, tr.net.Recipe.TestEvery = 1, 2
	require.Equal(t, time.Duration(40+2*validation+test)*time.Second, remaining())
}

func TestProgressInWords(t *testing.T) {
	p := Progress{Phase: "training", Epoch: 3, Epochs: 6, Blocks: 9, Loss: 0.4567, Error: 12.34, Open: 6.78}
	require.Equal(t, "epoch 3 of 6, training, loss 0.457, error 12.3 %, 6.8 of 9 blocks", p.text())
	p.Phase, p.Loss, p.Open = "compiling", math.NaN(), math.NaN()
	require.Equal(t, "epoch 3 of 6, compiling", p.text())
}
