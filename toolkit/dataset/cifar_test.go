package dataset

import (
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// smallCIFAR returns a CIFAR set with perFile images in each file.
func smallCIFAR(set cifar, perFile, validation int) cifar {
	set.records = maps.Clone(set.records)
	for file := range set.records {
		set.records[file] = perFile
	}
	set.validation = validation
	set.content = [2]uint64{}
	return set
}

// cifarFile returns a file of n records. Image i has label (first+i) modulo the classes, coarse label label/5, and pixel p of
// channel c is byte(i + p + 50c).
func cifarFile(set cifar, n, first int) []byte {
	var data []byte
	for i := range n {
		label := (first + i) % len(set.classes)
		if set.coarse > 0 {
			data = append(data, byte(label/5))
		}
		data = append(data, byte(label))
		for c := range channels {
			for p := range side * side {
				data = append(data, byte(i+p+50*c))
			}
		}
	}
	return data
}

// writeCIFAR writes the files of a set below root and returns their folder.
func writeCIFAR(t *testing.T, set cifar, root string) string {
	t.Helper()
	dir := filepath.Join(root, set.dir)
	require.NoError(t, os.MkdirAll(dir, 0o777))
	for k, file := range set.files {
		write(t, filepath.Join(dir, file), cifarFile(set, set.records[file], k))
	}
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, data, 0o666))
}

