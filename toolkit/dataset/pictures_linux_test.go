package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a set of 100 MB no more than a part is in the process's memory, in whatever order it is read.
func TestMappedPicturesTakeLittleMemory(t *testing.T) {
	emptyProject(t)
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

// mappedMemory returns the bytes of files in the process's memory.
func mappedMemory(t *testing.T) int {
	status, err := os.ReadFile(filepath.Join("/proc/self", "status"))
	require.NoError(t, err)
	kB, err := strconv.Atoi(string(regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)[1]))
	require.NoError(t, err)
	return kB << 10
}
