package sweep

import (
	"os"
	"os/exec"
	"runtime"
	"strings"

	"stochdepth/toolkit/internal/files"
)

// Machine is what this machine offers to workers.
type Machine struct {
	CPUs   []int    // usable processors; nil if they cannot be chosen here
	Cores  int      // number of processors to share
	Memory int64    // free, bytes; 0 if unknown
	GPUs   []string // CUDA's numbers of the devices to be used; nil: train on the CPU
}

// ThisMachine describes this machine, with NVIDIA's devices if gpus is true.
func ThisMachine(gpus bool) Machine {
	m := Machine{CPUs: usableCPUs(), Memory: files.FreeMemory()}
	m.Cores = min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // the second knows a container's limit
	if gpus {
		m.GPUs = listGPUs(os.Getenv("CUDA_VISIBLE_DEVICES"))
	}
	return m
}

// memoryPerWorker is the memory of one run on a CPU, with a margin: at a minibatch of 128, 20 layers take 0.6 GB and 110
// take 1.3; the images of SVHN take another 1.9.
const memoryPerWorker = 3 << 30

// DefaultWorkers is one worker for each GPU. On a CPU with few cores it is one, since a single run uses them well; with
// many cores it is one for every four, as far as memory allows.
func (m Machine) DefaultWorkers() int {
	if len(m.GPUs) > 0 {
		return len(m.GPUs)
	}
	workers := 1
	if m.Cores > 8 {
		workers = m.Cores / 4
	}
	if m.Memory > 0 {
		workers = min(workers, int(m.Memory/memoryPerWorker))
	}
	return max(1, workers)
}

// Slots divides the machine among workers: each gets a GPU in turn and its own share of the processors. With more workers
// than processors none is bound to a share.
func (m Machine) Slots(workers int) []Slot {
	slots := make([]Slot, workers)
	for i := range slots {
		if n := len(m.GPUs); n > 0 {
			slots[i].GPU = m.GPUs[i%n]
		}
		if n := len(m.CPUs); workers > 1 && n >= workers {
			slots[i].CPUs = m.CPUs[i*n/workers : (i+1)*n/workers]
		}
	}
	return slots
}

func listGPUs(visible string) []string {
	if visible != "" {
		return strings.Split(visible, ",")
	}
	out, err := exec.Command("nvidia-smi", "--query-gpu=index", "--format=csv,noheader").Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}
