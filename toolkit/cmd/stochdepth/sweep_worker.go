package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/notebook/watch"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/sweep"
	"stochdepth/toolkit/training"
)

// sweepWorkerCommand is started by `sweep run`.
func sweepWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Train one run, told on standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sweep.Work(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), func(ctx context.Context, o sweep.Order, report func(sweep.Report)) sweep.Report {
				return carryOut(ctx, o, 0, report)
			})
		},
	}
}

// compilePatience is how long a process that was told to stop before it trained goes on compiling.
const compilePatience = 3 * time.Second

// carryOut trains a run and says how that ended.
func carryOut(ctx context.Context, o sweep.Order, maxTime time.Duration, report func(sweep.Report)) sweep.Report {
	b, err := backend.Open()
	if err != nil {
		return sweep.Report{End: sweep.Error, Message: err.Error()}
	}
	var trained atomic.Bool
	defer context.AfterFunc(ctx, func() {
		time.Sleep(compilePatience)
		if !trained.Load() { // nothing is lost, and a compilation cannot be interrupted
			os.Exit(exitStopped)
		}
	})()
	run, err := training.Train(ctx, b, training.Options{Dir: o.Dir, Recipe: o.Recipe, DataRoot: o.DataRoot, MaxTime: maxTime,
		OnProgress: func(p training.Progress) {
			if p.Phase == "training" {
				trained.Store(true)
			}
			text := p.Phase
			if p.Phase == "training" && !math.IsNaN(p.Loss) { // it is before the first step
				text = fmt.Sprintf("epoch %d of %d, loss %.3f, error %.1f %%", p.Epoch, p.Epochs, p.Loss, p.Error)
			}
			report(sweep.Report{Phase: p.Phase, Step: p.Step, Steps: p.Steps, Text: text, Remaining: p.Remaining})
		}})
	var locked runs.ErrLocked
	switch {
	case err == nil:
		return sweep.Report{End: sweep.Finished, Message: watch.Result(run)}
	case errors.Is(err, training.ErrStopped):
		return sweep.Report{End: sweep.Interrupt, Message: err.Error()}
	case errors.As(err, &locked):
		return sweep.Report{End: sweep.Elsewhere, Message: err.Error()}
	}
	return sweep.Report{End: sweep.Error, Message: err.Error()}
}

// lockPatience is how often a task asks for a run that another process writes. A dead machine's run is free after a
// minute.
const lockPatience = 5 * time.Second

func sweepTaskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task NAME [INDEX]",
		Short: "Make one run of a sweep: what a cluster's task does",
		Long: `Make one run of a sweep, by its index in ` + "`sweep plan`" + `: what a task of Slurm or Kubernetes does.

Without INDEX it is that of the environment's SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX. A finished run is
left as it is; one that another process writes is waited for. The exit status is 0 when the run is done,
75 when it was stopped at a checkpoint (by a signal or --max-time) and is to be started again, else 1.`,
		Args: cobra.RangeArgs(1, 2),
	}
	read, folder := sweepFlags(cmd)
	dataRoot := dataRootFlag(cmd)
	maxTime := cmd.Flags().Duration("max-time", 0, "stop cleanly at a checkpoint after so long, as 90m or 8h")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := notNegative("--max-time", *maxTime); err != nil {
			return err
		}
		s, err := read(args[0])
		if err != nil {
			return err
		}
		index, err := taskIndex(args[1:], len(s.Jobs))
		if err != nil {
			return err
		}
		status := s.Status(*folder)[index]
		if status.State == sweep.Changed {
			return fmt.Errorf("the sweep file has changed: the run %s is there with another recipe (%s; the run's value first)", status.Name, status.Why)
		}
		order := sweep.Order{Name: status.Name, Dir: filepath.Join(*folder, status.Name), Recipe: status.Recipe, DataRoot: *dataRoot}
		return task(cmd.Context(), cmd.ErrOrStderr(), order, *maxTime)
	}
	return cmd
}

func task(ctx context.Context, log io.Writer, order sweep.Order, maxTime time.Duration) error {
	say := func(text string) { fmt.Fprintf(log, "%s %s: %s\n", time.Now().Format(time.DateTime), order.Name, text) }
	say("starting")
	var last time.Time
	for {
		end := carryOut(ctx, order, maxTime, func(r sweep.Report) {
			if time.Since(last) > 30*time.Second {
				say(r.Text)
				last = time.Now()
			}
		})
		say(string(end.End) + ", " + end.Message)
		if err := sweep.Record(order.Dir, end); err != nil {
			return err
		}
		switch end.End {
		case sweep.Finished:
			return nil
		case sweep.Interrupt:
			return fmt.Errorf("%s: %w", order.Name, sweep.ErrStopped)
		case sweep.Error:
			return fmt.Errorf("%s: %s", order.Name, end.Message)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w while it waited", order.Name, sweep.ErrStopped)
		case <-time.After(lockPatience):
		}
	}
}

