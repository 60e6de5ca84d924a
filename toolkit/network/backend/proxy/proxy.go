// Package proxy stands between go-xla and XLA's plugin, which still compiles and runs the whole program. For the CPU it
// replaces what it recognises in the program to be compiled (the bodies of the loops of package byhand, by digests of
// their text, and 3x3 convolutions elsewhere) by calls of package kernels, whose functions it registers with XLA as foreign
// ones. All that the kernels do not compute stays XLA's, and so does everything on processors without AVX2, under the build
// tag nokernels, and where the environment says STOCHDEPTH_KERNELS=off. For NVIDIA GPUs XLA computes all, but of programs
// that pass through here too (precision.go). In the same place it keeps what XLA compiled for the next start.
//
// The files, from the outside in: interpose.c and interpose.go (between go-xla and the plugin), executables.go (what is
// kept), rewrite.go, loops.go, digest.go, inplace.go and precision.go (the program).
package proxy

import (
	"sync"
	"sync/atomic"

	"stochdepth/toolkit/network/kernels"
)

// installed are the plugins that were to be loaded into go-xla through interpose.c, and what came of it, by their paths.
// The lock is held while a plugin is loaded: interpose.c takes one at a time, of whatever kind.
var installed struct {
	sync.Mutex
	plugins map[string]installation
}

type installation struct {
	gpu bool
	err error
}

// install loads the plugin at path, if that was not tried before, and returns what came of it.
func install(path string, gpu bool) error {
	installed.Lock()
	defer installed.Unlock()
	if i, tried := installed.plugins[path]; tried {
		return i.err
	}
	err := interpose(path, gpu)
	if installed.plugins == nil {
		installed.plugins = make(map[string]installation)
	}
	installed.plugins[path] = installation{gpu, err}
	return err
}

// isInstalled reports whether the plugin at path is installed, for a GPU or with the kernels.
func isInstalled(path string, gpu bool) bool {
	installed.Lock()
	defer installed.Unlock()
	i, tried := installed.plugins[path]
	return tried && i.err == nil && i.gpu == gpu
}

// Install loads the CPU plugin at path into go-xla with the kernels in it. Its error says why the plugin
// has none: go-xla can load it all the same.
func Install(path string) error { return install(path, false) }

// InstallGPU loads the CUDA plugin at path into go-xla so that it compiles programs as RewriteForGPU writes
// them, and keeps what they become where KeepIn says. After an error go-xla can load it all the same.
func InstallGPU(path string) error { return install(path, true) }

// Processor is what the kernels of the plugin at path use of the processor, "AVX-512" or "AVX2", or "" if
// it has none.
func Processor(path string) string {
	if !isInstalled(path, false) {
		return ""
	}
	return kernels.Processor()
}

var replaced atomic.Int64

// Replaced counts the pieces of programs that calls of the kernels have replaced so far.
func Replaced() int { return int(replaced.Load()) }

var watching atomic.Pointer[func(program string) (compile bool)]

// Watch calls f with each program to be compiled from now on, as it was before it is changed; nil ends that. Where f
// returns false, the text is all that was wanted, and compiling it ends in an error. It is for tests.
func Watch(f func(program string) (compile bool)) {
	if f == nil {
		watching.Store(nil)
		return
	}
	watching.Store(&f)
}
