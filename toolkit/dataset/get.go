package dataset

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
)

// remote is a file on an official server.
type remote struct {
	url string
	md5 string // as published
}

// name is the file's name, here as on the server.
func (r remote) name() string { return path.Base(r.url) }

// source says where a set comes from: an archive that unpacks to the set's folder, or single files.
type source struct {
	folder
	remotes []remote         // one .tar.gz of the folder, or the files
	sizes   map[string]int64 // the exact size of each file that an archive may have, or 0 for a small text
}

func sources() map[string]source {
	return map[string]source{
		cifar10.name: {
			folder:  cifar10.folder,
			remotes: []remote{{"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"}},
			sizes:   cifar10.sizes("batches.meta.txt", "readme.html"),
		},
		cifar100.name: {
			folder:  cifar100.folder,
			remotes: []remote{{"https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"}},
			sizes:   cifar100.sizes("coarse_label_names.txt", "fine_label_names.txt"),
		},
		svhn.name: {
			folder: svhn.folder,
			remotes: []remote{
				{"http://ufldl.stanford.edu/housenumbers/" + svhnTrain, "e26dedcc434d2e4c54c9b2d4a06d8373"},
				{"http://ufldl.stanford.edu/housenumbers/" + svhnExtra, "a93ce644f1a588dc4d68dda5feec44a7"},
				{"http://ufldl.stanford.edu/housenumbers/" + svhnTest, "eb5a983be6a315427106f1b164d9cef3"},
			},
		},
	}
}

// sizes returns the sizes of the record files, and 0 for the texts beside them.
func (c cifar) sizes(texts ...string) map[string]int64 {
	sizes := map[string]int64{}
	for file, n := range c.records {
		sizes[file] = int64(n * c.recordBytes())
	}
	for _, text := range texts {
		sizes[text] = 0
	}
	return sizes
}

// Get downloads a set from its official address into root ("" means DefaultRoot()), unless it is there already:
// cifar-10-batches-bin/, cifar-100-binary/ or svhn/. For shapes there is nothing to do. An archive or file that the user has
// put there is checked and used.
//
// It goes on with a broken download, tries again after temporary errors, and checks the published MD5. Incomplete files never
// have their final names; an interrupted Get leaves a .part file that the next one continues. A second process waits until the
// first has ended. The folder gets a list SHA256SUMS, against which [Load] and [Verify] check the files from then on.
//
// progress, if not nil, is called often with the bytes done and in all (0: unknown), and with what is being done. Errors are
// one sentence.
func Get(ctx context.Context, name, root string, progress func(done, total int64, what string)) error {
	src, ok := sources()[name]
	if !ok {
		_, err := Find(name) // shapes are drawn
		return err
	}
	return newGetter(progress).get(ctx, src, cmp.Or(root, DefaultRoot()))
}

// getter downloads; tests set its fields to other values.
type getter struct {
	client   *http.Client
	progress func(done, total int64, what string)
	retries  int           // without any progress
	pause    time.Duration // before the first retry; doubled before each further one
	stall    time.Duration // after which a connection without data is broken
	largest  int64         // bytes of a file
}

func newGetter(progress func(done, total int64, what string)) *getter {
	if progress == nil {
		progress = func(int64, int64, string) {}
	}
	return &getter{client: http.DefaultClient, progress: progress, retries: 4, pause: time.Second, stall: time.Minute,
		largest: largestDownload}
}

func (g *getter) get(ctx context.Context, src source, root string) error {
	err := g.locked(ctx, src, root)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted (%w): run `stochdepth data get %s` again to go on where it stopped",
			src.name, context.Cause(ctx), src.name)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: the disk of %s is full: free some space and run `stochdepth data get %s` again to go on (%w)",
			src.name, root, src.name, err)
	}
	return fmt.Errorf("%s: %w", src.name, err)
}

