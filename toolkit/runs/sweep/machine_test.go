package sweep

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultWorkers(t *testing.T) {
	for name, test := range map[string]struct {
		machine Machine
		want    int
	}{
		"a few cores":     {Machine{Cores: 8, Memory: 64 << 30}, 1},
		"many":            {Machine{Cores: 32, Memory: 64 << 30}, 8},
		"many, no memory": {Machine{Cores: 32, Memory: 7 << 30}, 2},
		"hardly any":      {Machine{Cores: 2, Memory: 1 << 30}, 1},
		"unknown memory":  {Machine{Cores: 16}, 4},
		"GPUs":            {Machine{Cores: 64, Memory: 64 << 30, GPUs: []string{"0", "1"}}, 2},
	} {
		require.Equal(t, test.want, test.machine.DefaultWorkers(), name)
	}
}

func TestSlotsShareTheMachine(t *testing.T) {
	cpus := []int{0, 1, 2, 3, 8, 9, 10}
	require.Equal(t, []Slot{{}}, Machine{CPUs: cpus}.Slots(1), "a single worker has them all")
	require.Equal(t, []Slot{{CPUs: []int{0, 1}}, {CPUs: []int{2, 3}}, {CPUs: []int{8, 9, 10}}}, Machine{CPUs: cpus}.Slots(3))
	require.Equal(t, []Slot{{}, {}, {}}, Machine{CPUs: cpus[:2]}.Slots(3))
	require.Equal(t, []Slot{{GPU: "0"}, {GPU: "5"}, {GPU: "0"}}, Machine{GPUs: []string{"0", "5"}}.Slots(3))
	require.Equal(t, []string{"1", "3"}, listGPUs("1,3"))
}

func TestWorkersAreBoundToTheirProcessors(t *testing.T) {
	all := usableCPUs()
	if len(all) == 0 {
		t.Skip("processors cannot be chosen on this system")
	}
	if _, err := exec.LookPath("nproc"); err != nil {
		t.Skip("needs nproc")
	}
	cmd := exec.Command("nproc")
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, startOn(cmd, all[:1]))
	require.NoError(t, cmd.Wait())
	require.Equal(t, "1\n", out.String())
	require.Equal(t, all, usableCPUs(), "this process keeps its own")
}
