package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/pjrt"

	"stochdepth/toolkit/internal/project"
)

// Environment is the variable that names the plugin, in GoMLX's own form: "xla:/path/plugin.so",
// "xla:cuda,preallocate=true", "xla:cpu".
const Environment = "GOMLX_BACKEND"

// The kinds of plugin that [Find] distinguishes.
const (
	CPU  = "cpu"
	CUDA = "cuda"
	ROCm = "rocm" // for AMD GPUs: found, but never tried here
)

// ErrNoPlugin is wrapped by every error of [Find] and [Open] that means: no PJRT plugin is installed where we look.
var ErrNoPlugin = errors.New("no PJRT plugin is installed")

// Plugin is a PJRT plugin, a shared library that contains XLA's compiler and the code that drives a device.
type Plugin struct {
	Path    string // absolute path of the shared library
	Kind    string // CPU, CUDA, ROCm, or the name that go-xla gives to another kind
	Source  string // why it was chosen: "named by GOMLX_BACKEND", ...
	Options string // GoMLX's options after the path, such as "preallocate=true"; often ""
}

// Find chooses the PJRT plugin, without loading it. In this order:
//
//  1. the one that GOMLX_BACKEND names ("xla:cpu", "xla:cuda" and "xla:rocm"
//     name a kind, which is looked for in the places below);
//  2. the one that `make setup` put into the project's .venv;
//  3. go-xla's own installation (PJRT_PLUGIN_LIBRARY_PATH, ~/.local/lib/go-xla,
//     /usr/local/lib/go-xla).
//
// If there are several, CUDA's comes first on a machine with an NVIDIA GPU, and is ignored on one without; ROCm's is used
// only if GOMLX_BACKEND asks for it. Nothing is ever downloaded.
func Find() (Plugin, error) {
	config := strings.TrimSpace(os.Getenv(Environment))
	if config == "" {
		return search("")
	}
	name, rest, _ := strings.Cut(config, ":")
	if !slices.Contains([]string{"xla", "stablehlo", "shlo", "hlo"}, name) {
		return Plugin{}, fmt.Errorf("%s=%q names a backend that this toolkit cannot train on: "+
			"unset it, or set it to xla:cpu, xla:cuda or xla:/path/to/plugin.so", Environment, config)
	}
	wanted, options, _ := strings.Cut(rest, ",")
	if !strings.ContainsRune(wanted, filepath.Separator) {
		plugin, err := search(wanted)
		if err != nil {
			return Plugin{}, err
		}
		if wanted != "" {
			plugin.Source += ", as " + Environment + " asks for " + wanted
		}
		plugin.Options = options
		return plugin, nil
	}
	file, err := filepath.Abs(wanted)
	if err != nil {
		return Plugin{}, fmt.Errorf("%s=%q: %w", Environment, config, err)
	}
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return Plugin{}, fmt.Errorf("%s names %s, but there is no such file: "+
			"correct it, or unset it to use the plugin that `make setup` installs", Environment, file)
	}
	return Plugin{Path: file, Kind: kindOf(file), Source: "named by " + Environment, Options: options}, nil
}