// locked gets the set while no other process does so.
func (g *getter) locked(ctx context.Context, src source, root string) error {
	if src.complete(root) {
		return nil
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return fmt.Errorf("cannot make the folder for data: %w", err)
	}
	path := filepath.Join(root, "."+src.dir+".lock")
	lock := flock.New(path, flock.SetPermissions(0o666)) // the file stays, and the next user may be another one
	held, err := lock.TryLock()
	if err == nil && !held {
		g.progress(0, 0, "waiting for another process that gets "+src.name)
		held, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil || !held {
		return fmt.Errorf("cannot lock %s: %w", path, err)
	}
	defer lock.Unlock()
	if src.complete(root) {
		return nil // another process has got it meanwhile
	}
	if src.archive {
		return g.getArchive(ctx, src, root)
	}
	return g.getFiles(ctx, src, root)
}

// complete reports whether nothing is left to do: the files from an archive are there with the right sizes, or single files
// with their list, which is written last.
func (s source) complete(root string) bool {
	dir, err := s.find(root)
	if err != nil {
		return false
	}
	for _, file := range s.files {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || s.archive && info.Size() != s.sizes[file] {
			return false
		}
	}
	return s.archive || isFile(filepath.Join(dir, sumsFile))
}

// getArchive downloads the archive, unpacks it beside its place and moves it there in one step.
func (g *getter) getArchive(ctx context.Context, src source, root string) error {
	final := filepath.Join(root, src.dir)
	if _, err := os.Lstat(final); err == nil {
		return fmt.Errorf("%s is there already but not complete: remove it and run `stochdepth data get %s` again", final, src.name)
	}
	from := src.remotes[0]
	archive := filepath.Join(root, from.name())
	brought := isFile(archive) // by the user, who keeps it
	var err error
	if brought {
		_, err = g.check(ctx, src, from, archive)
	} else {
		archive += ".part"
		_, err = g.fetch(ctx, from, archive)
	}
	if err != nil {
		return err
	}
	staging := filepath.Join(root, "."+src.dir+".tmp")
	defer os.RemoveAll(staging) // a no-op once it has been moved
	g.progress(0, 0, "unpacking "+from.name())
	if err := unpack(ctx, archive, staging, src); err != nil {
		return err
	}
	if err := os.Rename(staging, final); err != nil {
		return fmt.Errorf("cannot move the unpacked set to its place: %w", err)
	}
	disk.Sync(root)
	if brought {
		return nil
	}
	return os.Remove(archive)
}

// check returns the SHA-256 of a file that is there already, or an error if it is not the official file.
func (g *getter) check(ctx context.Context, src source, from remote, path string) (sha [32]byte, err error) {
	g.progress(0, 0, "checking "+from.name())
	md5, sha, err := hashFile(ctx, path)
	if err == nil && md5 != from.md5 {
		err = fmt.Errorf("%s is there already but is not the official file (its MD5 is %s, not %s): "+
			"remove it and run `stochdepth data get %s` again", path, md5, from.md5, src.name)
	}
	return sha, err
}

// getFiles downloads the files one by one; each gets its name when it is complete and checked.
func (g *getter) getFiles(ctx context.Context, src source, root string) error {
	dir := filepath.Join(root, src.dir)
	if len(src.missing(root)) == 0 {
		dir = root // root is the set's own folder
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("cannot make the folder for data: %w", err)
	}
	sums := checksums{}
	for _, from := range src.remotes {
		path := filepath.Join(dir, from.name())
		if isFile(path) {
			sha, err := g.check(ctx, src, from, path)
			if err != nil {
				return err
			}
			sums[from.name()] = sha
			continue
		}
		sha, err := g.fetch(ctx, from, path+".part")
		if err != nil {
			return err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return fmt.Errorf("cannot give the download its name: %w", err)
		}
		sums[from.name()] = sha
	}
	return files.Write(filepath.Join(dir, sumsFile), []byte(sums.String()))
}

// fetch downloads a file to part, or the rest of it, checks its MD5 and returns its SHA-256.
func (g *getter) fetch(ctx context.Context, from remote, part string) (sha [32]byte, err error) {
	for {
		info, err := os.Stat(part)
		resumed := err == nil && info.Size() > 0
		if err := g.download(ctx, from, part); err != nil {
			return sha, err
		}
		g.progress(0, 0, "checking "+from.name())
		md5, sha, err := hashFile(ctx, part)
		if err != nil || md5 == from.md5 {
			return sha, err
		}
		if err := os.Remove(part); err != nil {
			return sha, fmt.Errorf("cannot remove a damaged download: %w", err)
		}
		if !resumed { // otherwise the beginning may belong to another file: start over, once
			return sha, fmt.Errorf("the download from %s was removed, as its MD5 is %s and not the published %s: "+
				"try again later, or put the file there yourself, as %s", from.url, md5, from.md5, place(part))
		}
	}
}

// place is the final path of the download in part, where the user can also put the file by hand.
func place(part string) string { return strings.TrimSuffix(part, ".part") }

// hashFile returns the MD5, in hexadecimal, and the SHA-256 of a file.
func hashFile(ctx context.Context, path string) (md5Hex string, sha [32]byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", sha, fmt.Errorf("cannot open the file to check it: %w", err)
	}
	defer file.Close()
	first, second := md5.New(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(first, second), interruptible{ctx, file}); err != nil {
		return "", sha, fmt.Errorf("cannot read %s to check it: %w", path, err)
	}
	return hex.EncodeToString(first.Sum(nil)), [32]byte(second.Sum(nil)), nil
}

// interruptible is a reader that stops with the context's error.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
