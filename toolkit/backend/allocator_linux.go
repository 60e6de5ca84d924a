package backend

import (
	"os"
	"syscall"
)

const tunablesEnv = "GLIBC_TUNABLES"

// tunables make glibc's malloc keep what XLA frees, in huge pages, for the next step. By default it
// gives every large buffer back to the kernel and takes it again page by page: 15 % of a training
// step of the 20-layer network.
const tunables = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456:glibc.malloc.arena_max=1"

// TuneAllocator sets up the C library's memory allocator for training on the CPU. The library reads
// its settings once, when a program starts, so the program starts itself again with them: call this
// first in main. It does nothing where GLIBC_TUNABLES is set already, and on systems other than Linux.
func TuneAllocator() {
	if _, set := os.LookupEnv(tunablesEnv); set {
		return
	}
	program, err := os.Executable()
	if err != nil {
		return
	}
	// On success this does not return; on failure the program just goes on untuned.
	_ = syscall.Exec(program, os.Args, append(os.Environ(), tunablesEnv+"="+tunables))
}
