package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/bench"
	"stochdepth/toolkit/bench/measure"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/sweep"
	"stochdepth/toolkit/training"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Time training steps: by depth, death rate, open blocks; beside other frameworks",
		Long: `Time training steps of networks of several depths: forward, backward and update of a minibatch.

Each measurement is a process of its own, so that its memory is its own too. With --rounds above 1 the
measurements are taken in turn and the medians reported, which holds when the machine's speed drifts. With
--peers, a folder with the programs peer_torch.py and peer_jax.py that time the same network, these take
their turns too, on the GPU where our own steps run there: in float32, and PyTorch in tf32 too where --dtype
has it.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	layers := f.IntSlice("layers", []int{20, 110}, "depths, 6N+2")
	batch := f.Int("batch", 128, "images of a minibatch")
	dtypes := f.StringSlice("dtype", []string{"float32"}, "float32, tf32 (NVIDIA GPUs), bfloat16 or float64")
	forms := f.StringSlice("form", []string{"survivors"}, "survivors or resnet")
	rates := f.Float64Slice("death-rate", []float64{0, 0.5}, "1 - p_L of the linear rule; gates are drawn as in training")
	quarters := f.Bool("open", false, "also with 0, 1/4, 1/2, 3/4 and all blocks open in every step")
	recompute := f.Bool("recompute", false, "also with the blocks' convolutions computed again for the gradient")
	steps := f.Int("steps", 16, "steps to time; with gates drawn a multiple of 8, after which the draws repeat")
	rounds := f.Int("rounds", 1, "how often each measurement is taken, all in turn")
	peers := f.String("peers", "", "folder with peer_torch.py and peer_jax.py, to time beside")
	python := f.String("python", "python3", "Python with torch or jax, for --peers")
	modes := f.StringSlice("peer", []string{"torch eager", "jax cond", "jax scan"}, "what of the peers to time")
	product := f.Bool("peak", true, "time a product of large matrices too, which the rates of work are compared with")
	out := f.String("out", "", "write the measurements to this file, as data/bench has them")
	format := f.String("format", "table", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := runs.CheckRange("--rounds", *rounds, 1, 1000); err != nil {
			return err
		}
		if *format != "table" && *format != "json" {
			return fmt.Errorf("--format %q is unknown: use table or json", *format)
		}
		var tasks []timing
		for _, l := range *layers {
			for _, dtype := range *dtypes {
				for _, form := range *forms {
					spec := measure.Spec{Layers: l, Batch: *batch, DType: dtype, Form: form, Steps: *steps}
					for _, rate := range append([]float64{0}, *rates...) {
						spec.DeathRate = rate
						if err := spec.Check(); err != nil {
							return err
						}
					}
					tasks = append(tasks, tasksOf(spec, *rates, *quarters, *recompute && form == "survivors")...)
				}
			}
			if *peers != "" {
				if err := (measure.Spec{Layers: l, Batch: *batch, DType: "float32", Form: "survivors", Steps: *steps}).Check(); err != nil {
					return err
				}
				for _, mode := range *modes {
					for _, dtype := range peerTypes(mode, *dtypes) {
						for _, rate := range *rates {
							t, err := peerTask(*python, *peers, mode, dtype, l, *batch, rate, *steps)
							if err != nil {
								return err
							}
							tasks = append(tasks, t)
						}
					}
				}
			}
		}
		record, err := takeTurns(cmd.Context(), tasks, *rounds, *product)
		if err != nil {
			return err
		}
		record.Description = "stochdepth " + strings.Join(os.Args[1:], " ")
		if *out != "" {
			if err := record.Write(*out); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, *out)
		}
		if *format == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(record)
		}
		return record.Table(cmd.OutOrStdout())
	}
	cmd.AddCommand(benchStepCommand())
	return cmd
}

// timing is one measurement: what it is called, and how to take it.
type timing struct {
	name string
	take func(ctx context.Context) (bench.Measurement, error)
}

func tasksOf(spec measure.Spec, rates []float64, quarters, recompute bool) (tasks []timing) {
	add := func(spec measure.Spec) {
		open := fmt.Sprintf("death rate %g", spec.DeathRate)
		if spec.Fixed {
			open = fmt.Sprintf("%d blocks open", spec.Open)
		}
		tasks = append(tasks, timing{fmt.Sprintf("%s, %d layers, %s, %s", spec.Form, spec.Layers, spec.DType, open), func(ctx context.Context) (bench.Measurement, error) {
			return stepInProcess(ctx, spec)
		}})
	}
	for _, rate := range rates {
		spec.DeathRate = rate
		add(spec)
		if recompute {
			again := spec
			again.Recompute = true
			add(again)
		}
	}
	if quarters {
		spec.DeathRate, spec.Fixed = 0, true
		blocks := (spec.Layers - 2) / 2
		for i := range 5 {
			spec.Open = (blocks*i + 2) / 4
			add(spec)
		}
	}
	return tasks
}

// takeTurns takes all measurements so many times, one after the other, and joins those of each; and that of a product
// of matrices if asked to.
func takeTurns(ctx context.Context, tasks []timing, rounds int, product bool) (*bench.Record, error) {
	b, err := backend.Open()
	if err != nil {
		return nil, err
	}
	info := backend.Describe(b)
	var peak float64
	if product {
		peak, err = measure.Peak(b)
	}
	b.Finalize()
	if err != nil {
		return nil, fmt.Errorf("cannot time a matrix product: %w", err)
	}
	record := &bench.Record{
		Date: time.Now().UTC().Format(time.RFC3339), Commit: training.Commit(), Machine: training.Machine(),
		Device: strings.Join(info.Devices[:min(1, len(info.Devices))], ""), PeakGFLOPS: peak,
		Versions: map[string]string{"pjrt": info.PJRT, "kernels": info.Kernels},
	}
	taken := make([][]bench.Measurement, len(tasks))
	for round := range rounds {
		for i, t := range tasks {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			m, err := t.take(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			taken[i] = append(taken[i], m)
			fmt.Fprintf(os.Stderr, "%d/%d %s: %.0f ms\n", round*len(tasks)+i+1, rounds*len(tasks), t.name, m.StepMS)
		}
	}
	for _, m := range taken {
		record.Results = append(record.Results, bench.Join(m))
	}
	return record, nil
}

// stepInProcess takes one measurement in a process of its own.
func stepInProcess(ctx context.Context, spec measure.Spec) (m bench.Measurement, err error) {
	command, err := self("bench", "step")
	if err != nil {
		return m, err
	}
	_, err = sweep.Ask(ctx, command, spec, &m)
	return m, err
}

func benchStepCommand() *cobra.Command {
	return &cobra.Command{
		Use: "step", Short: "Take one measurement, told on standard input", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var spec measure.Spec
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&spec); err != nil {
				return fmt.Errorf("this is started by `stochdepth bench`: %w", err)
			}
			b, err := backend.Open()
			if err != nil {
				return err
			}
			m, err := measure.Step(b, spec)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(m)
		},
	}
}

// peerTypes are the types of numbers in which a peer is timed beside ours: float32, and tf32, which peer_jax.py has not.
func peerTypes(mode string, ours []string) (types []string) {
	tf32 := slices.Contains(ours, "tf32") && strings.HasPrefix(mode, "torch")
	if !tf32 || slices.Contains(ours, "float32") {
		types = append(types, "float32")
	}
	if tf32 {
		types = append(types, "tf32")
	}
	return types
}

// peerTask runs a program that times the same network in another framework and prints a line of JSON.
func peerTask(python, folder, mode, dtype string, layers, batch int, rate float64, steps int) (timing, error) {
	framework, form, _ := strings.Cut(mode, " ")
	program := map[string]string{"torch": "peer_torch.py", "jax": "peer_jax.py"}[framework]
	if program == "" || form == "" {
		return timing{}, fmt.Errorf("--peer %q is unknown: say torch or jax and one of its modes, as \"torch eager\"", mode)
	}
	path := filepath.Join(folder, program)
	if _, err := os.Stat(path); err != nil {
		return timing{}, fmt.Errorf("--peers: there is no %s: name the folder that has it", path)
	}
	args := []string{path, "--n", fmt.Sprint((layers - 2) / 6), "--batch", fmt.Sprint(batch), "--death-rate", fmt.Sprint(rate),
		"--steps", fmt.Sprint(steps), "--draws", fmt.Sprint(measure.Draws), "--mode", form, "--malloc", "tuned"}
	if framework == "torch" {
		args = append(args, "--memory-format", "channels_last")
	} else {
		args = append(args, "--conv", "canonical", "--save", "conv")
	}
	if plugin, err := backend.Find(); err == nil && plugin.Kind == backend.CUDA {
		args = append(args, "--device", "cuda")
	}
	return timing{fmt.Sprintf("%s, %d layers, %s, death rate %g", mode, layers, dtype, rate), func(ctx context.Context) (bench.Measurement, error) {
		cmd := exec.CommandContext(ctx, python, args...)
		cmd.Env = peerEnvironment(dtype)
		out, err := cmd.Output()
		if err != nil {
			return bench.Measurement{}, fmt.Errorf("%s does not run with %s: %w", path, python, err)
		}
		return peerMeasurement(out, framework, form, dtype)
	}}, nil
}

// peerEnvironment is a peer's environment. By default PyTorch's convolutions are in TF32, which NVIDIA's libraries leave
// where a variable says so.
func peerEnvironment(dtype string) []string {
	const tf32 = "NVIDIA_TF32_OVERRIDE="
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, tf32) })
	if dtype != "tf32" {
		environment = append(environment, tf32+"0")
	}
	return environment
}

func peerMeasurement(out []byte, framework, form, dtype string) (bench.Measurement, error) {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var p struct {
		Depth, Batch, Steps int
		Blocks              int
		DeathRate           float64                            `json:"death_rate"`
		Open                float64                            `json:"blocks_open_mean"`
		Step                struct{ Median, Min, Max float64 } `json:"ms_per_step"`
		Compile             float64                            `json:"compile_s"`
		Peak                float64                            `json:"peak_rss_mb"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &p); err != nil {
		return bench.Measurement{}, fmt.Errorf("the peer printed no measurement: %w", err)
	}
	if framework == "torch" {
		framework = "pytorch"
	}
	return bench.Measurement{System: framework, Mode: form, DType: dtype, Layers: p.Depth, Batch: p.Batch,
		DeathRate: p.DeathRate, Blocks: p.Blocks, Open: p.Open, Steps: p.Steps,
		StepMS: p.Step.Median, LowMS: p.Step.Min, HighMS: p.Step.Max, CompileS: p.Compile, PeakMB: p.Peak}, nil
}
