package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"stochdepth/toolkit/network/kernels"
)

// causes are the errors of XLA that a user can do something about, by words in their texts.
var causes = []struct {
	words  *regexp.Regexp
	advice func() string
}{
	{regexp.MustCompile(`PJRT error \(code=8\)|RESOURCE_EXHAUSTED|[Oo]ut of memory|_OUT_OF_MEMORY|_STATUS_ALLOC_FAILED`), memory},
	{regexp.MustCompile(`driver version is insufficient|UNSUPPORTED_PTX_VERSION|unsupported toolchain|older than the PTX compiler|` +
		`no kernel image`), oldDriver},
	{regexp.MustCompile(`libcuda\.so|UNKNOWN ERROR \(303\)|` +
		`CUDA_ERROR_(STUB_LIBRARY|SYSTEM_NOT_READY|SYSTEM_DRIVER_MISMATCH|UNKNOWN)\b`), driver},
	{regexp.MustCompile(`no supported devices found|No visible GPU devices|CUDA_ERROR_(NO|INVALID)_DEVICE|` +
		`no CUDA-capable device`), noDevice},
	{regexp.MustCompile(`DNN library|(CUDNN|CUBLAS)_STATUS_|` +
		`lib(cudart|cublas|cudnn|cufft|cusolver|cusparse|cupti|nccl|nvrtc|nvJitLink|nvshmem)\w*\.so|` +
		`PTX compilation provider|ptxas|libdevice|nvlink`), libraries},
}

// Explain puts a sentence that says what the user can do before an error of XLA's about the device, its driver, its
// libraries or its memory. The error of a kernel is such a sentence already. Any other error it returns as it is.
func Explain(err error) error {
	if err == nil || errors.As(err, new(*explained)) {
		return err
	}
	if sentence := kernels.Explain(err); sentence != err {
		return sentence
	}
	for _, c := range causes {
		if c.words.MatchString(err.Error()) {
			return &explained{c.advice(), err}
		}
	}
	return err
}

// explained is an error with advice.
type explained struct {
	advice string
	cause  error
}

func (e *explained) Error() string {
	text := e.cause.Error()
	if at := strings.LastIndex(text, pjrtError); at >= 0 { // the text before it comes from go-xla's layers
		text = text[at+len(pjrtError):]
		_, text, _ = strings.Cut(text, ": ")
	}
	return fmt.Sprintf("%s (XLA: %s)", e.advice, strings.TrimRight(firstLine(errors.New(text)).Error(), ". "))
}

func (e *explained) Unwrap() error { return e.cause }

// pjrtError begins go-xla's text of an error of PJRT.
const pjrtError = "PJRT error (code="

func memory() string {
	return "the device has too little memory: take a smaller minibatch (--batch-size), or --set recompute=true; " +
		"nvidia-smi shows what other programs hold of a GPU"
}

func driver() string {
	return "NVIDIA's driver does not answer: install it, or restart the machine after an update, until nvidia-smi lists " +
		"the GPU; " + onCPU
}

func oldDriver() string {
	return fmt.Sprintf("NVIDIA's driver%s is older than the plugin's CUDA: update it (CUDA 13 needs 580 or later); %s",
		strings.TrimRight(" "+driverVersion(), " "), onCPU)
}

func libraries() string {
	return "NVIDIA's libraries (cuDNN, cuBLAS, ptxas) are missing, do not start or belong to another CUDA: " +
		"`make setup PLUGIN=cuda13 FORCE=1` installs them again, and nvidia-smi shows whether the GPU has memory left; " + onCPU
}

func noDevice() string {
	visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	number, _, _ := strings.Cut(driverVersion(), ".")
	major, err := strconv.Atoi(number)
	switch {
	case set:
		return fmt.Sprintf("the plugin sees no NVIDIA GPU: CUDA_VISIBLE_DEVICES=%s hides all of them, or names one that "+
			"nvidia-smi does not list; %s", visible, onCPU)
	case err != nil:
		return driver()
	case major < 580:
		return oldDriver()
	}
	return "the plugin sees no NVIDIA GPU: check by nvidia-smi that this machine, or container, has one that is not in use; " + onCPU
}

const onCPU = Environment + "=xla:cpu computes on the CPU"

var driverPattern = regexp.MustCompile(`Kernel Module\s.*?\b(\d{3,4}(\.\d+)+)\b`)

// driverVersion returns the version of NVIDIA's driver, such as "580.65.06", or "". Tests replace it.
var driverVersion = func() string {
	text, _ := os.ReadFile(filepath.Join(driverFolder, "version"))
	if m := driverPattern.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}
