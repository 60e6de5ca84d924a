package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/bench/measure"
	"stochdepth/toolkit/runs/recipes"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Time training steps: by depth, death rate, open blocks; beside other frameworks",
		Long: `Time training steps of networks of several depths: forward, backward and update of a minibatch.

Each measurement is a separate process, so its memory is measured separately too. With --rounds above 1 the
measurements take turns and the medians are reported, which is fair if the machine's speed drifts. With --peers
the same network in PyTorch and JAX takes its turns too, from the same weights, with the same minibatch and the
same gates in each step, on the GPU if our own steps run there, and in the same types: float32, tf32 and
bfloat16. All must compute the same loss, which is checked. Peers called "masked" or "mask" compute closed
blocks too and multiply them by 0, in one compiled program; they take minutes to compile, and are not timed
unless --peer names them. On a GPU name them: there they should be the fastest.`,
		Args: cobra.NoArgs,
	}
	f, p, s := cmd.Flags(), bench.Plan{}, measure.Session{Progress: os.Stderr}
	f.StringSliceVar(&p.Blocks, "block", []string{depth.Basic}, "kinds of blocks: "+strings.Join(depth.Named(), ", "))
	f.IntSliceVar(&p.Layers, "layers", []int{20, 110}, "depths: 6N+2; bottleneck 9N+2; transformer: its blocks")
	f.IntSliceVar(&p.Residual, "residual-blocks", nil,
		"depths as numbers of residual blocks, the same for all kinds, instead of --layers")
	f.StringSliceVar(&p.Networks, "network", nil, "networks for ImageNet, instead of --layers and --block: "+
		strings.Join(recipes.Networks(), ", "))
	f.IntSliceVar(&p.ImageSizes, "image-size", []int{32}, "sides of the images, in pixels")
	f.IntSliceVar(&p.Batches, "batch", []int{128}, "images in a minibatch")
	f.StringSliceVar(&p.DTypes, "dtype", []string{"float32"}, "float32, tf32 (NVIDIA GPUs), bf16-products (CPUs), bfloat16 or float64")
	f.StringSliceVar(&p.Forms, "form", []string{"survivors"}, "survivors or resnet")
	f.Float64SliceVar(&p.DeathRates, "death-rate", []float64{0, 0.5}, "1 - p_L of the linear rule; gates are drawn as in training")
	f.BoolVar(&p.Open, "open", false, "also with 0, 1/4, 1/2, 3/4 and all blocks open in every step")
	f.BoolVar(&p.Recompute, "recompute", false, "also with the blocks' convolutions computed again for the gradient")
	f.BoolVar(&p.Evaluate, "evaluation", false, "also time the evaluation of images, at the first death rate")
	f.IntVar(&p.Steps, "steps", 16, "steps to time; with drawn gates a multiple of 8, after which the draws repeat")
	peers := f.Bool("peers", false, "time PyTorch and JAX too, of which JAX has neither --network nor --block (make bench-peers installs them)")
	f.StringSliceVar(&p.Peers, "peer", bench.PeersByDefault, "which of them to time: "+strings.Join(bench.PeerModes, ", "))
	f.StringVar(&s.Python, "python", inProject(".venv-peers", "bin", "python"), "Python with torch and jax, for --peers")
	f.IntVar(&s.Rounds, "rounds", 1, "how often each measurement is taken, all in turn")
	f.BoolVar(&s.Peak, "peak", true, "also time a product of large matrices, as a reference for the speed of the steps")
	out := f.String("out", "", "write the measurements to this file, in the format of data/bench")
	format := f.String("format", "table", "table or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := say.CheckRange("--rounds", s.Rounds, 1, 1000); err != nil {
			return err
		}
		if *format != "table" && *format != "json" {
			return fmt.Errorf("--format %q is unknown: use table or json", *format)
		}
		for _, other := range []string{"layers", "residual-blocks", "block"} {
			if f.Changed("network") && f.Changed(other) {
				return fmt.Errorf("--network and --%s both say which networks to time: leave one of them out", other)
			}
		}
		if !*peers {
			p.Peers = nil
		}
		if s.Step, err = self("bench", "step"); err != nil {
			return err
		}
		record, err := s.Record(cmd.Context(), p)
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

func benchStepCommand() *cobra.Command {
	return answering("step", "Take the measurement described on standard input", "bench",
		func(ctx context.Context, spec bench.Spec) (taken bench.Taken, err error) {
			b, err := backend.Open()
			if err != nil {
				return taken, err
			}
			return measure.Step(ctx, b, spec)
		})
}

// answering is a hidden command that the command parent starts: it reads a question in JSON from its standard input, and
// writes the answer to its standard output, as [sweep.Ask] expects.
func answering[Question, Answer any](use, short, parent string,
	answer func(context.Context, Question) (Answer, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var question Question
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&question); err != nil {
				return fmt.Errorf("this is started by `stochdepth %s`: %w", parent, err)
			}
			result, err := answer(cmd.Context(), question)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
		},
	}
}

func programCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "program FILE",
		Short: "Write the program that XLA compiles for a training step, as StableHLO text",
		Long: `Write the program that XLA compiles for a training step, or for an evaluation, as StableHLO text: to read it, or
to compile it for a device that this machine does not have (make gpu-check).`,
		Example: "  stochdepth program step.mlir --layers 110 --target cuda",
		Args:    cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	s := bench.Spec{Form: "survivors", DeathRate: 0.5, Steps: 1}
	f.StringVar(&s.Block, "block", depth.Basic, "kind of blocks: "+strings.Join(depth.Named(), ", "))
	f.IntVar(&s.Layers, "layers", 20, "depth: 6N+2; bottleneck 9N+2; transformer: its blocks")
	f.IntVar(&s.Batch, "batch", 128, "images in a minibatch")
	f.StringVar(&s.DType, "dtype", "float32", "float32, bfloat16 or float64")
	f.StringVar(&s.Form, "form", s.Form, "survivors or resnet")
	f.BoolVar(&s.Recompute, "recompute", false, "compute the blocks' convolutions again for the gradient")
	target := f.String("target", backend.CPU, "kind of device to write the program for: cpu or cuda")
	devices := f.Int("devices", 1, "devices that share the minibatch")
	evaluation := f.Bool("evaluation", false, "write an evaluation instead of a training step")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *target != backend.CPU && *target != backend.CUDA {
			return fmt.Errorf("--target %q is unknown: use cpu or cuda", *target)
		}
		if err := files.Check(args[0]); err != nil {
			return err
		}
		b, err := backend.Open()
		if err != nil {
			return err
		}
		text, err := measure.Program(b, s, *target, *devices, *evaluation)
		if err != nil {
			return err
		}
		return files.Write(args[0], []byte(text))
	}
	return cmd
}
