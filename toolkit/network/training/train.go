// Package training makes one run: a recipe becomes epochs of minibatches, a log, checkpoints and the best validation epoch.
// It connects a network with its data, the optimizer's schedule and the run folder; train.go reads like the experiment.
// Package runs says how log, checkpoints and result agree; resume.go checks this before a run goes on.
package training

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/optimizer"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Options say what to train and where.
type Options struct {
	Dir      string          // the run folder; a run that it already contains goes on
	Recipe   recipes.Checker // everything that defines the run: a recipe, checked or not
	DataRoot string          // folder of the data set's files; "" for the project's data/cache
	MaxTime  time.Duration   // after which the run is stopped at a checkpoint; 0 for no limit
	Devices  int             // number of devices that share each step, see [network.Model.UseDevices]; 0 for one

	// OnProgress, if set, is called often, from one goroutine. It should return soon.
	OnProgress func(Progress)

	// OnNote, if set, is called with sentences that the user should know about the data, before the first step.
	OnNote func(string)
}

// ErrStopped is returned, wrapped, by Train when the run was stopped before its end: the context was cancelled or MaxTime
// is over. The run has a checkpoint and goes on when Train is called again.
var ErrStopped = errors.New("stopped")

// ErrDiverged is returned, wrapped, by Train when the loss or a variable is no longer finite.
var ErrDiverged = errors.New("diverged")

// Train makes a run, or goes on with one, to its end: every epoch's minibatches with their gates, an evaluation on the
// validation and test parts, a row of the log, a checkpoint. Only the validation error chooses the best epoch. It returns
// the new state of the run, also with ErrStopped. A finished run is returned as it is, and none of its files changes.
func Train(ctx context.Context, b compute.Backend, o Options) (*runs.Run, error) {
	started := time.Now()
	checked, err := o.check()
	if err != nil {
		return nil, err
	}
	recipe := checked.Recipe()
	if run, err := finished(o.Dir, recipe); run != nil || err != nil {
		return run, err
	}
	if recipe.From != "" && !Begun(o.Dir) {
		return nil, fmt.Errorf("the recipe begins with the weights of %s, and the run %s does not have them: name them with --from, "+
			"or leave the key from out", recipe.From, o.Dir)
	}
	if err := backend.CheckDType(b, recipe.DType); err != nil {
		return nil, err
	}
	net, err := network.OpenContext(ctx, b, checked, o.DataRoot)
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: %v", ErrStopped, err) // one sentence
	}
	if err != nil {
		return nil, err
	}
	if o.OnNote != nil {
		for _, note := range net.Data.Notes {
			o.OnNote(note)
		}
	}
	o.Recipe, o.Devices = checked, cmp.Or(o.Devices, 1)
	if err := net.Prepare(o.Devices); err != nil {
		return nil, err
	}
	return trainNetwork(ctx, b, o, net, started)
}

// trainNetwork is Train with an opened network, which has initial weights.
func trainNetwork(ctx context.Context, b compute.Backend, o Options, net *network.Opened, started time.Time) (*runs.Run, error) {
	writer, err := runs.Create(o.Dir, o.Recipe)
	if err != nil {
		return nil, err
	}
	defer writer.Close()
	if err := writer.KeepPictures(net.Data.Contents); err != nil {
		return nil, err
	}
	if o.MaxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, started.Add(o.MaxTime), fmt.Errorf("after the time limit of %s", o.MaxTime))
		defer cancel()
	}
	s := &session{Options: o, net: net, writer: writer, backend: b, started: started, commit: project.Commit(),
		checkpoints: checkpoints{dir: writer.CheckpointDir()}}
	if err := s.resume(); err != nil {
		return nil, err
	}
	if s.at.Step == s.steps { // another process may have finished it meanwhile, or resume has repaired it
		if run, err := finished(o.Dir, net.Recipe); run != nil || err != nil {
			return run, err
		}
	}
	err = s.train(ctx)
	resultErr := writer.WriteResult(s.result(err))
	if err == nil || errors.Is(err, ErrStopped) || errors.Is(err, ErrDiverged) { // otherwise the first error is enough
		err = errors.Join(err, resultErr)
	}
	run, openErr := runs.Open(o.Dir)
	return run, errors.Join(err, openErr)
}

// session is one call of Train.
type session struct {
	Options
	net         *network.Opened
	writer      *runs.Writer
	backend     compute.Backend
	checkpoints checkpoints
	batches     *network.Batches
	schedule    optimizer.Schedule
	evaluated   evaluations
	pipeline    pipeline

	at             position       // now; its step is the number of steps done
	saved          position       // of the newest checkpoint
	steps          int64          // of the whole run
	survival       depth.Survival // the current one
	started        time.Time
	commit         string  // of the source, when the session began
	firstStep      int64   // of this session
	trainSeconds   float64 // of this session
	warmUpSeconds  float64 // its part until its step warmUp was started
	evaluationPace evaluationPace
}

// train makes the remaining steps and evaluations; a run that was stopped during an evaluation repeats it first.
func (s *session) train(ctx context.Context) error {
	for s.at.Step < s.steps || s.at.Row.Steps > 0 {
		if ctx.Err() != nil {
			return s.stop(ctx)
		}
		if err := s.trainUntilEvaluation(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil && !s.evaluated.due(s.at.Step) {
			return s.stop(ctx)
		}
		if err := s.evaluate(ctx); err != nil {
			return s.orStop(ctx, err)
		}
	}
	return s.orStop(ctx, s.testBest(ctx))
}

// orStop stops the run if err comes from the cancelled context.
func (s *session) orStop(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return s.stop(ctx)
	}
	return err
}