// taskIndex is the index of a task's job.
func taskIndex(args []string, jobs int) (int, error) {
	text := append(args, os.Getenv("SLURM_ARRAY_TASK_ID"), os.Getenv("JOB_COMPLETION_INDEX"))
	for _, t := range text {
		if t == "" {
			continue
		}
		index, err := strconv.Atoi(t)
		if err != nil || index < 0 || index >= jobs {
			return 0, fmt.Errorf("the index %q is none of this sweep's: they are 0 to %d", t, jobs-1)
		}
		return index, nil
	}
	return 0, errors.New("which run? Give its index, or set SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX")
}

// exitStopped is the exit status of what is to be started again, as EX_TEMPFAIL of sysexits.h.
const exitStopped = 75

// exitCode is the program's exit status for an error.
func exitCode(err error) int {
	if errors.Is(err, sweep.ErrStopped) {
		return exitStopped
	}
	return 1
}

// sweepProbeCommand is started by `sweep plan`.
func sweepProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "probe",
		Short:  "Measure a few steps of a run, told on standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var order sweep.Order
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&order); err != nil {
				return fmt.Errorf("this is started by `stochdepth sweep plan`: %w", err)
			}
			probe, err := takeProbe(cmd.Context(), order)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(probe)
		},
	}
}

// probeSteps is how many steps are timed, for all blocks closed and all open each.
const probeSteps = 3

// takeProbe times training steps with every block closed and with every block open, and an evaluation.
func takeProbe(ctx context.Context, o sweep.Order) (p sweep.Probe, err error) {
	clock := time.Now()
	lap := func() float64 {
		seconds := time.Since(clock).Seconds()
		clock = time.Now()
		return seconds
	}
	b, err := backend.Open()
	if err != nil {
		return p, err
	}
	data, err := training.LoadData(o.Recipe, o.DataRoot)
	if err != nil {
		return p, err
	}
	if err := o.Recipe.CheckImages(data.Train.Len()); err != nil {
		return p, err
	}
	model, err := training.NewModel(b, o.Recipe, len(data.Classes), training.Fit(o.Recipe, data.Train))
	if err != nil {
		return p, err
	}
	p.StartSeconds = lap()
	if err := model.SetLearningRate(o.Recipe.LearningRate); err != nil {
		return p, err
	}
	blocks := len(model.Network.Survival)
	steps := func(survival depth.Survival, n int64) error {
		batches := training.NewBatches(o.Recipe, survival, data.Train)
		p.StepsPerEpoch = batches.PerEpoch()
		for step := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			wait, err := model.Step(batches.At(step % max(1, p.StepsPerEpoch-1))) // the last may be smaller
			if err != nil {
				return err
			}
			if _, err := wait(); err != nil {
				return err
			}
		}
		return nil
	}
	closed, open := depth.Uniform(blocks, 1-1e-12), depth.Constant(blocks)
	if err := steps(open, 1); err != nil { // compiles
		return p, err
	}
	first := lap()
	if err := steps(open, probeSteps); err != nil {
		return p, err
	}
	p.OpenSeconds = lap() / probeSteps
	if err := steps(closed, probeSteps); err != nil {
		return p, err
	}
	p.ClosedSeconds = lap() / probeSteps
	return p, evaluateOnce(ctx, model, data, &p, first-p.OpenSeconds)
}

// evaluateOnce times the evaluation of up to a batch of images, compilation apart, and scales it to all of them.
func evaluateOnce(ctx context.Context, model *training.Model, data *dataset.Data, p *sweep.Probe, compile float64) error {
	part := data.Test.First(500) // what is evaluated at once
	var seconds [2]float64
	for i := range seconds {
		clock := time.Now()
		if _, err := model.Evaluate(ctx, part); err != nil {
			return err
		}
		seconds[i] = time.Since(clock).Seconds()
	}
	p.CompileSeconds = compile + max(0, seconds[0]-seconds[1])
	each := seconds[1] / float64(part.Len())
	p.EvaluateSeconds, p.TestSeconds = each*float64(data.Validation.Len()), each*float64(data.Test.Len())
	return nil
}
