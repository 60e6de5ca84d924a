package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// ExitStopped is the exit status of a process whose work should be started again, EX_TEMPFAIL of sysexits.h. By it the
// engines that start tasks distinguish a stop from a failure.
const ExitStopped = 75

// ExitCode is the exit status of a process for an error: [ExitStopped] for [ErrStopped], else 1.
func ExitCode(err error) int {
	if errors.Is(err, ErrStopped) {
		return ExitStopped
	}
	return 1
}

// TaskIndex returns the index of a cluster task's job: given or, if that is empty, the one in the environment, from Slurm
// (SLURM_ARRAY_TASK_ID) or Kubernetes (JOB_COMPLETION_INDEX). An index that the sweep does not have is an error.
func (s *Sweep) TaskIndex(given string) (int, error) {
	for _, text := range []string{given, os.Getenv("SLURM_ARRAY_TASK_ID"), os.Getenv("JOB_COMPLETION_INDEX")} {
		if text == "" {
			continue
		}
		index, err := strconv.Atoi(text)
		if err != nil || index < 0 || index >= len(s.Jobs) {
			return 0, fmt.Errorf("the index %q is not one of this sweep's: they are 0 to %d", text, len(s.Jobs)-1)
		}
		return index, nil
	}
	return 0, errors.New("which run? Give its index, or set SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX")
}

// lockPatience is how often a task asks for a run that another process writes. A dead machine's run is free after a
// minute.
var lockPatience = 5 * time.Second

// reportEvery is how often a task's log says how far it is.
const reportEvery = 30 * time.Second

// Task makes one job's run, as a task of Slurm or Kubernetes does, and says in the log how far it is. Of the options it
// uses the folders of runs and data only. It waits for a run that another process writes; a run with another recipe is an
// error. If the run was stopped at a checkpoint, the error is [ErrStopped], wrapped.
func (s *Sweep) Task(ctx context.Context, o Options, index int, log io.Writer, train Trainer) error {
	job := s.Jobs[index]
	order := o.order(job)
	if status := statusOf(job, o.Runs); status.State == Changed {
		return fmt.Errorf("the sweep file has changed: the run %s is there with another recipe (%s; the run's value first)",
			job.Name, status.Why)
	}
	say := func(text string) { fmt.Fprintf(log, "%s %s: %s\n", time.Now().Format(time.DateTime), job.Name, text) }
	say("starting")
	var last time.Time
	for {
		end := train(ctx, order, func(r Report) {
			if time.Since(last) > reportEvery {
				say(r.Text)
				last = time.Now()
			}
		})
		say(string(end.End) + ", " + end.Message)
		if err := Record(order.Dir, end); err != nil {
			return err
		}
		switch end.End {
		case Finished:
			return nil
		case Interrupt:
			return fmt.Errorf("%s: %w", job.Name, ErrStopped)
		case Error:
			return fmt.Errorf("%s: %s", job.Name, end.Message)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w while it waited", job.Name, ErrStopped)
		case <-time.After(lockPatience):
		}
	}
}
