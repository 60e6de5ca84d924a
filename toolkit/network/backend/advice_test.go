package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"
)

// The texts are XLA's own, as go-xla hands them on.
func TestExplain(t *testing.T) {
	before := driverVersion
	driverVersion = func() string { return "580.65.06" }
	t.Cleanup(func() { driverVersion = before })
	for text, want := range map[string]string{
		"PJRT error (code=8): Out of memory while trying to allocate 33762398024 bytes.":                                      "smaller minibatch",
		"PJRT error (code=8): Out of memory while trying to allocate 8.00GiB.":                                                "smaller minibatch",
		"PJRT error (code=13): failed to create StreamExecutor: CUDA_ERROR_OUT_OF_MEMORY: out of memory":                      "nvidia-smi shows what other programs hold",
		"PJRT error (code=13): no supported devices found for platform CUDA":                                                  "sees no NVIDIA GPU: check by nvidia-smi",
		"PJRT error (code=9): No visible GPU devices.":                                                                        "sees no NVIDIA GPU: check by nvidia-smi",
		"PJRT error (code=13): CUDA error: Failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected":   "sees no NVIDIA GPU: check by nvidia-smi",
		"PJRT error (code=13): CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)":                                        "driver does not answer",
		"PJRT error (code=13): CUDA error: Failed call to cuInit: CUDA_ERROR_SYSTEM_NOT_READY: system not yet initialized":    "driver does not answer",
		"libcuda.so.1: cannot open shared object file: No such file or directory":                                             "driver does not answer",
		"PJRT error (code=13): the provided PTX was compiled with an unsupported toolchain":                                   "driver 580.65.06 is older",
		"PJRT error (code=13): CUDA driver version is insufficient for CUDA runtime version":                                  "driver 580.65.06 is older",
		"PJRT error (code=9): DNN library initialization failed. Look at the errors above for more details.":                  "make setup PLUGIN=cuda13 FORCE=1",
		"PJRT error (code=12): DNN library is not found.":                                                                     "make setup PLUGIN=cuda13 FORCE=1",
		"libcudart.so.13: cannot open shared object file: No such file or directory":                                          "make setup PLUGIN=cuda13 FORCE=1",
		"PJRT error (code=14): No PTX compilation provider is available. Neither ptxas/nvlink nor nvjtlink is available.\n\t": "make setup PLUGIN=cuda13 FORCE=1",
	} {
		cause := fmt.Errorf("while creating plugin: %w", errors.New(text))
		err := Explain(cause)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
		require.NotContains(t, err.Error(), "code=")
		require.ErrorIs(t, err, cause)
		require.Equal(t, err, Explain(err), "an error is explained only once")
	}
	for _, err := range []error{nil, context.Canceled, errors.New("PJRT error (code=3): wrong shape")} {
		require.Equal(t, err, Explain(err))
	}
}

// XLA says the same if the GPU is hidden, if the driver is missing and if it is too old.
func TestNoDeviceLooksAtTheMachine(t *testing.T) {
	cause := errors.New("PJRT error (code=13): no supported devices found for platform CUDA")
	before := driverVersion
	t.Cleanup(func() { driverVersion = before })
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	os.Unsetenv("CUDA_VISIBLE_DEVICES")
	for version, want := range map[string]string{
		"": "driver does not answer", "535.129.03": "driver 535.129.03 is older", "590.10": "sees no NVIDIA GPU: check by nvidia-smi",
	} {
		driverVersion = func() string { return version }
		require.ErrorContains(t, Explain(cause), want)
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "7")
	require.ErrorContains(t, Explain(cause), "CUDA_VISIBLE_DEVICES=7 hides all")
}

func TestDriverVersion(t *testing.T) {
	for _, text := range []string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Thu Oct 19 18:56:32 UTC 2025\nGCC version:  gcc version 12.2.0\n",
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (root@host)\n",
	} {
		m := driverPattern.FindStringSubmatch(text)
		require.NotNil(t, m)
		require.Equal(t, "580.65.06", m[1])
	}
}

// The CPU plugin's own words for a program that needs more memory than any machine has.
func TestExplainTooLittleMemory(t *testing.T) {
	plugin, err := Find()
	if err != nil || plugin.Kind != CPU {
		t.Skip("needs the CPU plugin")
	}
	if os.Getenv("STOCHDEPTH_TEST_MEMORY") == "" { // in a process of its own, which XLA may end
		test := exec.Command(os.Args[0], "-test.run", "^TestExplainTooLittleMemory$")
		test.Env = append(os.Environ(), "STOCHDEPTH_TEST_MEMORY=1", Environment+"=xla:"+plugin.Path)
		out, err := test.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	b, err := Open()
	require.NoError(t, err)
	_, err = graph.CallOnce(b, func(x *graph.Node) *graph.Node {
		return graph.BroadcastToDims(x, 1<<21, 1<<21) // 16 TiB
	}, float32(1))
	require.ErrorContains(t, Explain(err), "too little memory: take a smaller minibatch")
	require.NotContains(t, Explain(err).Error(), "\n")
}
