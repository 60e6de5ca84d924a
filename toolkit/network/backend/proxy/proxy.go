// Package proxy stands between go-xla and XLA's plugin, which still compiles and runs the whole program. For the CPU it
// replaces parts of the program that it recognises (the bodies of the loops of package byhand, by digests of their text,
// and 3x3 convolutions elsewhere) by calls of package kernels, whose functions it registers with XLA as foreign ones.
// XLA computes everything else, and it computes everything on processors without AVX2, under the build tag nokernels, and
// with STOCHDEPTH_KERNELS=off in the environment. For NVIDIA GPUs XLA computes everything, but the programs are changed
// here too (precision.go). The proxy also keeps the executables that XLA has compiled for the next start.
//
// The files, from the outside in: interpose.c and interpose.go (between go-xla and the plugin), executables.go (the kept
// executables), rewrite.go, loops.go, digest.go, inplace.go, columns.go and precision.go (the program).
package proxy

import (
	"sync"
	"sync/atomic"

	"stochdepth/toolkit/network/kernels"
)

// installed has, by their paths, the plugins that we tried to load into go-xla through interpose.c, with the result. The
// lock is held while a plugin is loaded: interpose.c takes only one at a time, of any kind.
var installed struct {
	sync.Mutex
	plugins map[string]installation
}

type installation struct {
	gpu bool
	err error
}

// install loads the plugin at path, unless that was tried before, and returns the error of the first time.
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

// Install loads the CPU plugin at path into go-xla, with the kernels. Its error says why the plugin has no kernels: go-xla
// can load it all the same.
func Install(path string) error { return install(path, false) }

// InstallGPU loads the CUDA plugin at path into go-xla so that it compiles programs as [RewriteForGPU] writes them, and
// keeps their executables where [KeepIn] says. After an error go-xla can load it all the same.
func InstallGPU(path string) error { return install(path, true) }

// Processor returns the instructions that the kernels of the plugin at path use, "AVX-512" or "AVX2", or "" if it has no
// kernels.
func Processor(path string) string {
	if !isInstalled(path, false) {
		return ""
	}
	return kernels.Processor()
}

var replaced atomic.Int64

// Replaced returns how many parts of programs have been replaced by calls of the kernels so far.
func Replaced() int { return int(replaced.Load()) }

var watching atomic.Pointer[func(program string) (compile bool)]

// Watch makes it call f with each program to be compiled from now on, before the program is changed; nil ends that. If f
// returns false, only the text was wanted, and compiling it ends in an error. It is for tests.
func Watch(f func(program string) (compile bool)) {
	if f == nil {
		watching.Store(nil)
		return
	}
	watching.Store(&f)
}
