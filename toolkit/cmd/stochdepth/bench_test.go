package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Peers are timed in the same precision as ours.
func TestPeersHaveOurPrecision(t *testing.T) {
	require.Equal(t, []string{"float32"}, peerTypes("torch eager", []string{"bfloat16"}))
	require.Equal(t, []string{"float32", "tf32"}, peerTypes("torch eager", []string{"tf32", "float32"}))
	require.Equal(t, []string{"tf32"}, peerTypes("torch compile", []string{"tf32"}))
	require.Equal(t, []string{"float32"}, peerTypes("jax scan", []string{"tf32", "float32"}))

	t.Setenv("NVIDIA_TF32_OVERRIDE", "1")
	require.Contains(t, peerEnvironment("float32"), "NVIDIA_TF32_OVERRIDE=0")
	require.NotContains(t, peerEnvironment("float32"), "NVIDIA_TF32_OVERRIDE=1")
	for _, v := range peerEnvironment("tf32") {
		require.NotRegexp(t, "^NVIDIA_TF32_OVERRIDE=", v)
	}
}
