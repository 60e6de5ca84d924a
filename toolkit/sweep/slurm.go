package sweep

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
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
	AtOnce    int
	Extra     []string // further options of sbatch
}

//go:embed slurm.sbatch
var slurmScript string

var slurmTemplate = template.Must(template.New("slurm").Funcs(template.FuncMap{"quote": quote}).Parse(slurmScript))

// stopBefore is how long before its time limit a task stops at a checkpoint.
const stopBefore = 2 * time.Minute

// Slurm writes the batch script of a job array with a task for each job that is not done.
func (s *Sweep) Slurm(o SlurmOptions) (string, error) {
	if err := o.check(); err != nil {
		return "", err
	}
	var pending []int
	for _, status := range s.Status(o.Runs) {
		switch status.State {
		case Done:
		case Changed:
			return "", fmt.Errorf("the run %s is there with another recipe (%s; the run's value first): give the sweep another name, or remove the run folder",
				status.Name, status.Why)
		default:
			pending = append(pending, status.Index)
		}
	}
	if len(pending) == 0 {
		return "", errors.New("all runs of the sweep are done")
	}
	array := ranges(pending)
	if o.AtOnce > 0 {
		array += "%" + strconv.Itoa(o.AtOnce)
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return "", err
	}
	arguments := append(append([]string{}, o.Command...), "sweep", "task", path, "--runs", o.Runs)
	if o.DataRoot != "" {
		arguments = append(arguments, "--data-root", o.DataRoot)
	}
	switch {
	case o.Time < 0:
		return "", fmt.Errorf("--time %s is negative: give a time such as 2h, or leave it out", o.Time)
	case o.Time > 2*stopBefore:
		arguments = append(arguments, "--max-time", (o.Time - stopBefore).String())
	case o.Time > 0:
		return "", fmt.Errorf("a time limit of %s is too short for a task to start and stop in: give it 5m at least", o.Time)
	}
	var script strings.Builder
	err = slurmTemplate.Execute(&script, map[string]any{"Sweep": s, "Array": array, "Options": o,
		"Minutes": int(o.Time.Minutes()), "Arguments": arguments})
	return script.String(), err
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
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// Submit hands a script to Slurm and returns its answer, "Submitted batch job 5".
func Submit(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, "sbatch", path).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no sbatch on this machine: submit %s on one that has Slurm, or use `stochdepth sweep run` here", path)
	case err != nil:
		return "", fmt.Errorf("sbatch refused %s: %s", path, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
