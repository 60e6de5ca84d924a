package kernels_test

import (
	"fmt"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/kernels"
)

// convolution is a program that calls a kernel with two arrays of the same type. The kernel takes only
// [batch, side, side, channels] and [3, 3, channels, channels] of float32.
const convolution = `module @test {
  func.func @main(%%x: tensor<%[1]s>, %%w: tensor<%[1]s>) -> tensor<%[1]s> {
    %%0 = "stablehlo.custom_call"(%%x, %%w) { call_target_name = "stochdepth_convolve", api_version = 4 : i32, backend_config = {} } : (tensor<%[1]s>, tensor<%[1]s>) -> tensor<%[1]s>
    "stablehlo.return"(%%0) : (tensor<%[1]s>) -> ()
  }
}`

// TestErrors calls a kernel with arrays that it does not take: the execution of the program returns an error, and the
// process continues.
func TestErrors(t *testing.T) {
	name := backendtest.Open(t).(*xla.Backend).PluginName()
	if proxy.Processor(name) == "" {
		t.Skip("this machine has no kernels")
	}
	plugin, err := pjrt.GetPlugin(name)
	require.NoError(t, err)
	client, err := plugin.NewClient(nil)
	require.NoError(t, err)
	for _, arrays := range []string{"8xf32", "1x8x8xf32", "1x1x1x8xi32"} {
		program, err := client.Compile().WithStableHLO(fmt.Appendf(nil, convolution, arrays)).Done()
		require.NoError(t, err, arrays)
		var x *pjrt.Buffer
		switch arrays {
		case "8xf32":
			x, err = pjrt.ArrayToBuffer(client, make([]float32, 8), 8)
		case "1x8x8xf32":
			x, err = pjrt.ArrayToBuffer(client, make([]float32, 64), 1, 8, 8)
		default:
			x, err = pjrt.ArrayToBuffer(client, make([]int32, 8), 1, 1, 1, 8)
		}
		require.NoError(t, err, arrays)
		outputs, err := program.Execute(x, x).DonateNone().Done()
		if err == nil { // the result is an error
			_, _, err = pjrt.BufferToArray[float32](outputs[0])
		}
		require.EqualError(t, kernels.Explain(err), "a kernel was called with other arrays than it takes", arrays)
	}
}

// Every usual word for on or off is known, and any other word is refused before a device is opened.
func TestChoice(t *testing.T) {
	for value, want := range map[string]string{
		"": "on", "on": "on", "ON": "on", "True": "on", "1": "on", "yes": "on",
		"off": "off", "OFF": "off", "false": "off", " 0 ": "off", "No": "off", "avx2": "avx2", "AVX2": "avx2",
	} {
		t.Setenv(kernels.Environment, value)
		choice, err := kernels.Choice()
		require.NoError(t, err, value)
		require.Equal(t, want, choice, value)
	}
	t.Setenv(kernels.Environment, "avx512")
	_, err := kernels.Choice()
	require.EqualError(t, err, `STOCHDEPTH_KERNELS is "avx512", which is not allowed: set it to on, off or avx2, or unset it`)
	_, opened := backend.OpenPlugin(backend.Plugin{Path: "nowhere.so", Kind: backend.CPU})
	require.Equal(t, err, opened)
}