func TestReadCIFAR(t *testing.T) {
	for _, set := range []cifar{smallCIFAR(cifar10, 30, 20), smallCIFAR(cifar100, 200, 20)} {
		t.Run(set.name, func(t *testing.T) {
			dir := writeCIFAR(t, set, t.TempDir())
			training, test, err := set.read(dir)
			require.NoError(t, err)
			n, trainFiles := set.records[set.files[0]], len(set.files)-1
			require.Equal(t, trainFiles*n, training.Len())
			require.Equal(t, n, test.Len())

			// Image 7 of the last training file: planes have become interleaved pixels.
			v, file := NewView(training), trainFiles-1
			i := file*n + 7
			require.Equal(t, (file+7)%len(set.classes), v.Label(i))
			for _, at := range []struct{ row, column, channel int }{
				{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {0, 0, 1}, {31, 31, 2}, {5, 9, 1},
			} {
				want := byte(7 + at.row*side + at.column + 50*at.channel)
				require.Equal(t, want, v.Image(i)[(at.row*side+at.column)*channels+at.channel], "%+v", at)
			}
			if set.coarse > 0 {
				require.Equal(t, (file+7)/5, v.Coarse(i))
				require.Equal(t, 19, NewView(test).Coarse(98))
			} else {
				require.Equal(t, -1, v.Coarse(i))
			}
		})
	}
}

func TestLoadCIFAR(t *testing.T) {
	set := smallCIFAR(cifar10, 30, 20)
	root := t.TempDir()
	dir := writeCIFAR(t, set, root)
	d, err := set.load(Options{Root: root, Seed: 5})
	require.NoError(t, err)
	require.Equal(t, []int{130, 20, 30}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	requirePartition(t, 150, d.Train, d.Validation)
	require.True(t, d.Augment)
	require.Equal(t, "truck", d.Classes[9])

	// The set's folder can also be the root; limits take the first images.
	same, err := set.load(Options{Root: dir, Seed: 5, Train: 50, Validation: 10, Test: 7})
	require.NoError(t, err)
	require.Equal(t, d.Train.index[:50], same.Train.index)
	require.Equal(t, d.Validation.index[:10], same.Validation.index)
	require.Equal(t, 7, same.Test.Len())

	_, err = set.load(Options{Root: root, Train: 131})
	require.EqualError(t, err, "cifar10: it has 130 training images, not the 131 asked for: ask for fewer, or for 0 to take all")
}

// Each mistake gets one sentence that says what is wrong and what to do.
func TestLoadCIFARErrors(t *testing.T) {
	const remedy = "run `stochdepth data get cifar10`, or give the folder that holds cifar-10-batches-bin by --data-root"
	set := smallCIFAR(cifar10, 30, 20)
	for name, c := range map[string]struct {
		damage func(t *testing.T, root, dir string) (load string)
		want   string // ROOT and DIR stand for the folders
	}{
		"no folder": {
			func(t *testing.T, root, dir string) string { return filepath.Join(root, "none") },
			"cifar10: there is no folder ROOT/none: " + remedy,
		},
		"a file": {
			func(t *testing.T, root, dir string) string { return filepath.Join(dir, "test_batch.bin") },
			"cifar10: DIR/test_batch.bin is a file, not a folder: " + remedy,
		},
		"empty folder": {
			func(t *testing.T, root, dir string) string { require.NoError(t, os.RemoveAll(dir)); return root },
			"cifar10: ROOT holds no CIFAR-10: " + remedy,
		},
		"missing file": {
			func(t *testing.T, root, dir string) string {
				require.NoError(t, os.Remove(filepath.Join(dir, "data_batch_3.bin")))
				return root
			},
			"cifar10: DIR lacks data_batch_3.bin: " + remedy,
		},
		"missing file in the folder itself": {
			func(t *testing.T, root, dir string) string {
				require.NoError(t, os.Remove(filepath.Join(dir, "data_batch_3.bin")))
				return dir
			},
			"cifar10: DIR lacks data_batch_3.bin: " + remedy,
		},
		"Python version": {
			func(t *testing.T, root, dir string) string {
				require.NoError(t, os.RemoveAll(dir))
				write(t, filepath.Join(root, "cifar-10-batches-py", "data_batch_1"), nil)
				return root
			},
			"cifar10: ROOT/cifar-10-batches-py holds the Python version of CIFAR-10, but the binary version is needed: " + remedy,
		},
		"Python version's folder": {
			func(t *testing.T, root, dir string) string {
				write(t, filepath.Join(root, "cifar-10-batches-py", "data_batch_1"), nil)
				return filepath.Join(root, "cifar-10-batches-py")
			},
			"cifar10: ROOT/cifar-10-batches-py holds the Python version of CIFAR-10, but the binary version is needed: " + remedy,
		},
		"CIFAR-100's folder": {
			func(t *testing.T, root, dir string) string {
				return writeCIFAR(t, smallCIFAR(cifar100, 30, 20), root)
			},
			"cifar10: ROOT/cifar-100-binary holds CIFAR-100, not CIFAR-10: " + remedy,
		},
		"short file": {
			func(t *testing.T, root, dir string) string {
				require.NoError(t, os.Truncate(filepath.Join(dir, "data_batch_2.bin"), 1000))
				return root
			},
			"cifar10: DIR/data_batch_2.bin has 1,000 bytes, no whole number of records of 3,073, " +
				"so it is cut short or of another set: remove DIR and " + remedy,
		},
		"too few records": {
			func(t *testing.T, root, dir string) string {
				require.NoError(t, os.Truncate(filepath.Join(dir, "data_batch_2.bin"), 29*3073))
				return root
			},
			"cifar10: DIR/data_batch_2.bin has 29 images instead of 30: remove DIR and " + remedy,
		},
		"label out of range": {
			func(t *testing.T, root, dir string) string {
				data := cifarFile(set, 30, 0)
				data[4*3073] = 10
				write(t, filepath.Join(dir, "test_batch.bin"), data)
				return root
			},
			"cifar10: DIR/test_batch.bin has label 10 at image 4, beyond 0..9, " +
				"so it is altered or of another set: remove DIR and " + remedy,
		},
		"pixel unlike its checksum": {
			func(t *testing.T, root, dir string) string {
				data := cifarFile(set, 30, 0)
				write(t, filepath.Join(dir, sumsFile), []byte(checksums{"data_batch_1.bin": sha256.Sum256(data)}.String()))
				data[100]++
				write(t, filepath.Join(dir, "data_batch_1.bin"), data)
				return root
			},
			"cifar10: DIR/data_batch_1.bin was altered, as its SHA-256 is not the one in SHA256SUMS: remove DIR and " + remedy,
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := writeCIFAR(t, set, root)
			_, err := set.load(Options{Root: c.damage(t, root, dir)})
			require.EqualError(t, err, strings.NewReplacer("ROOT", root, "DIR", dir).Replace(c.want))
		})
	}
}

func TestLoadUnknown(t *testing.T) {
	_, err := Load("mnist", Options{})
	require.EqualError(t, err, `there is no data set "mnist": choose one of shapes, cifar10, cifar100, svhn, folder`)
	_, err = Load("shapes", Options{Train: -1})
	require.ErrorContains(t, err, "must not be negative")
}

// The real CIFAR-10, with its images in any order, if it is there.
func TestRealCIFAR10(t *testing.T) {
	if _, err := cifar10.find(DefaultRoot()); err != nil {
		t.Skipf("needs CIFAR-10 (%v)", err)
	}
	report, err := Verify("cifar10", "")
	require.NoError(t, err)
	require.Contains(t, strings.Join(report, "\n"), "classes: 10, each with 5,000 and 1,000 images")

	d, err := Load("cifar10", Options{Seed: 1})
	require.NoError(t, err)
	require.Equal(t, []int{45_000, 5_000, 10_000}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len()})
	n, err := FitChannels(d.Train) // known for all 50,000: 125.3, 123.0, 113.9; 63.0, 62.1, 66.7
	require.NoError(t, err)
	for c, want := range []float64{125.3, 123.0, 113.9} {
		require.InDelta(t, want, n.Mean[c], 0.4)
	}
	for c, want := range []float64{63.0, 62.1, 66.7} {
		require.InDelta(t, want, n.Deviation[c], 0.3)
	}
}

// The official labels number the names in alphabetical order.
func TestCIFAR100Classes(t *testing.T) {
	require.Len(t, cifar100.classes, 100)
	require.True(t, slices.IsSorted(cifar100.classes))
}
