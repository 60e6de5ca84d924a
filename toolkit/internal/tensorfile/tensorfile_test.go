package tensorfile

import (
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is in the file's order: widest data types first, then by name.
func sample() []Tensor {
	floats := []byte{}
	for _, x := range []float32{1, -2.5, float32(math.Inf(1)), 0, 3e-45, 7} {
		floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(x))
	}
	return []Tensor{
		{"step", "I64", []int{}, binary.LittleEndian.AppendUint64(nil, 1<<40)},
		{"mean", "F64", []int{2}, binary.LittleEndian.AppendUint64(
			binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(math.Pi))},
		{"group1/kernels <&>", "F32", []int{2, 3}, floats},
		{"none", "F32", []int{0, 4}, []byte{}},
		{"half", "BF16", []int{1, 1}, []byte{0x80, 0x3f}}, // 1
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	metadata := map[string]string{"depth": "20", "recipe": "{\"a\": 1}\n"}
	require.NoError(t, Write(path, sample(), metadata))
	tensors, back, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, metadata, back)
	require.Equal(t, sample(), tensors)

	require.NoError(t, Write(path, nil, nil))
	tensors, back, err = Read(path)
	require.NoError(t, err)
	require.Empty(t, tensors)
	require.Nil(t, back)
}

func TestWriteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	for name, test := range map[string]struct {
		tensors []Tensor
		want    string
	}{
		"too few bytes": {[]Tensor{{"a", "F32", []int{2}, make([]byte, 7)}},
			`cannot write tensor "a" to ` + path + `: shape [2] of F32 takes 8 bytes, but there are 7`},
		"empty scalar":    {[]Tensor{{"a", "F32", nil, nil}}, "shape [] of F32 takes 4 bytes, but there are 0"},
		"unknown type":    {[]Tensor{{"a", "float", []int{1}, make([]byte, 4)}}, `unknown data type "float"`},
		"two of a name":   {[]Tensor{{"a", "I64", nil, make([]byte, 8)}, {"a", "F64", nil, make([]byte, 8)}}, "there are two of this name"},
		"reserved name":   {[]Tensor{{"__metadata__", "F32", []int{0}, nil}}, "does not allow this name"},
		"negative":        {[]Tensor{{"a", "F32", []int{-1, -1}, make([]byte, 4)}}, "negative dimension"},
		"overflow to two": {[]Tensor{{"a", "F32", []int{1 << 62, 4}, nil}}, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, Write(path, test.tensors, nil), test.want)
			require.NoFileExists(t, path)
		})
	}
}

// file joins a header, with its length before it, and data.
func file(header, data string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + data
}

func TestReadRefusesDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	const good = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	change := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	require.NoError(t, os.WriteFile(path, []byte(file(good, "12345678")), 0o644))
	_, _, err := Read(path)
	require.NoError(t, err)

	for name, content := range map[string]string{
		"empty":              "",
		"no header length":   "1234567",
		"header cut":         file(good, "")[:30],
		"header of 2^63":     "\x00\x00\x00\x00\x00\x00\x00\x80" + good,
		"header of 2^64-1":   "\xff\xff\xff\xff\xff\xff\xff\xff" + good,
		"header not JSON":    file("hello", ""),
		"data cut":           file(good, "1234567"),
		"data too long":      file(good, "123456789"),
		"hole before":        file(change("[0,8]", "[4,12]"), "123456789012"),
		"beyond the file":    file(change("[0,8]", "[0,80]"), "12345678"),
		"end before start":   file(change("[0,8]", "[8,0]"), "12345678"),
		"negative offset":    file(change("[0,8]", "[-8,0]"), "12345678"),
		"shape disagrees":    file(change("[2]", "[3]"), "12345678"),
		"shape overflows":    file(change("[2]", "[9223372036854775808,2]"), "12345678"),
		"shape of fractions": file(change("[2]", "[2.0]"), "12345678"),
		"huge beside zero":   file(`{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}`, ""),
		"unknown type":       file(change("F32", "F31"), "12345678"),
		"no shape":           file(change(`"shape":[2],`, ""), "12345678"),
		"tensor twice": file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`,
			"12345678"),
		"shape twice":    file(change(`"shape":[2]`, `"shape":[1],"shape":[2]`), "12345678"),
		"metadata twice": file(`{"__metadata__":{"recipe":"a","recipe":"b"}}`, ""),
		"overlap": file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`,
			"123456789012"),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
			_, _, err := Read(path)
			require.ErrorContains(t, err, path+" is damaged, cut short or no safetensors file (")
		})
	}
	twice := file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, "")
	require.NoError(t, os.WriteFile(path, []byte(twice), 0o644))
	_, _, err = Read(path)
	require.EqualError(t, err, path+` is damaged, cut short or no safetensors file (it has "a" twice): export or copy it again`)
	_, _, err = Read(path + ".no")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, "no tensor file "+path+".no: file does not exist")
}

// A file from torch.save is recognised by its first bytes, and the error says how to convert it.
func TestReadKnowsPickles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.pth")
	for _, content := range []string{"PK\x03\x04\x00\x00\x08\x08\x00\x00", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j"} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		_, _, err := Read(path)
		require.ErrorContains(t, err, path+" is a PyTorch pickle, not a safetensors file: convert it in Python, "+
			"where it was written, with `import torch, safetensors.torch; w = torch.load(")
		require.ErrorContains(t, err, strings.TrimSuffix(path, ".pth")+`.safetensors")`)
		require.NotContains(t, err.Error(), "\n")
	}
	header := `{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}` // padded to 0x280 bytes: the file begins like a pickle
	require.NoError(t, os.WriteFile(path, []byte(file(header+strings.Repeat(" ", 0x280-len(header)), "")), 0o644))
	_, _, err := Read(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 100))
	_, _, err = Read(path)
	require.ErrorContains(t, err, "is damaged, cut short")
}

// Python's own safetensors reads what we write, and we read what it writes. Set PYTHON to an interpreter that has it.
func TestPythonAgrees(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import numpy, safetensors").Run(); err != nil {
		t.Skipf("%s has no numpy and safetensors", python)
	}
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	var readable []Tensor // NumPy has no bfloat16
	for _, tensor := range sample() {
		if tensor.DType != "BF16" {
			readable = append(readable, tensor)
		}
	}
	require.NoError(t, Write(ours, readable, map[string]string{"depth": "20"}))
	out, err := exec.Command(python, "-c", `
import sys, numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
t = load_file(sys.argv[1])
assert t["group1/kernels <&>"].tolist() == [[1, -2.5, float("inf")], [0, numpy.float32(3e-45), 7]], t
assert t["step"].shape == () and t["step"] == 1 << 40, t
assert t["mean"].tolist() == [0.1, numpy.pi], t
assert t["none"].shape == (0, 4), t
meta = safe_open(sys.argv[1], "numpy").metadata()
assert meta == {"depth": "20"}, meta
save_file(t, sys.argv[2], meta)
`, ours, theirs).CombinedOutput()
	require.NoError(t, err, string(out))
	tensors, metadata, err := Read(theirs)
	require.NoError(t, err)
	require.ElementsMatch(t, readable, tensors)
	require.Equal(t, map[string]string{"depth": "20"}, metadata)
}
