package dataset

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGetArchive(t *testing.T) {
	data := archive(t, goodEntries()...)
	half := len(data) / 2
	for name, c := range map[string]struct {
		before func(w http.ResponseWriter, r *http.Request, request int) bool
		part   []byte // of an earlier, interrupted call
		log    []string
	}{
		"undisturbed": {log: []string{archiveName}},
		"connection broken twice": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				switch request {
				case 1:
					breakAfter(w, data, half)
				case 2: // nothing at all
					panic(http.ErrAbortHandler)
				}
				return false
			},
			log: []string{archiveName, fmt.Sprint(archiveName, " from ", half), fmt.Sprint(archiveName, " from ", half)},
		},
		"goes on with an earlier part": {
			part: data[:half],
			log:  []string{fmt.Sprint(archiveName, " from ", half)},
		},
		"earlier part is whole": {
			part: data,
			log:  []string{fmt.Sprint(archiveName, " from ", len(data))},
		},
		"server knows no ranges": {
			part: data[:half],
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				w.Write(data)
				return true
			},
			log: []string{fmt.Sprint(archiveName, " from ", half)},
		},
		"server sends another range": {
			part: data[:half],
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				if request == 1 {
					r.Header.Set("Range", "bytes=3-")
				}
				return false
			},
			log: []string{fmt.Sprint(archiveName, " from ", half), archiveName},
		},
		"earlier part is of another file": {
			part: bytes.Repeat([]byte{1}, half),
			log:  []string{fmt.Sprint(archiveName, " from ", half), archiveName},
		},
		"earlier part is too long": {
			part: append(bytes.Clone(data), 1, 2, 3),
			log:  []string{fmt.Sprint(archiveName, " from ", len(data)+3), archiveName},
		},
		"server knows no ranges and breaks off ever later": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				r.Header.Del("Range")
				if request < 12 {
					breakAfter(w, data, request*100)
				}
				return false
			},
			log: append([]string{archiveName}, fromEach(100, 11)...),
		},
		"server busy": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				if request < 3 {
					http.Error(w, "busy", http.StatusServiceUnavailable)
				}
				return request < 3
			},
			log: []string{archiveName, archiveName, archiveName},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
			s.before = c.before
			if c.part != nil {
				write(t, filepath.Join(root, archiveName+".part"), c.part)
			}
			src := s.source(getSrc)
			require.NoError(t, quickGetter().get(t.Context(), src, root))
			require.Equal(t, c.log, s.requests())
			want := []string{getSet.dir, getSet.dir + "/SHA256SUMS", getSet.dir + "/batches.meta.txt"}
			for _, file := range getSet.files {
				want = append(want, getSet.dir+"/"+file)
			}
			require.Equal(t, want, visible(t, root))

			report, err := getSet.verify(root)
			require.NoError(t, err)
			require.Equal(t, "content: the SHA-256 of every file is the one in SHA256SUMS", report[len(report)-1])

			require.NoError(t, quickGetter().get(t.Context(), src, root), "a second call has nothing to do")
			require.Len(t, s.requests(), len(c.log))
		})
	}
}

// fromEach returns the log of n requests, each of which goes on after the given number of further bytes.
func fromEach(bytes, n int) (log []string) {
	for i := range n {
		log = append(log, fmt.Sprint(archiveName, " from ", (i+1)*bytes))
	}
	return log
}

// A part that is longer than the largest allowed file is not kept.
func TestGetOverLongPart(t *testing.T) {
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	write(t, filepath.Join(root, archiveName+".part"), make([]byte, 3*len(data)))
	g := quickGetter()
	g.largest = int64(2 * len(data))
	require.NoError(t, g.get(t.Context(), s.source(getSrc), root))
	require.Equal(t, []string{archiveName}, s.requests())
}

