package sweep

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKubernetesManifest(t *testing.T) {
	path := write(t, "Fig_8",
		`{"recipe": "own.json", "description": "\"quoted\": yes #5\n", "grid": {"death_rate": [0, 0.5], "seed": [1, 2, 3]}}`)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "own.json"),
		[]byte(`{"dataset": "shapes", "depth": 8, "epochs": 9}`), 0o644))
	s, err := Read(path)
	require.NoError(t, err)
	text, err := s.Kubernetes(KubernetesOptions{Image: "registry.example/sd:1", Claim: "data", Namespace: "us", CPUs: "4",
		Memory: "8Gi", GPUs: 1, AtOnce: 99})
	require.NoError(t, err)

	for _, line := range []string{"name: stochdepth-fig-8-" + shortHash("Fig_8"), `namespace: "us"`, "completionMode: Indexed",
		"completions: 6", "parallelism: 6",
		`image: "registry.example/sd:1"`, `claimName: "data"`, "nvidia.com/gpu: 1"} {
		require.Regexp(t, `(?m)^ *`+regexp.QuoteMeta(line)+`$`, text)
	}

	// A pod has just as many processors as it asks for, and XLA as many threads.
	require.Regexp(t, `requests:\n +cpu: "4"\n +memory: "8Gi"\n +limits:\n +cpu: "4"\n +memory: "8Gi"\n`, text)
	require.Regexp(t, `- name: NPROC\n +valueFrom:\n +resourceFieldRef:\n +resource: limits.cpu\n`, text)

	// The pods expand the file that they are given to the same runs.
	_, content, _ := strings.Cut(text, "sweep.json: |\n")
	content, _, _ = strings.Cut(content, "---\n")
	inPod := write(t, "sweep", content)
	there, err := Read(inPod)
	require.NoError(t, err)
	require.Equal(t, s.Jobs, there.Jobs)

	validate, err := exec.LookPath("kubernetes-validate")
	if err != nil {
		t.Skip("Kubernetes' schema was not checked: that needs the command kubernetes-validate (pip install kubernetes-validate)")
	}
	file := filepath.Join(t.TempDir(), "job.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	out, err := exec.Command(validate, "--strict", file).CombinedOutput()
	require.NoError(t, err, string(out))
}

// Names that Kubernetes accepts stay. Others are changed, but never two of them to the same name.
func TestKubernetesNames(t *testing.T) {
	long := strings.Repeat("abcd-", 8)
	for name, want := range map[string]string{
		"fig8-left": "stochdepth-fig8-left", "a-b": "stochdepth-a-b",
		long + "a":  "stochdepth-" + long + "a", // of 52 letters
		"a.b":       "stochdepth-a-b-" + shortHash("a.b"),
		"A-b":       "stochdepth-a-b-" + shortHash("A-b"),
		"a-b-":      "stochdepth-a-b-" + shortHash("a-b-"),
		"a--b":      "stochdepth-a-b-" + shortHash("a--b"),
		long + "ab": "stochdepth-abcd-abcd-abcd-abcd-abcd-abcd-ab-" + shortHash(long+"ab"),
		long + "ac": "stochdepth-abcd-abcd-abcd-abcd-abcd-abcd-ab-" + shortHash(long+"ac"),
	} {
		got := kubernetesName(name)
		require.Equal(t, want, got, name)
		require.LessOrEqual(t, len(got), 52)
	}
}
