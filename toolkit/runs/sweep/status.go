package sweep

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// State is how far a job is.
type State string

// The states of a job.
const (
	Done    State = "done"    // trained to its end
	Running State = "running" // a process writes the run now, on this machine or another
	Stopped State = "stopped" // begun and not done: it goes on where it was
	Failed  State = "failed"  // ended in an error; started again on demand only
	Pending State = "left"    // not begun
	Changed State = "changed" // the run folder holds another recipe than the sweep file now gives
)

// States lists the states in the order in which they are reported.
var States = []State{Done, Running, Stopped, Failed, Changed, Pending}

// Status is a job and how far it is.
type Status struct {
	Job
	State State
	Run   *runs.Run // nil before the run has begun
	Why   string    // what failed, or what changed
}

// Part is the part of the job that is done, in 0..1.
func (s Status) Part() float64 {
	switch {
	case s.State == Done:
		return 1
	case s.Run == nil:
		return 0
	}
	return min(1, s.Run.EpochsDone()/float64(s.Recipe.Epochs))
}

// Status reads from the run folders below root how far every job of the sweep is.
func (s *Sweep) Status(root string) []Status {
	list := make([]Status, len(s.Jobs))
	for i, job := range s.Jobs {
		list[i] = statusOf(job, root)
	}
	return list
}

func statusOf(job Job, root string) Status {
	status := Status{Job: job, State: Pending}
	dir := job.dir(root)
	failure := readFailure(dir)
	run, err := runs.Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if failure != "" {
			status.State, status.Why = Failed, failure
		}
		return status
	case err != nil:
		status.State, status.Why = Failed, err.Error()
		return status
	}
	run.Name = runs.Begun(root, job.Name)
	status.Run = run
	if differences := recipes.Differences(run.Recipe, job.Recipe); len(differences) > 0 {
		status.State, status.Why = Changed, strings.Join(differences, "; ")
		return status
	}
	switch ended := run.Status(); {
	case run.Finished(): // even while another process checks this
		status.State = Done
	case ended == "running":
		status.State = Running
	case ended == "diverged":
		status.State, status.Why = Failed, firstLine(run.Result.Message)
	case failure != "":
		status.State, status.Why = Failed, failure
	default:
		status.State = Stopped
	}
	return status
}

// Count counts the jobs of each state.
func Count(list []Status) map[State]int {
	counts := make(map[State]int)
	for _, status := range list {
		counts[status.State]++
	}
	return counts
}

// Summary says in a line how far the jobs are: "12 runs: 3 done, 1 running, 8 left".
func Summary(list []Status) string {
	counts := Count(list)
	var parts []string
	for _, state := range States {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	return fmt.Sprintf("%d runs: %s", len(list), strings.Join(parts, ", "))
}

// TimeRemaining estimates how long this many workers will take for the jobs that are not done, from the training time of
// those that have begun. It is false while none has begun. Failed and changed jobs are not counted.
func TimeRemaining(list []Status, workers int) (time.Duration, bool) {
	var seconds, done, remaining float64
	for _, status := range list {
		w, part := weight(status.Recipe), status.Part()
		if part > 0 && status.State != Changed {
			spent := status.Run.Seconds()
			if r := status.Run.Result; r != nil && r.Completed {
				spent = max(spent, r.WallSeconds) // with compilation and evaluations
			}
			seconds += spent
			done += w * part
		}
		if status.State != Failed && status.State != Changed {
			remaining += w * (1 - part)
		}
	}
	if done == 0 {
		return 0, remaining == 0
	}
	return time.Duration(seconds / done * remaining / float64(max(1, workers)) * float64(time.Second)), true
}

// weight is roughly proportional to the time that a run takes: pixels of all images times blocks computed, where what is not a
// block counts as two.
func weight(r recipes.Recipe) float64 {
	set, _ := dataset.Find(r.Dataset) // a valid recipe names one
	open, _ := blocksComputed(r)
	image := r.Image()
	return float64(r.Epochs) * float64(cmp.Or(r.TrainImages, set.Train, 1)*image.Height*image.Width) * (2 + open)
}

// failureFile, in a run folder, says why the run failed when it was last tried.
const failureFile = "failed.json"

// failure is the content of failureFile.
type failure struct {
	Message string    `json:"message"`
	Host    string    `json:"host"`
	Time    time.Time `json:"time"`
}

func writeFailure(dir, message string) error {
	host, _ := os.Hostname()
	data, err := json.MarshalIndent(failure{message, host, time.Now().UTC().Truncate(time.Second)}, "", "  ")
	if err != nil {
		return err
	}
	return files.Make(filepath.Join(dir, failureFile), append(data, '\n'))
}

// readFailure returns why the run failed, or "".
func readFailure(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, failureFile))
	if err != nil {
		return ""
	}
	var f failure
	if json.Unmarshal(data, &f) != nil || f.Message == "" {
		return "for an unknown reason"
	}
	return firstLine(f.Message)
}

// firstLine returns the part of an error for which a table has room; the file has all of it.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if r := []rune(line); len(r) > 300 {
		line = string(r[:300]) + " ..."
	}
	return line
}

func clearFailure(dir string) { os.Remove(filepath.Join(dir, failureFile)) }

// WritePlan writes a line for each job, with its time and memory if there are estimates, and in total what is left.
// workers is this machine's default number of workers.
func WritePlan(w io.Writer, list []Status, estimates []Estimate, workers int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var remaining time.Duration
	var memory int64
	fmt.Fprint(table, "index\tname\tstate")
	if estimates != nil {
		fmt.Fprint(table, "\ttime\tmemory")
	}
	fmt.Fprintln(table)
	for i, status := range list {
		fmt.Fprintf(table, "%d\t%s\t%s", status.Index, status.Name, status.State)
		if estimates != nil {
			e := estimates[i]
			fmt.Fprintf(table, "\t%s\t%.1f GB", e.Time.Round(time.Second), float64(e.Memory)/1e9)
			remaining += time.Duration(float64(e.Time) * (1 - status.Part()))
			memory = max(memory, e.Memory)
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, Summary(list))
	if err == nil && estimates != nil {
		_, err = fmt.Fprintf(w, "The remaining runs take about %s, one at a time with the whole machine; "+
			"up to %.1f GB of memory per worker. By default this machine has %d.\n",
			remaining.Round(time.Second), float64(memory)/1e9, workers)
	}
	return err
}

// WriteStatus writes a line for each job, how far it is and why not farther, and in total what is left.
func WriteStatus(w io.Writer, list []Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "index\tname\tstate\tepochs\t")
	for _, status := range list {
		epochs := fmt.Sprintf("%.4g/%d", status.Part()*float64(status.Recipe.Epochs), status.Recipe.Epochs)
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", status.Index, status.Name, status.State, epochs, say.Shown(status.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	summary, running := Summary(list), Count(list)[Running]
	if remaining, ok := TimeRemaining(list, running); ok && remaining > 0 {
		summary += fmt.Sprintf("; about %s left with %d at a time", remaining.Round(time.Second), max(1, running))
	}
	_, err := fmt.Fprintln(w, summary)
	return err
}
