package kernels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/kernels"
)

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