// trainUntilEvaluation takes steps until the next evaluation is due or the context is cancelled.
func (s *session) trainUntilEvaluation(ctx context.Context) error {
	if s.at.Row.Steps > 0 && s.evaluated.due(s.at.Step) {
		return nil // the run was stopped during the evaluation
	}
	s.pipeline.clock = time.Now()
	for first := true; (first || !s.evaluated.due(s.at.Step)) && ctx.Err() == nil; first = false {
		if err := s.follow(s.at.Step); err != nil {
			return err
		}
		if err := s.pipeline.start(s.batches.At(s.at.Step)); err != nil {
			return err
		}
		s.at.Step++
		s.spend()
		s.report("training", nil)
	}
	err := s.pipeline.finish()
	s.spend()
	return err
}

// follow sets the learning rate and the survival probabilities as their schedules say for a step.
func (s *session) follow(step int64) error {
	if err := s.net.SetLearningRate(s.learningRate(step)); err != nil {
		return err
	}
	survival := s.batches.Survival(step)
	if slices.Equal(survival, s.survival) {
		return nil
	}
	s.survival = survival
	return s.net.SetSurvival(survival)
}

// count adds the outcome of a step to the row in progress.
func (s *session) count(o network.Outcome) error {
	if !isFinite(o.Loss) {
		return s.diverged(fmt.Sprintf("the loss became %g", o.Loss))
	}
	s.at.Row.add(o)
	return nil
}

// spend counts the time since the pipeline's last lap as training.
func (s *session) spend() {
	seconds := s.pipeline.lap()
	s.at.Seconds += seconds
	s.trainSeconds += seconds
}

func (s *session) learningRate(step int64) float64 {
	return s.schedule.At(step, s.batches.PerEpoch())
}

// stop saves a checkpoint in the middle of an epoch, if there is none of this step.
func (s *session) stop(ctx context.Context) error {
	if err := s.writer.Check(); err != nil { // another machine may have taken over the run
		return err
	}
	if s.at.Step != s.saved.Step || s.at.Row != s.saved.Row {
		if err := s.refuseBroken(); err != nil {
			return err
		}
		if err := s.checkpoints.save(s.net.Model, s.at); err != nil {
			return err
		}
	}
	why := ""
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		why = " " + cause.Error()
	}
	return fmt.Errorf("%w%s at step %d of %d: start the same command again to go on", ErrStopped, why, s.at.Step, s.steps)
}

// diverged is the error of a run whose loss or variables are no longer finite.
func (s *session) diverged(what string) error {
	kept := "no checkpoint was made yet"
	if dir, p, err := s.checkpoints.read(Last); err == nil && dir != "" {
		kept = fmt.Sprintf("the last good checkpoint is kept, of step %d", p.Step)
	}
	return fmt.Errorf("the run %w: %s after step %d; %s; try a lower learning rate, or a warm-up, in a new run",
		ErrDiverged, what, s.at.Step, kept)
}

// report calls OnProgress.
func (s *session) report(phase string, row *runs.Row) {
	if s.OnProgress == nil {
		return
	}
	perEpoch := s.batches.PerEpoch()
	p := Progress{Phase: phase, Epoch: min(int(s.at.Step/perEpoch)+1, s.net.Recipe.Epochs), Epochs: s.net.Recipe.Epochs,
		Step: s.at.Step, Steps: s.steps, Blocks: len(s.net.Network.Survival),
		Loss: s.at.Row.meanLoss(), Error: s.at.Row.errorPercent(), Open: s.at.Row.meanOpen(), Row: row}
	if row != nil {
		p.Epoch, p.Loss, p.Error, p.Open = int(math.Ceil(row.Epoch)), row.TrainLoss, row.TrainError, row.OpenBlocksMean
	}
	done := s.at.Step - s.firstStep
	if done == warmUp && s.warmUpSeconds == 0 {
		s.warmUpSeconds = s.trainSeconds
	}
	if seconds := s.trainSeconds - s.warmUpSeconds; done > warmUp && seconds > 0.5 { // earlier values would be noise
		p.StepsPerSecond = float64(done-warmUp) / seconds
		left := float64(s.steps - s.at.Step)
		p.Remaining = time.Duration((left/p.StepsPerSecond + left/s.stepsBetween()*s.evaluationSeconds()) * float64(time.Second))
	}
	s.OnProgress(p)
}

// warmUp is the number of first steps that do not count for the speed: the first touches memory for the first time, and has
// ended when the second was started.
const warmUp = 2

// stepsBetween is the number of steps between two evaluations.
func (s *session) stepsBetween() float64 {
	return float64(cmp.Or(int64(s.net.Recipe.EvaluateEvery), s.batches.PerEpoch()))
}

// evaluationSeconds estimates what an evaluation takes, averaged over those with the test images and those without; 0 if
// it is not known yet.
func (s *session) evaluationSeconds() float64 {
	tests := 1 / float64(max(1, s.net.Recipe.TestEvery))
	return s.evaluationPace.seconds(float64(s.net.Data.Validation.Len()) + tests*float64(s.net.Data.Test.Len()))
}

// MaxDevices is the largest number of devices that a run may ask for; whether the machine has them is checked later.
const MaxDevices = 1024

// check returns the checked recipe, or an error of one sentence, before anything takes memory.
func (o Options) check() (none recipes.Checked, err error) {
	if o.MaxTime < 0 {
		return none, fmt.Errorf("the time limit %s is negative: give one such as 90m, or none", o.MaxTime)
	}
	if err := say.CheckRange("the number of devices", o.Devices, 0, MaxDevices); err != nil {
		return none, err
	}
	return o.Recipe.Check()
}
