// Package backend finds and opens the PJRT plugin, the part of XLA that compiles and runs GoMLX's graphs on a device: the
// CPU, or an NVIDIA GPU through CUDA.
//
// A program needs only
//
//	backend, err := backend.Open()
//
// wherever in the project it is started: [Find] says where the plugin comes from, and the errors say what to run if there
// is none.
package backend

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"k8s.io/klog/v2"

	"stochdepth/toolkit/network/backend/internal/allocator"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/kernels"
)

// Open finds the plugin as [Find] does, loads it and opens its device. The error is one sentence that says what to do.
// Opening twice gives two clients of the same plugin.
func Open() (compute.Backend, error) {
	plugin, err := Find()
	if err != nil {
		return nil, err
	}
	return OpenPlugin(plugin)
}

// OpenPlugin loads one plugin, such as [Find] returns, and opens its device.
func OpenPlugin(plugin Plugin) (compute.Backend, error) {
	if strings.Contains(plugin.Path, ",") {
		return nil, fmt.Errorf("the PJRT plugin %s cannot be opened, because GoMLX takes a comma in its path "+
			"for the beginning of an option: move the folder to a path without commas", plugin.Path)
	}
	choice, err := kernels.Choice()
	if err != nil {
		return nil, err
	}
	if choice != "off" {
		allocator.Start()
	}
	quietLogs()
	var libraries []string
	switch plugin.Kind {
	case CUDA:
		libraries = prepareCUDA(plugin)
	case CPU:
		_ = proxy.Install(plugin.Path) // without the kernels XLA computes everything, slower
	}
	proxy.KeepIn(cacheFolder("executables"))
	b, err := xla.New(plugin.Path + "," + plugin.options())
	if err != nil {
		if withAdvice := Explain(err); plugin.Kind == CUDA && withAdvice != err {
			return nil, fmt.Errorf("the PJRT plugin %s does not open (%s): %w", plugin.Path, plugin.Source, withAdvice)
		}
		advice := "if it should, `make clean setup` installs it again"
		if plugin.Kind == ROCm {
			advice = "rocminfo tells whether ROCm finds an AMD GPU here, and " + onCPU
		}
		return nil, fmt.Errorf("the PJRT plugin %s does not open (%s): %s: %w", plugin.Path, plugin.Source, advice, firstLine(err))
	}
	if plugin.Kind == CUDA {
		proxy.SetDevice(plugin.Path, deviceAndDriver(Describe(b).Devices, libraries))
	}
	return b, nil
}

// options returns GoMLX's options for the plugin. GoMLX guesses from the whole path whether the device shares the memory of
// the host, and a folder's name may mislead it: so we say it, unless the user did. Products are computed in full
// precision; for convolutions the program says so.
func (p Plugin) options() string {
	options := p.Options
	if p.Kind == CUDA && !strings.Contains(options, "tf32") {
		options += ",notf32"
	}
	if !strings.Contains(options, "shared_buffers") {
		if p.Kind == CPU {
			options += ",shared_buffers"
		} else {
			options += ",noshared_buffers"
		}
	}
	return strings.TrimPrefix(options, ",")
}

// Info describes an open backend, for result.json and for doctor.
type Info struct {
	Plugin  string   `json:"plugin"`  // file name of the plugin, "xla_cpu_pjrt.so"
	Kind    string   `json:"kind"`    // CPU, CUDA or ROCm, "" if unknown
	PJRT    string   `json:"pjrt"`    // version of PJRT's C interface, "0.81"
	Kernels string   `json:"kernels"` // instructions that package kernels uses, "AVX-512" or "AVX2", "" if XLA computes all
	Devices []string `json:"devices"` // PJRT's description of each device, for a GPU after its model: "NVIDIA H200 (cuda:0)"
}

// Describe says what the backend runs on. For a backend that is not XLA's only Plugin is set, to the backend's name.
func Describe(b compute.Backend) Info {
	x, ok := b.(*xla.Backend)
	if !ok {
		return Info{Plugin: b.Name()}
	}
	info := Info{Plugin: filepath.Base(x.PluginName()), Kind: KindOf(b), Kernels: proxy.Processor(x.PluginName())}
	if plugin, err := pjrt.GetPlugin(x.PluginName()); err == nil { // loaded already: go-xla keeps it
		major, minor := plugin.Version()
		info.PJRT = fmt.Sprintf("%d.%d", major, minor)
	}
	for device := range x.NumDevices() {
		description, _, _ := strings.Cut(x.DeviceDescription(compute.DeviceNum(device)), " [processId=")
		info.Devices = append(info.Devices, description)
	}
	if info.Kind == CUDA {
		nameGPUs(info.Devices)
	}
	return info
}

// KindOf returns the kind of device that a backend runs on, CPU, CUDA or ROCm, or "" if it is not known.
func KindOf(b compute.Backend) string {
	x, ok := b.(*xla.Backend)
	if !ok {
		return ""
	}
	return kindOf(x.PluginName())
}

// quietLogs discards the libraries' notices and warnings: what concerns the user is returned as an error. (go-xla itself
// sets TF_CPP_MIN_LOG_LEVEL, which quiets the plugin; set it yourself to hear more.)
var quietLogs = sync.OnceFunc(func() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false") // otherwise the last line has no effect
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
})

// firstLine keeps the first line of an error: C++ errors continue with a stack trace that helps nobody here.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(strings.TrimLeft(strings.TrimPrefix(line, `backend "xla":`), ": "))
}