// search returns the best plugin of the kind wanted, or of any kind for "".
func search(wanted string) (Plugin, error) {
	candidates := append(inVirtualEnvironment(), installedByGoXLA()...)
	gpu := hasGPU()
	rank := func(p Plugin) int {
		switch {
		case p.Kind == CUDA && gpu:
			return 0
		case p.Kind == CPU:
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(candidates, func(a, b Plugin) int { return rank(a) - rank(b) })
	for _, plugin := range candidates {
		// CUDA's plugin without a GPU is used only if asked for by name, and so is ROCm's, which is untried.
		if wanted == plugin.Kind || wanted == "" && (gpu || plugin.Kind != CUDA) && plugin.Kind != ROCm {
			return plugin, nil
		}
	}
	if _, err := project.Root(); err != nil { // .venv was not searched
		return Plugin{}, fmt.Errorf("%w in go-xla's folders, and %w", ErrNoPlugin, err)
	}
	switch {
	case wanted == CUDA:
		return Plugin{}, fmt.Errorf("%w for NVIDIA GPUs: run `make setup PLUGIN=cuda13` in the project's folder", ErrNoPlugin)
	case wanted == ROCm:
		return Plugin{}, fmt.Errorf("%w for AMD GPUs, and `make setup` has none: set %s=xla:/path/to/xla_rocm_plugin.so, "+
			"a file of AMD's packages of JAX for ROCm", ErrNoPlugin, Environment)
	case wanted != "" && wanted != CPU:
		return Plugin{}, fmt.Errorf("%w of the name %q: set %s to xla:cpu, xla:cuda or xla:/path/to/plugin.so",
			ErrNoPlugin, wanted, Environment)
	case slices.ContainsFunc(candidates, func(p Plugin) bool { return p.Kind == ROCm }):
		return Plugin{}, fmt.Errorf("%w except ROCm's, which has never been tried with this toolkit: run `make setup` in the "+
			"project's folder, or set %s=xla:rocm to try it", ErrNoPlugin, Environment)
	case len(candidates) > 0:
		return Plugin{}, fmt.Errorf("%w for the CPU, and this machine shows no NVIDIA GPU: run `make setup` in the project's folder",
			ErrNoPlugin)
	}
	return Plugin{}, fmt.Errorf("%w: run `make setup` in the project's folder, or set %s=xla:/path/to/plugin.so",
		ErrNoPlugin, Environment)
}

// inVirtualEnvironment lists the plugins that pip installed into the project's .venv. Python packages keep them in
// xla_plugins or jax_plugins.
func inVirtualEnvironment() []Plugin {
	root, err := project.Root()
	if err != nil {
		return nil
	}
	var plugins []Plugin
	for _, packages := range []string{"xla_plugins", "jax_plugins"} {
		// The pattern is below the root, whose own path may contain a pattern's characters.
		pattern := path.Join(".venv/lib/python3*/site-packages", packages, "*/*.so")
		matches, _ := fs.Glob(os.DirFS(root), pattern)
		for _, match := range matches {
			file := filepath.Join(root, filepath.FromSlash(match))
			if kind := kindOf(file); kind != "" {
				plugins = append(plugins, Plugin{Path: file, Kind: kind, Source: "in the project's .venv"})
			}
		}
	}
	return plugins
}

// installedByGoXLA lists the plugins of go-xla's own installer.
func installedByGoXLA() []Plugin {
	var plugins []Plugin
	available := pjrt.AvailablePlugins()
	for _, name := range slices.Sorted(maps.Keys(available)) {
		file := available[name]
		if !filepath.IsAbs(file) { // linked into this program
			continue
		}
		kind, _, _ := strings.Cut(name, "_v") // "cpu_v0.83.1" is a version of "cpu"
		plugins = append(plugins, Plugin{Path: file, Kind: kind, Source: "in go-xla's installation"})
	}
	return plugins
}

// kindOf tells the kind from the name of the file, or else of its folder (xla_cuda13_pjrt/xla_gpu_pjrt.so), but not from
// folders above: a project may well lie in one called "cuda".
func kindOf(file string) string {
	for _, name := range []string{filepath.Base(file), filepath.Base(filepath.Dir(file))} {
		switch name = strings.ToLower(name); {
		case strings.Contains(name, "cuda"), strings.Contains(name, "nvidia"):
			return CUDA
		case strings.Contains(name, "rocm"):
			return ROCm
		case strings.Contains(name, "cpu"):
			return CPU
		}
	}
	return ""
}

// HasGPU reports whether this machine has an NVIDIA GPU that is not hidden from programs.
func HasGPU() bool { return hasGPU() }

// hasGPU is replaced in tests.
var hasGPU = func() bool {
	if visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set && (visible == "" || visible == "-1") {
		return false
	}
	if devices, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(devices) > 0 {
		return true
	}
	// Under WSL there are no such device files.
	output, err := exec.Command("nvidia-smi", "-L").Output()
	return err == nil && strings.Contains(string(output), "GPU 0")
}
