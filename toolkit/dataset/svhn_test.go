package dataset

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/adler32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// smallSVHN has 100, 200 and 30 images.
func smallSVHN() svhnSet {
	set := svhn
	set.images = maps.Clone(svhn.images)
	set.images[svhnTrain], set.images[svhnExtra], set.images[svhnTest] = 100, 200, 30
	set.fromTrain, set.fromExtra = 4, 2
	return set
}

func writeSVHN(t *testing.T, set svhnSet, root string) string {
	t.Helper()
	dir := filepath.Join(root, set.dir)
	w := matWriter{order: binary.LittleEndian, compress: true}
	for file, n := range set.images {
		data := append(w.header(), w.array("X", classUint8, []int{side, side, channels, n}, matUint8, svhnX(n))...)
		write(t, filepath.Join(dir, file), append(data, w.array("y", classUint8, []int{n, 1}, matUint8, svhnY(n))...))
	}
	return dir
}

func TestLoadSVHN(t *testing.T) {
	set, root := smallSVHN(), t.TempDir()
	dir := writeSVHN(t, set, root)
	d, err := set.load(Options{Root: root, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, []int{240, 60, 30}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	require.False(t, d.Augment)
	require.Equal(t, []int{6, 6, 6, 6, 6, 6, 6, 6, 6, 6}, d.Validation.Counts(10))
	requirePartition(t, 300, d.Train, d.Validation)
	require.Equal(t, svhnPixel(29, 4, 6, 2), d.Test.Image(29)[(4*side+6)*channels+2])

	report, err := set.verify(dir)
	require.NoError(t, err)
	require.Contains(t, strings.Join(report, "\n"),
		"extra_32x32.mat: 200 images; digits 0 to 9: 20, 20, 20, 20, 20, 20, 20, 20, 20, 20; not the official file")

	data, err := os.ReadFile(filepath.Join(dir, svhnExtra))
	require.NoError(t, err)
	write(t, filepath.Join(dir, svhnExtra), data[:len(data)/2])
	_, err = set.load(Options{Root: root})
	require.EqualError(t, err, "svhn: "+filepath.Join(dir, svhnExtra)+" ends in the middle of an array, so it is cut short: remove "+
		filepath.Join(dir, svhnExtra)+" and run `stochdepth data get svhn`, or give the folder that holds svhn by --data-root")
}

// SVHN at its real size, 604,388 training images: they are kept as bytes, and the process stays below 3 GB while it loads them.
func TestSVHNMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("loads 1.9 GB")
	}
	root := t.TempDir()
	for file, n := range svhn.images {
		writeLargeSVHN(t, filepath.Join(root, svhn.dir, file), n)
	}

	runtime.GC()
	done, peak := make(chan bool), make(chan uint64)
	go func() { peak <- watchMemory(done) }()
	start := time.Now()
	d, err := Load("svhn", Options{Root: root, Seed: 1})
	require.NoError(t, err)
	loaded := time.Since(start)
	n, err := FitChannels(d.Train)
	require.NoError(t, err)
	fitted := time.Since(start)
	close(done)
	highest := <-peak
	t.Logf("loaded in %.1f s, normalization fitted by %.1f s, peak %.2f GB",
		loaded.Seconds(), fitted.Seconds(), float64(highest)/1e9)

	require.Equal(t, []int{598_388, 6_000, 26_032}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	require.Less(t, highest, uint64(3e9))
	require.Greater(t, highest, uint64(1.8e9), "watchMemory has missed the load")
	require.Len(t, n.Mean, channels)
	part, at := d.Train.locate(123_456)
	i := at % largeCycle
	require.Equal(t, svhnPixel(i, 31, 2, 1), d.Train.Image(123_456)[(31*side+2)*channels+1])
	require.Equal(t, (i%10+1)%10, d.Train.Label(123_456))
	require.NotNil(t, part)
}

// watchMemory samples how much of the system's memory the Go runtime holds, and returns the maximum.
func watchMemory(done <-chan bool) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for tick := time.Tick(5 * time.Millisecond); ; {
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64()-sample[1].Value.Uint64())
		select {
		case <-done:
			return peak
		case <-tick:
		}
	}
}

// largeCycle is the number of images that repeat in a large file; a multiple of 10, so that the labels repeat as well.
const largeCycle = 500

// writeLargeSVHN writes a file of n images quickly: one compressed block for largeCycle images, repeated.
func writeLargeSVHN(t *testing.T, path string, n int) {
	t.Helper()
	w := matWriter{order: binary.LittleEndian, compress: true}
	head := w.arrayHead("X", classUint8, []int{side, side, channels, n})
	head = w.order.AppendUint32(w.order.AppendUint32(head, matUint8), uint32(n*imageBytes))
	head = append(w.order.AppendUint32(w.order.AppendUint32(nil, matMatrix), uint32(len(head)+n*imageBytes)), head...)

	x := svhnX(largeCycle)
	block := deflated(t, x)
	body := append([]byte{0x78, 0x01}, deflated(t, head)...) // zlib's header, then blocks
	checksum := adler32.New()
	checksum.Write(head)
	for left := n; left > 0; left -= largeCycle {
		count := min(left, largeCycle)
		if count < largeCycle {
			block = deflated(t, x[:count*imageBytes])
		}
		body = append(body, block...)
		checksum.Write(x[:count*imageBytes])
	}
	body = append(body, 3, 0) // an empty last block
	body = binary.BigEndian.AppendUint32(body, checksum.Sum32())

	file := append(w.header(), w.order.AppendUint32(w.order.AppendUint32(nil, matCompressed), uint32(len(body)))...)
	file = append(file, body...)
	write(t, path, append(file, w.array("y", classUint8, []int{n, 1}, matUint8, svhnY(n))...))
}

// deflated compresses data to complete blocks that end on a byte and do not refer to earlier data.
func deflated(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestSpeed)
	require.NoError(t, err)
	_, err = io.Copy(z, bytes.NewReader(data))
	require.NoError(t, err)
	require.NoError(t, z.Flush())
	return out.Bytes()
}
