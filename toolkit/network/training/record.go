package training

import (
	"context"
	"fmt"
	"math"
	"time"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/runs"
)

// evaluate measures the validation and test errors, appends the row, and saves the checkpoint; it keeps the checkpoint as
// the best one if its validation error is lower than all earlier ones. Nothing is written of a broken network.
func (s *session) evaluate(ctx context.Context) error {
	s.report("evaluating", nil)
	validation, err := s.score(ctx, "validation", s.net.Data.Validation)
	if err != nil {
		return err
	}
	test := network.Score{Error: math.NaN()}
	if every := max(1, s.net.Recipe.TestEvery); (len(s.writer.Rows())+1)%every == 0 || s.at.Step == s.steps {
		if test, err = s.score(ctx, "test", s.net.Data.Test); err != nil {
			return err
		}
	}
	if err := s.refuseBroken(); err != nil {
		return err
	}
	g := s.at.Row
	row := runs.Row{
		Epoch:        float64(s.at.Step) / float64(s.batches.PerEpoch()),
		Step:         s.at.Step,
		LearningRate: s.learningRate(s.at.Step - 1),
		TrainLoss:    g.meanLoss(), TrainError: g.errorPercent(),
		ValidationError: validation.Error, TestError: test.Error,
		OpenBlocksMean: g.meanOpen(), GradientMagnitude: g.meanGradient(),
		Seconds: s.at.Seconds,
	}
	if err := s.record(row); err != nil {
		return err
	}
	s.report("training", &row)
	return nil
}

// score evaluates a part of the data. A loss that is not finite is an error.
func (s *session) score(ctx context.Context, name string, part dataset.View) (network.Score, error) {
	clock := time.Now()
	score, err := s.net.Evaluate(ctx, part)
	s.evaluationPace.add(min(network.EvaluationBatch(part.Format()), part.Len()), part.Len(), time.Since(clock))
	if err == nil && !isFinite(score.Loss) {
		err = s.diverged(fmt.Sprintf("the loss of the %s images became %g", name, score.Loss))
	}
	return score, err
}

// evaluationPace measures how long evaluations take. The first with batches of one size, which is compiled, does not count.
type evaluationPace struct {
	compiled map[int]bool // by the number of images in a batch
	images   int
	time     time.Duration
}

func (e *evaluationPace) add(batch, images int, took time.Duration) {
	if e.compiled[batch] {
		e.images += images
		e.time += took
		return
	}
	if e.compiled == nil {
		e.compiled = make(map[int]bool)
	}
	e.compiled[batch] = true
}

// seconds estimates the time for a number of images; 0 if it is not known yet.
func (e *evaluationPace) seconds(images float64) float64 {
	return e.time.Seconds() / float64(max(1, e.images)) * images
}

// record writes a row and the checkpoint of its step, in the order that package runs describes.
func (s *session) record(row runs.Row) error {
	if err := s.writer.Check(); err != nil { // another machine may have taken over the run
		return err
	}
	before, found := runs.Best(s.writer.Rows())
	best := !found || row.ValidationError < before.ValidationError
	next := s.at
	next.Row = gathered{}
	if err := s.checkpoints.prepare(s.net.Model, next, best); err != nil {
		return err
	}
	if err := s.writer.Append(row); err != nil {
		s.checkpoints.discard()
		return err
	}
	s.at = next
	if err := s.checkpoints.publish(best); err != nil {
		return err
	}
	s.saved = s.at
	return nil
}

// refuseBroken returns an error if the network's variables are no longer finite.
func (s *session) refuseBroken() error {
	variable, err := broken(s.net.Store)
	if err == nil && variable != "" {
		err = s.diverged(fmt.Sprintf("the variable %s grew beyond all bounds", variable))
	}
	return err
}

// testBest measures the test error of the best epoch, the number to report, if it is not known yet. The model then has the
// weights of the best epoch.
func (s *session) testBest(ctx context.Context) error {
	best, ok := runs.Best(s.writer.Rows())
	if !ok || !math.IsNaN(best.TestError) {
		return nil
	}
	s.report("evaluating", nil)
	dir, p, err := s.checkpoints.choose(&runs.Run{Dir: s.Dir, Name: s.Dir, Rows: s.writer.Rows()}, Best)
	if err != nil {
		return err
	}
	if err := s.checkpoints.restore(s.net.Model, dir, p); err != nil {
		return err
	}
	test, err := s.net.Evaluate(ctx, s.net.Data.Test)
	if err != nil {
		return err
	}
	return s.writer.SetTestError(best.Step, test.Error)
}
