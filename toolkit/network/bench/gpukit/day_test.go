package gpukit

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program stands in for the toolkit's programs: it trains in three pieces, one bench fails, the contract in float32 hangs
// the first time, and everything else succeeds.
const program = `#!/bin/sh
run=data/runs/cifar10-stochastic
case "$*" in
*"train --run cifar10-stochastic"*)
	mkdir -p $run/checkpoint/last
	echo piece >> $run/checkpoint/last/pieces
	[ $(wc -l < $run/checkpoint/last/pieces) -ge 3 ] && echo '{"completed": true}' > $run/result.json && exit 0
	echo '{"completed": false}' > $run/result.json
	echo "stopped after a while: start the same command again to go on"
	exit 1 ;;
*"train --run"*) exit 0 ;;
*bench-20-others*) echo "no such type"; exit 1 ;;
*Float32,_8*) [ -e hung ] || { touch hung; sleep 60; } ;;
esac
echo "graph $STOCHDEPTH_CUDA_GRAPH, commit $STOCHDEPTH_COMMIT"
`

// pack makes a kit that contains the program.
func pack(t *testing.T) (folder string) {
	folder = filepath.Join(t.TempDir(), "a kit")
	require.NoError(t, os.Mkdir(folder, 0o755))
	var sums strings.Builder
	add := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), data, 0o644))
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), name)
	}
	var packed strings.Builder
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(program))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	add("stochdepth.gz", []byte(packed.String()))
	add("survivors.test.gz", []byte(packed.String()))
	add("go.mod", []byte("module stochdepth\n"))
	add("commit", []byte("0123456789ab\n"))
	data := filepath.Join(t.TempDir(), "cifar")
	require.NoError(t, os.Mkdir(data, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(data, "images"), []byte(strings.Repeat("pixels ", 1000)), 0o644))
	archive, err := exec.Command("tar", "-C", filepath.Dir(data), "-c", "cifar").Output()
	require.NoError(t, err)
	add("cifar.tar.00", archive[:3000])
	add("cifar.tar.01", archive[3000:])
	script, err := os.ReadFile("day.py")
	require.NoError(t, err)
	add("day.py", script)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o644))
	return folder
}

func day(t *testing.T, folder string, arguments ...string) (output string, err error) {
	python, lookErr := exec.LookPath("python3")
	if lookErr != nil {
		t.Skip("needs python3")
	}
	cmd := exec.Command(python, append([]string{"-S", filepath.Join(folder, "day.py")}, arguments...)...) // -S: no packages
	cmd.Env = append(os.Environ(), "KIT_TINY=1", "KIT_MINUTES=0.08", "GOMLX_BACKEND=xla:/cuda_plugin.so",
		"KIT_WORK="+filepath.Join(folder, "work"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestDay(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	folder := pack(t)
	var output string
	for range 15 {
		out, err := day(t, folder)
		require.NoError(t, err, out)
		output += out
		if strings.Contains(out, "All steps are over") {
			break
		}
	}
	require.Regexp(t, `contract-float32 +status cut short`, output)
	require.Regexp(t, `contract-float32 +status done, code 0`, output)
	require.Regexp(t, `peer-110-torch-compile-masked-channels_last-bfloat16 +status left out, reason no torch, numpy`, output)
	require.Contains(t, output, "Failed: ")
	require.Regexp(t, `Failed: .*bench-20-others\n`, output)
	require.Equal(t, 2, strings.Count(output, "status goes on"), output)
	require.Equal(t, 1, strings.Count(output, "contract-float64 "), "a step that is done is not repeated")
	images, err := os.ReadFile(filepath.Join(folder, "work/data/cache/cifar/images"))
	require.NoError(t, err)
	require.Len(t, images, 7000)
	log, err := os.ReadFile(filepath.Join(folder, "results/bench-110-graph.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "graph on,")
	require.Contains(t, string(log), "commit 0123456789ab\n")

	// A run can be continued on another machine from the results alone.
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "work")))
	out, err := day(t, folder, "train-cifar10-stochastic")
	require.NoError(t, err, out)
	pieces, err := os.ReadFile(filepath.Join(folder, "work/data/runs/cifar10-stochastic/checkpoint/last/pieces"))
	require.NoError(t, err)
	require.Equal(t, 4, strings.Count(string(pieces), "piece"))
}

func TestDayRefusesADamagedKit(t *testing.T) {
	folder := pack(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "cifar.tar.01"), []byte("cut"), 0o644))
	out, err := day(t, folder)
	require.Error(t, err)
	require.Contains(t, out, "cifar.tar.01 is damaged: bring it again")
	require.NoError(t, os.Remove(filepath.Join(folder, "cifar.tar.00")))
	out, err = day(t, folder)
	require.Error(t, err)
	require.Contains(t, out, "cifar.tar.00 is not here")

	out, err = day(t, folder, "nothing")
	require.Error(t, err)
	require.Contains(t, out, "There is no step nothing")
}
