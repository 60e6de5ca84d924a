package bench

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/runs/sweep"
)

// programs are the peers' programs: the same network and step in other frameworks, one file for each.
//
//go:embed peers/*.py
var programs embed.FS

// Peer is another framework's program for the same training step, in one of its modes.
type Peer struct {
	System string // pytorch or jax
	Mode   string // one of the program's modes
}

// PeerModes lists the texts that [ParsePeer] takes.
var PeerModes = []string{"torch eager", "torch eager channels_last", "torch compile", "torch compile channels_last",
	"torch compile masked", "torch compile masked channels_last", "jax cond", "jax scan", "jax mask"}

// PeersByDefault are usually the fastest on a CPU; which layout of PyTorch is faster depends on the network and the machine.
// On a GPU it should be those that compute closed blocks and mask them, which take long to compile: name them there.
var PeersByDefault = []string{"torch eager", "torch eager channels_last", "jax cond", "jax scan"}

// ParsePeer returns the peer that a text, one of [PeerModes], names.
func ParsePeer(text string) (*Peer, error) {
	if !slices.Contains(PeerModes, text) {
		return nil, fmt.Errorf("--peer %q is unknown: say one of %s", text, strings.Join(PeerModes, ", "))
	}
	system, mode, _ := strings.Cut(text, " ")
	if system == "torch" {
		system = "pytorch"
	}
	return &Peer{System: system, Mode: mode}, nil
}

// Masks reports whether the peer computes closed blocks too and multiplies their branches by 0. Their running averages of batch
// normalisation then move as well, so that its evaluations differ from ours, while its losses in training do not.
func (p *Peer) Masks() bool { return strings.Contains(p.Mode, "mask") }

// peersDTypes lists the types of numbers in which peers are timed, given those of our own network: the same, or float32 if it
// has none that they have.
func peersDTypes(ours []string) (types []string) {
	for _, dtype := range []string{"float32", "tf32", "bfloat16"} {
		if slices.Contains(ours, dtype) {
			types = append(types, dtype)
		}
	}
	if len(types) == 0 {
		return []string{"float32"}
	}
	return types
}

// question is the input of a peer's program.
type question struct {
	Start        string  `json:"start"` // the file with weights, minibatch and gates, see measure.WriteStart
	Untimed      int     `json:"untimed"`
	Losses       int     `json:"losses"`
	Mode         string  `json:"mode"`
	Device       string  `json:"device"` // cpu or cuda
	DType        string  `json:"dtype"`  // float32, tf32 or bfloat16
	LearningRate float64 `json:"learning_rate"`
	Momentum     float64 `json:"momentum"`
	WeightDecay  float64 `json:"weight_decay"`
	Images       int     `json:"evaluation_images"`
	Evaluations  int     `json:"evaluations"`
}

// Runner starts the peers' programs.
type Runner struct {
	Python string // an interpreter that has the frameworks
	Folder string // for the programs' files
	Device string // cpu or cuda
}

// Take makes a peer take the steps of a case, in a process of its own. start is the file that measure.WriteStart wrote.
func (r Runner) Take(ctx context.Context, c Case, start string) (taken Taken, err error) {
	name := c.Peer.System + "_steps.py"
	source, err := programs.ReadFile("peers/" + name)
	if err != nil {
		return taken, err
	}
	program := filepath.Join(r.Folder, name)
	if err := os.WriteFile(program, source, 0o644); err != nil {
		return taken, err
	}
	recipe, err := c.Recipe()
	if err != nil {
		return taken, err
	}
	ask := question{Start: start, Untimed: Untimed, Losses: Losses, Mode: c.Peer.Mode, Device: r.Device, DType: c.DType,
		LearningRate: recipe.LearningRate, Momentum: recipe.Momentum, WeightDecay: recipe.WeightDecay}
	if c.Evaluate {
		ask.Images, ask.Evaluations = EvaluationImages, Evaluations
	}
	if _, err = sweep.Ask(ctx, append(peerEnvironment(c.DType), r.Python, program), ask, &taken); err != nil {
		return taken, fmt.Errorf("%s did not take the steps (make bench-peers installs what it needs; "+
			"--python names another Python): %w", r.Python, err)
	}
	return taken, nil
}

// peerEnvironment is the beginning of a command that sets a peer's environment.
//
// GLIBC_TUNABLES makes the C library keep freed memory instead of giving it back to the system, page by page, in each step.
// Without this both frameworks are slower. In our program backend/internal/allocator does the same.
//
// By default PyTorch's convolutions are in TF32 on NVIDIA GPUs, which NVIDIA's libraries leave where a variable says so.
func peerEnvironment(dtype string) []string {
	const allocator = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456"
	command := []string{"env", "-u", "NVIDIA_TF32_OVERRIDE", allocator}
	if dtype != "tf32" {
		command = append(command, "NVIDIA_TF32_OVERRIDE=0")
	}
	return command
}
