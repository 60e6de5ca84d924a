package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	_ "embed"
)

// SlurmOptions say what a task of the job array gets. Zero values leave a choice to the cluster.
type SlurmOptions struct {
	Command  []string // this program
	Root     string   // the project's folder
	Runs     string   // folder of the run folders, shared by all machines
	DataRoot string   // folder of the data sets' files
	Logs     string   // file of each task's output, with Slurm's %A and %a

	Partition string
	Time      time.Duration // limit of a task; it stops at a checkpoint before, and is requeued
	CPUs      int
	Memory    string // "8G"
	GPUs      int
	AtOnce    int      // of each array
	ArraySize int      // Slurm's MaxArraySize: the indices of an array are below it; 0: DefaultArraySize
	Extra     []string // further options of sbatch
}

// DefaultArraySize is Slurm's own MaxArraySize.
const DefaultArraySize = 1001

//go:embed slurm.sbatch
var slurmScript string

var slurmTemplate = template.Must(template.New("slurm").Funcs(template.FuncMap{"quote": Quote}).Parse(slurmScript))

// stopBefore is how long before its time limit a task stops at a checkpoint.
const stopBefore = 2 * time.Minute

// Slurm writes the batch scripts of job arrays with a task for each job that is not done: one script, or more where the
// sweep has more jobs than an array may have.
func (s *Sweep) Slurm(o SlurmOptions) (scripts []string, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o, err = o.absolute(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return nil, err
	}
	command, err := o.task(path)
	if err != nil {
		return nil, err
	}
	size := cmp.Or(o.ArraySize, DefaultArraySize)
	arrays := make([][]int, (len(s.Jobs)+size-1)/size) // the tasks of each: indices of jobs minus i*size
	left := 0
	for _, status := range s.Status(o.Runs) {
		switch status.State {
		case Done:
		case Changed:
			return nil, fmt.Errorf("the run %s is there with another recipe (%s; the run's value first): "+
				"give the sweep another name, or remove the run folder", status.Name, status.Why)
		default:
			i := status.Index / size
			arrays[i] = append(arrays[i], status.Index-i*size)
			left++
		}
	}
	if left == 0 {
		return nil, errors.New("all runs of the sweep are done")
	}
	for i, tasks := range arrays {
		if len(tasks) == 0 {
			continue
		}
		array := ranges(tasks)
		if o.AtOnce > 0 {
			array += "%" + strconv.Itoa(o.AtOnce)
		}
		var script strings.Builder
		if err := slurmTemplate.Execute(&script, map[string]any{"Sweep": s, "Array": array, "Offset": i * size, "Options": o,
			"Minutes": int(math.Ceil(o.Time.Minutes())), "Command": command}); err != nil {
			return nil, err
		}
		scripts = append(scripts, script.String())
	}
	return scripts, nil
}

// task is the command line of a task, without its index.
func (o SlurmOptions) task(path string) ([]string, error) {
	if err := checkLasting(o.Command); err != nil {
		return nil, err
	}
	words := append(slices.Clone(o.Command), "sweep", "task", path, "--runs", o.Runs)
	if o.DataRoot != "" {
		words = append(words, "--data-root", o.DataRoot)
	}
	switch {
	case o.Time < 0:
		return nil, fmt.Errorf("--time %s is negative: give a time such as 2h, or leave it out", o.Time)
	case o.Time > 2*stopBefore:
		words = append(words, "--max-time", (o.Time - stopBefore).String())
	case o.Time > 0:
		return nil, fmt.Errorf("a time limit of %s is too short for a task to start and stop in: give it 5m at least", o.Time)
	}
	return words, nil
}

// absolute makes the paths in a script absolute: it may be submitted in another folder.
func (o SlurmOptions) absolute() (_ SlurmOptions, err error) {
	for _, path := range []*string{&o.Runs, &o.DataRoot, &o.Logs} {
		if *path == "" { // the program's own choice
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return o, err
		}
	}
	return o, nil
}

// checkLasting refuses the program of a `go run`, which deletes it at its end.
func checkLasting(command []string) error {
	for _, word := range command {
		if strings.Contains(filepath.ToSlash(word), "/go-build") { // of its temporary folders, and of its cache
			return errors.New("the program of `go run` is gone when the tasks start: " +
				"build it first: go build -o .bin/stochdepth ./toolkit/cmd/stochdepth")
		}
	}
	return nil
}

var slurmTime = regexp.MustCompile(`^(?:(\d{1,5})-)?(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?$`)

// ParseTime reads a time limit: Go's 90m and 2h30m, or in Slurm's forms minutes, minutes:seconds, hours:minutes:seconds,
// days-hours, days-hours:minutes or days-hours:minutes:seconds.
func ParseTime(text string) (time.Duration, error) {
	if t, err := time.ParseDuration(text); err == nil {
		return t, nil
	}
	parts := slurmTime.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is no time: give one such as 90m or 2h, or as Slurm has it, 90, 2:00:00 or 1-12:00", text)
	}
	units := []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	if parts[1] == "" && parts[4] == "" { // minutes, or minutes and seconds
		units = []time.Duration{0, time.Minute, time.Second, 0}
	}
	var t time.Duration
	for i, unit := range units {
		n, _ := strconv.Atoi(cmp.Or(parts[i+1], "0"))
		t += time.Duration(n) * unit
	}
	return t, nil
}

// ranges writes ascending numbers as Slurm does: 0-3,7.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		part := strconv.Itoa(numbers[i])
		if last > i {
			part += "-" + strconv.Itoa(numbers[last])
		}
		parts = append(parts, part)
		i = last + 1
	}
	return strings.Join(parts, ",")
}

// quote makes a text one word of a shell.
// Quote is a text as one word of a shell.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// ArraySize asks this machine's Slurm for its MaxArraySize. It is false where there is no Slurm to ask.
func ArraySize(ctx context.Context) (size int, known bool) {
	out, err := exec.CommandContext(ctx, "scontrol", "show", "config").Output()
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(out)) {
		if key, value, _ := strings.Cut(line, "="); strings.TrimSpace(key) == "MaxArraySize" {
			size, err := strconv.Atoi(strings.TrimSpace(value))
			return size, err == nil
		}
	}
	return 0, false
}

var submitted = regexp.MustCompile(`Submitted batch job (\d+)`)

// Submit hands a script to Slurm and returns its answer, "Submitted batch job 5". If after is the answer for another
// script, the tasks start when all tasks of that one have ended.
func Submit(ctx context.Context, path, after string) (string, error) {
	arguments := []string{path}
	if job := submitted.FindStringSubmatch(after); job != nil {
		arguments = []string{"--dependency=afterany:" + job[1], path}
	}
	out, err := exec.CommandContext(ctx, "sbatch", arguments...).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no sbatch on this machine: submit %s on one that has Slurm, "+
			"or use `stochdepth sweep run` here", path)
	case err != nil:
		return "", fmt.Errorf("sbatch refused %s: %s", path, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
