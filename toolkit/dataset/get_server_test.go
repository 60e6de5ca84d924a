package dataset

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server serves files and records the requests as "name" or "name from offset".
type server struct {
	*httptest.Server
	files  map[string][]byte
	before func(w http.ResponseWriter, r *http.Request, request int) (handled bool) // may be nil

	lock sync.Mutex
	log  []string
}

func newServer(t *testing.T, files map[string][]byte) *server {
	s := &server{files: files}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		s.lock.Lock()
		entry := name
		if from := strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); from != "" {
			entry += " from " + from
		}
		s.log = append(s.log, entry)
		request := len(s.log)
		s.lock.Unlock()
		if s.before != nil && s.before(w, r, request) {
			return
		}
		data, ok := s.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s
}

// requests returns the log so far. The lock is needed because handlers may still run after their client has given up.
func (s *server) requests() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.log)
}

// announce sends the beginning of a file of the given size.
func announce(w http.ResponseWriter, beginning []byte, size int) {
	w.Header().Set("Content-Length", fmt.Sprint(size))
	w.Write(beginning)
	w.(http.Flusher).Flush()
}

// breakAfter sends the first n bytes of data and drops the connection.
func breakAfter(w http.ResponseWriter, data []byte, n int) {
	announce(w, data[:n], len(data))
	panic(http.ErrAbortHandler)
}

// stallFirst makes the server send only the beginning of the file at the first request, and wait until the client gives up.
func stallFirst(beginning []byte, size int) func(w http.ResponseWriter, r *http.Request, request int) bool {
	return func(w http.ResponseWriter, r *http.Request, request int) bool {
		if request == 1 {
			announce(w, beginning, size)
			<-r.Context().Done()
		}
		return request == 1
	}
}

// source returns a set's source whose files are on this server.
func (s *server) source(src source) source {
	src.remotes = slices.Clone(src.remotes)
	for i := range src.remotes {
		sum := md5.Sum(s.files[src.remotes[i].name()])
		src.remotes[i].url = s.URL + "/" + src.remotes[i].name()
		src.remotes[i].md5 = hex.EncodeToString(sum[:])
	}
	return src
}

func quickGetter() *getter {
	g := newGetter(nil)
	g.pause, g.stall = time.Millisecond, 5*time.Second
	return g
}

var (
	getSet = smallCIFAR(cifar10, 30, 20)
	getSrc = func() source {
		src := sources()["cifar10"]
		src.sizes = getSet.sizes("batches.meta.txt")
		return src
	}()
)

const archiveName = "cifar-10-binary.tar.gz"

func goodEntries() []tar.Header {
	entries := []tar.Header{{Name: getSet.dir + "/", Typeflag: tar.TypeDir}}
	for k, file := range getSet.files {
		entries = append(entries, entry(getSet.dir+"/"+file, cifarFile(getSet, 30, k)))
	}
	return append(entries, entry(getSet.dir+"/batches.meta.txt", []byte("airplane\n")), entry(getSet.dir+"/unknown.txt", nil))
}

// visible lists what a user sees under root.
func visible(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if name, _ := filepath.Rel(root, path); name != "." && !strings.HasSuffix(name, ".lock") {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return names
}
