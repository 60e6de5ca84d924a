package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Peers are timed in the same precision as our own network.
func TestPeersHaveOurPrecision(t *testing.T) {
	types := func(peer string, ours ...string) []string {
		p, err := ParsePeer(peer)
		require.NoError(t, err)
		return p.dtypes(ours)
	}
	require.Equal(t, []string{"float32"}, types("torch eager", "bfloat16"))
	require.Equal(t, []string{"float32", "tf32"}, types("torch eager channels_last", "tf32", "float32"))
	require.Equal(t, []string{"tf32"}, types("torch compile", "tf32"))
	require.Equal(t, []string{"float32"}, types("jax scan", "tf32", "float32"))

	require.Contains(t, peerEnvironment("float32"), "NVIDIA_TF32_OVERRIDE=0")
	require.Equal(t, []string{"env", "-u", "NVIDIA_TF32_OVERRIDE"}, peerEnvironment("tf32")[:3])
	require.NotContains(t, peerEnvironment("tf32"), "NVIDIA_TF32_OVERRIDE=0")
}

// A peer's program gets the question in JSON and answers in JSON, in the environment of a peer; what it writes to standard
// error is in the error.
func TestPeerIsAsked(t *testing.T) {
	folder := t.TempDir()
	python := filepath.Join(folder, "python")
	script := `#!/bin/sh
cat > "$(dirname "$1")/asked"
echo "$1 $NVIDIA_TF32_OVERRIDE ${GLIBC_TUNABLES:+tuned}" > "$(dirname "$1")/environment"
grep -q "torch" "$1" || { echo "No module named jax" >&2; exit 1; }
echo '{"steps_ms": [1, 2], "losses": [3], "version": "9"}'
`
	require.NoError(t, os.WriteFile(python, []byte(script), 0o755))
	peer, err := ParsePeer("torch eager channels_last")
	require.NoError(t, err)
	c := Case{Peer: peer, Spec: Spec{Layers: 8, Batch: 4, DType: "float32", Form: "survivors", Steps: 1, Evaluate: true}}
	r := Runner{Python: python, Folder: folder, Device: "cpu"}
	taken, err := r.Take(t.Context(), c, "start.safetensors")
	require.NoError(t, err)
	require.Equal(t, Taken{StepsMS: []float64{1, 2}, Losses: []float64{3}, Version: "9"}, taken)
	environment, err := os.ReadFile(filepath.Join(folder, "environment"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "pytorch_steps.py")+" 0 tuned\n", string(environment))
	asked, err := os.ReadFile(filepath.Join(folder, "asked"))
	require.NoError(t, err)
	require.JSONEq(t, `{"start": "start.safetensors", "untimed": 4, "losses": 6, "mode": "eager channels_last", "device": "cpu",
		"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0001, "evaluation_images": 500, "evaluations": 4}`,
		string(asked))

	c.Peer = &Peer{System: "jax", Mode: "scan"}
	_, err = r.Take(t.Context(), c, "start.safetensors")
	require.ErrorContains(t, err, "No module named jax")
	require.ErrorContains(t, err, "make bench-peers")
}

// The peers' programs read all keys of the question that package bench writes, and write all keys of the answer that it
// reads.
func TestProgramsSpeakTheProtocol(t *testing.T) {
	keys := func(v any) (keys []string) {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(data, &m))
		for key := range m {
			keys = append(keys, key)
		}
		return keys
	}
	for _, system := range []string{"pytorch", "jax"} {
		source, err := programs.ReadFile("peers/" + system + "_steps.py")
		require.NoError(t, err)
		for _, key := range keys(question{}) {
			require.Contains(t, string(source), `ask["`+key+`"]`, system)
		}
		for _, key := range keys(Taken{Version: "1"}) {
			require.Regexp(t, `"`+key+`"|`+key+"=", string(source), system)
		}
	}
}
