// Package doctor checks whether an installation has what training and notebooks
// need, and says what to do about each thing that is missing.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/kernels"
)

// ErrUnfit is what [Run] returns when something is missing that training needs.
var ErrUnfit = errors.New("this installation cannot train: see the lines marked MISSING above")

// The marks of a line of the report.
const (
	ok      = "ok"
	missing = "MISSING" // training needs it
	absent  = "absent"  // only the notebooks need it
	note    = "note"
)

// report writes a line for each check, and remembers whether one failed.
type report struct {
	ctx    context.Context
	w      io.Writer
	failed bool
}

// check writes the name of a check before it runs it: if a plugin crashes the
// whole program, the last line says where. The function find returns what it
// found; its error says what is wrong and what to do.
func (r *report) check(name, mark string, find func() (string, error)) bool {
	if r.ctx.Err() != nil {
		return false
	}
	fmt.Fprintf(r.w, "  %-12s ", name)
	found, err := find()
	if err == nil {
		fmt.Fprintf(r.w, "%-8s %s\n", ok, found)
		return true
	}
	fmt.Fprintf(r.w, "%-8s %v\n", mark, err)
	r.failed = r.failed || mark == missing
	return false
}

// Run checks everything and writes a line about each check to w: its name, "ok"
// or another mark, and what was found or what to do. It returns [ErrUnfit] if
// this installation cannot train; needs of the notebooks alone do not count.
func Run(ctx context.Context, w io.Writer) error {
	r := &report{ctx: ctx, w: w}
	fmt.Fprintln(w, "Training:")
	r.check("Go", missing, goVersion)
	r.check("Project", missing, project.Root)
	r.training()
	if root, err := project.Root(); err == nil {
		fmt.Fprintln(w, "Notebooks:")
		r.notebooks(root)
	}
	if packs, bytes := packed(); packs > 0 {
		fmt.Fprintln(w, "Pictures:")
		r.check("Packed", note, func() (string, error) {
			return fmt.Sprintf("%d file%s of %.1f MB in all in %s: delete those that you no longer need; they can be made again",
				packs, say.Plural(packs), float64(bytes)/1e6, short(picturesCache())), nil
		})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.failed:
		return ErrUnfit
	}
	fmt.Fprintln(w, "This installation can train.")
	return nil
}

func picturesCache() string { return filepath.Join(dataset.DefaultRoot(), pictures.Packs) }

// packed returns the number and the size of the files with packed folders of pictures, one for each size of images.
func packed() (packs int, bytes int64) {
	files, _ := filepath.Glob(filepath.Join(picturesCache(), "*.pack"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			packs, bytes = packs+1, bytes+info.Size()
		}
	}
	return packs, bytes
}

func goVersion() (string, error) {
	return fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), nil
}

// training follows the plugin from its file to a result. Each step needs the
// previous one, so the first failure ends it.
func (r *report) training() {
	var plugin backend.Plugin
	if !r.check("Plugin", missing, func() (_ string, err error) {
		plugin, err = backend.Find()
		return fmt.Sprintf("%s, %s: %s", cmp.Or(plugin.Kind, "of unknown kind"), plugin.Source, short(plugin.Path)), err
	}) {
		return
	}
	if plugin.Kind != backend.CUDA && backend.HasGPU() {
		r.check("GPU", note, func() (string, error) {
			return "", errors.New("an NVIDIA GPU is here, but is not used: `make setup PLUGIN=cuda13` installs what it needs")
		})
	}
	if plugin.Kind == backend.ROCm {
		r.check("GPU", note, func() (string, error) {
			return "", errors.New("AMD's ROCm has never been tried with this toolkit: " +
				"compare its numbers with those of GOMLX_BACKEND=xla:cpu")
		})
	}
	var b compute.Backend
	if !r.check("PJRT", missing, func() (_ string, err error) {
		if b, err = backend.OpenPlugin(plugin); err != nil {
			return "", err
		}
		return "version " + backend.Describe(b).PJRT, nil
	}) {
		return
	}
	defer b.Finalize()
	r.check("Devices", missing, func() (string, error) {
		devices := backend.Describe(b).Devices
		if len(devices) == 0 {
			return "", errors.New("the plugin opens no device: check the driver, or set GOMLX_BACKEND=xla:cpu")
		}
		return fmt.Sprintf("%d: %s", len(devices), strings.Join(devices, ", ")), nil
	})
	if plugin.Kind == backend.CPU {
		r.check("Kernels", note, func() (string, error) {
			if err := proxy.Install(plugin.Path); err != nil {
				return "", fmt.Errorf("none, so XLA computes everything, two to four times slower: %w", err)
			}
			if kernels.Tiles() {
				return proxy.Processor(plugin.Path) + ", and AMX for --dtype bf16-products", nil
			}
			return proxy.Processor(plugin.Path), nil
		})
	}
	r.check("Computation", missing, func() (string, error) { return compile(b) })
}

// short returns a path in the project's folder, or in the home folder, relative to it.
func short(path string) string {
	if root, err := project.Root(); err == nil {
		if relative, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(relative) {
			return relative
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		if relative, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(relative) {
			return filepath.Join("~", relative)
		}
	}
	return path
}

// compile compiles and runs a small convolution, the operation that takes most
// of the time of training (on a GPU it needs cuDNN too), and checks the result:
// a 3x3 kernel of ones on a 4x4 image of ones counts the pixels around each
// pixel, 4 at a corner, 6 at an edge, 9 inside; in all 4*4 + 8*6 + 4*9 = 100.
func compile(b compute.Backend) (string, error) {
	defer proxy.KeepIn(proxy.KeepIn("")) // an executable from an earlier start would not test the compiler
	start := time.Now()
	exec, err := graph.NewExec(b, func(image, kernel *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Convolve(image, kernel).PadSame().Done())
	})
	if err != nil {
		return "", fmt.Errorf("XLA does not take a small program: %w", err)
	}
	defer exec.Finalize()
	results, err := exec.Call(
		[][][][]float32{{{{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}, {{1}, {1}, {1}, {1}}}},
		[][][][]float32{{{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}})
	if err != nil {
		if advice := backend.Explain(err); advice != err {
			return "", fmt.Errorf("a small convolution does not run: %w", advice)
		}
		return "", fmt.Errorf("a small convolution does not run; `make clean setup` installs the plugin again: %w", err)
	}
	if sum := results[0].Value(); sum != float32(100) {
		return "", fmt.Errorf("a small convolution gives %v instead of 100: this plugin and this device do not work together", sum)
	}
	return fmt.Sprintf("a convolution compiled and gave the right result in %.2f s", time.Since(start).Seconds()), nil
}
