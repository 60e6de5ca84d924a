package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project/projecttest"
)

// Of a set of 100 MB no more than a part is in the process's memory, in whatever order it is read.
func TestMappedPicturesTakeLittleMemory(t *testing.T) {
	projecttest.Empty(t)
	dir := t.TempDir()
	for class := range 2 {
		addPictures(t, dir, fmt.Sprint(class), 250, 1)
	}
	d, err := Load("folder", Options{Root: dir, Size: 256})
	require.NoError(t, err)
	before, most := mappedMemory(t), 0
	var sum int
	for i := range 2 * d.Train.Len() {
		for _, x := range d.Train.Image(i % d.Train.Len()) {
			sum += int(x)
		}
		most = max(most, mappedMemory(t)-before)
	}
	require.NotZero(t, sum)
	require.Greater(t, d.Train.Len()*d.Format().Bytes(), 70<<20)
	require.Less(t, most, 40<<20)
}

// A file of packed pictures that another program cuts short is an error, not the end of the process.
func TestMappedPicturesAreCutShort(t *testing.T) {
	root, dir := projecttest.Empty(t), t.TempDir()
	for class := range 2 {
		addPictures(t, dir, fmt.Sprint(class), 10, 1)
	}
	d, err := Load("folder", Options{Root: dir, Size: 64})
	require.NoError(t, err)
	indices, pixels, labels := []int32{0, 1, 2, 3}, make([]byte, 4*d.Format().Bytes()), make([]int32, 4)
	require.NoError(t, d.Train.Gather(indices, pixels, labels))
	packs, err := filepath.Glob(filepath.Join(root, "data", "cache", "packed-pictures", "*.pack"))
	require.NoError(t, err)
	require.Len(t, packs, 1)
	require.NoError(t, os.Truncate(packs[0], 4096))
	require.EqualError(t, d.Train.Gather(indices, pixels, labels), packs[0]+", the file of the packed pictures, was cut short "+
		"while it was read: start the same command again, which packs them anew")
	_, err = FitChannels(d.Train)
	require.ErrorContains(t, err, "was cut short")
	require.Panics(t, func() { d.Train.Gather([]int32{1000}, pixels, labels) })
	_, err = Load("folder", Options{Root: dir, Size: 64})
	require.NoError(t, err)
}

// mappedMemory returns the bytes of files in the process's memory.
func mappedMemory(t *testing.T) int {
	status, err := os.ReadFile(filepath.Join("/proc/self", "status"))
	require.NoError(t, err)
	kB, err := strconv.Atoi(string(regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)[1]))
	require.NoError(t, err)
	return kB << 10
}