// A download that cannot succeed leaves at most its part, if that can be continued.
func TestGetErrors(t *testing.T) {
	data := archive(t, goodEntries()...)
	half := len(data) / 2
	for name, c := range map[string]struct {
		before   func(w http.ResponseWriter, r *http.Request, request int) bool
		want     string
		requests int
		left     []string
		largest  int64
		empty    bool // whether the file that is left is empty
	}{
		"wrong checksum": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				w.Write([]byte("not the archive"))
				return true
			},
			want:     "was removed, as its MD5 is faad6fe8d15940921af14a21e4af226d and not the published",
			requests: 1,
		},
		"not found": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				http.NotFound(w, r)
				return true
			},
			want:     "the server answered 404 Not Found for",
			requests: 1,
			left:     []string{archiveName + ".part"},
		},
		"knows no ranges and always breaks off": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				breakAfter(w, data, half)
				return true
			},
			want:     "after 5 tries (unexpected EOF): check the connection and try again to go on where it stopped",
			requests: 5, // the first brought something
			left:     []string{archiveName + ".part"},
		},
		"sends without end": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				for range 100 {
					w.Write(data)
				}
				return true
			},
			largest:  int64(2 * len(data)),
			want:     "bytes, so it is not the file: the download was removed; get the file by hand",
			requests: 1,
			left:     []string{archiveName + ".part"},
			empty:    true,
		},
		"always broken": {
			before: func(w http.ResponseWriter, r *http.Request, request int) bool {
				if request == 1 {
					breakAfter(w, data, 100)
				}
				panic(http.ErrAbortHandler)
			},
			want:     "check the connection and try again to go on where it stopped",
			requests: 1 + 4,
			left:     []string{archiveName + ".part"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
			s.before = c.before
			g := quickGetter()
			if c.largest > 0 {
				g.largest = c.largest
			}
			err := g.get(t.Context(), s.source(getSrc), root)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, ", as "+filepath.Join(root, archiveName), "where to put the file by hand")
			require.True(t, strings.HasPrefix(err.Error(), "cifar10: "), err)
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, c.left, visible(t, root))
			if c.empty {
				info, err := os.Stat(filepath.Join(root, c.left[0]))
				require.NoError(t, err)
				require.Zero(t, info.Size())
			}
			require.Equal(t, c.requests, len(s.requests()), s.requests())
		})
	}
}

// An archive that the user has put there is used if it is the official one, and stays.
func TestGetFromAnArchiveBeside(t *testing.T) {
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	src, beside := s.source(getSrc), filepath.Join(root, archiveName)
	write(t, beside, data[1:])
	err := quickGetter().get(t.Context(), src, root)
	require.ErrorContains(t, err, "cifar10: "+beside+" is there already but is not the official file (its MD5 is ")
	require.Equal(t, []string{archiveName}, visible(t, root))
	write(t, beside, data)
	require.NoError(t, quickGetter().get(t.Context(), src, root))
	require.Empty(t, s.requests())
	require.FileExists(t, beside)
	_, err = getSet.verify(root)
	require.NoError(t, err)
}

func TestGetStalledServer(t *testing.T) {
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	s.before = stallFirst(data[:1000], len(data))
	g := quickGetter()
	g.stall = 100 * time.Millisecond
	require.NoError(t, g.get(t.Context(), s.source(getSrc), root))
	require.Equal(t, []string{archiveName, archiveName + " from 1000"}, s.requests())
}

func TestGetInterrupted(t *testing.T) {
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s.before = stallFirst(data[:1000], len(data))
	g := quickGetter()
	g.progress = func(done, total int64, what string) {
		if done == 1000 {
			require.Equal(t, int64(len(data)), total)
			cancel()
		}
	}
	err := g.get(ctx, s.source(getSrc), root)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "cifar10: interrupted (context canceled): "+
		"run `stochdepth data get cifar10` again to go on where it stopped")
	require.Equal(t, []string{archiveName + ".part"}, visible(t, root))

	require.NoError(t, quickGetter().get(t.Context(), s.source(getSrc), root))
	require.Equal(t, archiveName+" from 1000", s.requests()[1])
}

func TestGetFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	s, root := newServer(t, map[string][]byte{archiveName: archive(t, goodEntries()...)}), t.TempDir()
	require.NoError(t, os.Symlink("/dev/full", filepath.Join(root, archiveName+".part")))
	err := quickGetter().get(t.Context(), s.source(getSrc), root)
	require.ErrorContains(t, err, "cifar10: the disk of "+root+" is full: "+
		"free some space and run `stochdepth data get cifar10` again")
	require.Len(t, s.requests(), 1, "another try is useless")
}

