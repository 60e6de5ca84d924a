package sweep

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// Order is what a worker reads from its standard input, one line of JSON. The input then stays open: a worker whose input
// ends has lost the process that started it, and stops at a checkpoint.
type Order struct {
	Name     string         `json:"name"`
	Dir      string         `json:"dir"` // the run folder
	Recipe   recipes.Recipe `json:"recipe"`
	DataRoot string         `json:"data_root"`
}

// Report is a line of JSON that a worker writes to its standard output: how far it is or, at last, how it ended.
type Report struct {
	Phase     string        `json:"phase,omitempty"` // compiling, training, evaluating
	Step      int64         `json:"step"`            // done
	Steps     int64         `json:"steps"`           // of the whole run
	Text      string        `json:"text,omitempty"`  // the state in a few words
	Remaining time.Duration `json:"left,omitempty"`  // of the run, estimated

	End     Ending `json:"end,omitempty"`
	Message string `json:"message,omitempty"` // why it ended so, or its result
}

// Ending is how a worker's work on a run ended.
type Ending string

// The ways in which it may end.
const (
	Finished  Ending = "finished"
	Interrupt Ending = "stopped"   // at a checkpoint, to go on later
	Elsewhere Ending = "elsewhere" // another process writes the run
	Error     Ending = "failed"
)

// Trainer carries out an order: it makes the run, or goes on with it, reports how far it is, and returns how it ended.
// When the context ends it stops at a checkpoint. Package worker has the one that really trains.
type Trainer func(ctx context.Context, order Order, report func(Report)) Report

// Work does the work of a worker: it reads an order from in and has train carry it out. The reports of train go to out,
// the last of them how it ended.
func Work(ctx context.Context, in io.Reader, out io.Writer, train Trainer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return errors.New("a worker is started by `stochdepth sweep run`, which tells it what to train")
	}
	var order Order
	if err := json.Unmarshal(line, &order); err != nil {
		return fmt.Errorf("the worker did not understand its order: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, lines)
		cancel()
	}()
	encoder := json.NewEncoder(out)
	var last time.Time
	end := train(ctx, order, func(r Report) {
		if time.Since(last) >= 100*time.Millisecond { // steps may be faster than anyone reads
			encoder.Encode(r)
			last = time.Now()
		}
	})
	return encoder.Encode(end)
}

// Slot is the part of a machine that a worker may use.
type Slot struct {
	CPUs []int  // processors; empty: all
	GPU  string // CUDA's number of the device; "": whatever the environment says
}

// start runs a worker's process in the slot for one order, passes on its reports, and returns how it ended. When ctx
// ends the worker is asked to stop at a checkpoint; when kill ends it is killed.
func (slot Slot) start(ctx, kill context.Context, command []string, order Order, report func(Report)) Report {
	failed := func(err error) Report {
		if ctx.Err() != nil { // before the worker started
			return Report{End: Interrupt, Message: "stopped before it began"}
		}
		return Report{End: Error, Message: err.Error()}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	ownGroup(cmd)
	if slot.GPU != "" {
		cmd.Env = append(os.Environ(), "CUDA_VISIBLE_DEVICES="+slot.GPU)
	}
	errorText := &reason{}
	cmd.Stderr = errorText
	input, err := cmd.StdinPipe()
	if err != nil {
		return failed(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return failed(err)
	}
	if err := startOn(cmd, slot.CPUs); err != nil {
		return failed(fmt.Errorf("the worker did not start: %w", err))
	}
	defer context.AfterFunc(kill, func() { cmd.Process.Kill() })()
	if data, err := json.Marshal(order); err == nil {
		input.Write(append(data, '\n'))
	}

	var end Report
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var r Report
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // output of a library, perhaps
		}
		if r.End != "" {
			end = r
		} else {
			report(r)
		}
	}
	input.Close()
	err = cmd.Wait()
	switch {
	case end.End != "":
		return end
	case ctx.Err() != nil:
		return Report{End: Interrupt, Message: "ended at once: its last checkpoint, if there is one, is kept"}
	}
	return Report{End: Error, Message: crash(cmd.ProcessState, err, errorText.String())}
}

// crash says why a worker ended without saying so itself.
func crash(state *os.ProcessState, err error, errorText string) string {
	var why string
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		why = "the worker was killed, which the system does when memory runs out"
	case ok && status.Signaled():
		why = "the worker crashed: " + status.Signal().String()
	case err != nil:
		why = "the worker ended with " + err.Error()
	default:
		why = "the worker ended without a result"
	}
	if errorText = strings.TrimSpace(errorText); errorText != "" {
		why += ": " + errorText
	}
	return why
}

// reason keeps the line of a process's standard error that says why it ended: the first line of a crash of Go or C++,
// which its trace follows, or else the last line.
type reason struct{ line, crash, last string }

var crashes = regexp.MustCompile(`^(panic: |fatal error: |SIG[A-Z]+: |F\d{4} |terminate called )`)

func (r *reason) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		r.line += line
		r.line = r.line[:min(len(r.line), 1000)]
		if strings.HasSuffix(line, "\n") {
			r.end()
		}
	}
	return len(p), nil
}

// end ends a line.
func (r *reason) end() {
	if line := strings.TrimSpace(r.line); line != "" {
		r.last = line
		if r.crash == "" && crashes.MatchString(line) {
			r.crash = line
		}
	}
	r.line = ""
}

func (r *reason) String() string {
	r.end()
	return cmp.Or(r.crash, r.last)
}

// Record notes in the run folder why a run failed, or that it no longer does. [Sweep.Run] does this for its workers.
func Record(dir string, end Report) error {
	run, err := runs.Open(dir)
	switch finished := err == nil && run.Finished(); { // even if the worker was killed before it could say so
	case finished, end.End == Finished:
		clearFailure(dir)
	case end.End == Error:
		return writeFailure(dir, end.Message)
	}
	return nil
}

// order is the order for a job.
func (o Options) order(job Job) Order {
	return Order{Name: job.Name, Dir: job.dir(o.Runs), Recipe: job.Recipe, DataRoot: o.DataRoot}
}
