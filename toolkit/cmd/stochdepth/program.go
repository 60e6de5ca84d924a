package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/bench"
	"stochdepth/toolkit/network/bench/measure"
)

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