func TestGetOverBrokenFolder(t *testing.T) {
	s, root := newServer(t, map[string][]byte{archiveName: archive(t, goodEntries()...)}), t.TempDir()
	dir := writeCIFAR(t, getSet, root)
	require.NoError(t, os.Truncate(filepath.Join(dir, "test_batch.bin"), 10))
	err := quickGetter().get(t.Context(), s.source(getSrc), root)
	require.EqualError(t, err, "cifar10: "+dir+" is there already but not complete: "+
		"remove it and run `stochdepth data get cifar10` again")
	require.Empty(t, s.requests())
}

// Of two at once, the second says that it waits, and then finds the work done.
func TestGetTwice(t *testing.T) {
	data := archive(t, goodEntries()...)
	s, root := newServer(t, map[string][]byte{archiveName: data}), t.TempDir()
	arrived, release, waiting := make(chan bool), make(chan bool), make(chan string, 1)
	s.before = func(http.ResponseWriter, *http.Request, int) bool {
		close(arrived) // a second request would panic
		<-release
		return false
	}
	src := s.source(getSrc)
	results := make(chan error, 2)
	go func() { results <- quickGetter().get(t.Context(), src, root) }()
	<-arrived
	second := quickGetter()
	second.progress = func(_, _ int64, what string) { waiting <- what }
	go func() { results <- second.get(t.Context(), src, root) }()
	require.Equal(t, "waiting for another process that gets cifar10", <-waiting)
	close(release)
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.Len(t, s.requests(), 1)
}

// SVHN comes as single files; files that are there already are kept.
func TestGetFiles(t *testing.T) {
	set, made := smallSVHN(), t.TempDir()
	files := map[string][]byte{}
	for _, file := range set.files {
		data, err := os.ReadFile(filepath.Join(writeSVHN(t, set, made), file))
		require.NoError(t, err)
		files[file] = data
	}
	s, root := newServer(t, files), t.TempDir()
	s.before = func(w http.ResponseWriter, r *http.Request, request int) bool {
		if request == 2 {
			http.Error(w, "gone", http.StatusGone)
			return true
		}
		return false
	}
	src := s.source(sources()["svhn"])
	require.ErrorContains(t, quickGetter().get(t.Context(), src, root), "410 Gone")
	require.Equal(t, []string{"svhn", "svhn/extra_32x32.mat.part", "svhn/train_32x32.mat"}, visible(t, root))

	require.NoError(t, quickGetter().get(t.Context(), src, root))
	require.Equal(t, []string{"train_32x32.mat", "extra_32x32.mat", "extra_32x32.mat", "test_32x32.mat"}, s.requests())
	require.Equal(t, []string{"svhn", "svhn/SHA256SUMS", "svhn/extra_32x32.mat", "svhn/test_32x32.mat", "svhn/train_32x32.mat"},
		visible(t, root))
	require.NoError(t, quickGetter().get(t.Context(), src, root))
	require.Len(t, s.requests(), 4)
	_, err := set.load(Options{Root: root})
	require.NoError(t, err)

	// An altered file is refused; after its removal only this file is downloaded again.
	altered := filepath.Join(root, "svhn", svhnTest)
	data := bytes.Clone(files[svhnTest])
	data[5]++ // in the header's text, where no reader looks
	write(t, altered, data)
	_, err = set.load(Options{Root: root})
	require.EqualError(t, err, "svhn: "+altered+" was altered, as its SHA-256 is not the one in SHA256SUMS: remove "+altered+
		" and run `stochdepth data get svhn`, or give the folder that holds svhn by --data-root")
	require.NoError(t, os.Remove(altered))
	require.NoError(t, quickGetter().get(t.Context(), src, root))
	require.Equal(t, "test_32x32.mat", s.requests()[4])
	require.Len(t, s.requests(), 5)
}

func TestGetNames(t *testing.T) {
	require.NoError(t, Get(t.Context(), "shapes", t.TempDir(), nil))
	require.ErrorContains(t, Get(t.Context(), "mnist", t.TempDir(), nil), `there is no data set "mnist"`)
	for name, src := range sources() {
		require.Contains(t, Names(), name)
		for _, from := range src.remotes {
			require.Len(t, from.md5, 32)
		}
	}
}
