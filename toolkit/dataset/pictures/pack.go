package pictures

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Options say how a folder is packed.
type Options struct {
	Settings
	Cache       string // the folder of packs
	SkipDamaged bool   // call Folder.SkipDamaged first

	// Progress, if not nil, is called often while pictures are packed, with the numbers done and in all.
	Progress func(done, total int64, what string)
}

// A pack is one file. Its first page has a line with the format's number and the digest of what is packed; then come the images
// of all parts, training first, in the order of the classes; then contents in JSON; then footer bytes: the length of the
// contents and a mark. It gets its name when it is whole. A file of another format or digest is replaced.
const (
	format = 2
	page   = 4096
	mark   = "packed\n"
	footer = 8 + len(mark)
)

// contents describes the images of a pack.
type contents struct {
	Classes int           `json:"classes"` // number
	Parts   []packedPart  `json:"parts"`
	Damaged []damagedFile `json:"damaged,omitempty"`
	Notes   []string      `json:"notes,omitempty"` // what was seen in the pictures
}

type packedPart struct {
	Name   string `json:"name"`
	Images []int  `json:"images"` // of each class
}

// damagedFile is a file that cannot be read, and a clause that says why.
type damagedFile struct {
	Path []byte `json:"path"` // a name need not be UTF-8, as texts in JSON are
	Why  string `json:"why"`
}

func header(digest string) []byte {
	first := make([]byte, page)
	copy(first, fmt.Sprintf("stochdepth pictures %d %s\n", format, digest))
	return first
}

// Open returns the images of a folder, from its pack, which it makes if there is none or a file of the folder has changed. A
// second process waits until the first has made it. A pack that was not finished is begun anew.
//
// Files that cannot be read are an error that names them, with everything else packed, unless they are passed over, see
// [Folder.SkipDamaged].
func Open(ctx context.Context, folder *Folder, o Options) (*Pack, error) {
	if o.SkipDamaged {
		if err := folder.SkipDamaged(o.Cache); err != nil {
			return nil, err
		}
	}
	digest, path := folder.digest(o.Settings), folder.kept(o.Cache, fmt.Sprintf("-%s%d.pack", initials(o.Settings), o.Side))
	pack, err := openPack(path, digest, o.Settings)
	if pack == nil && err == nil {
		pack, err = makePack(ctx, path, digest, folder, o)
	}
	if err != nil {
		return nil, err
	}
	if len(pack.Damaged) > 0 && !folder.skipsDamaged(o.Cache) {
		return nil, ErrDamaged{pack.refusal(folder)}
	}
	pack.Notes = append(append([]string{}, folder.Notes...), pack.Notes...)
	if n := len(pack.Damaged); n > 0 {
		pack.Notes = append(pack.Notes, fmt.Sprintf("%s file%s that cannot be read %s passed over: %s",
			say.Grouped(n), say.Plural(n), say.IsOrAre(n), pack.damage()))
	}
	pack.name(folder)
	return pack, nil
}

// Packs is the folder of the packs in a cache.
const Packs = "packed-pictures"

// kept returns the name of a file that is kept for the folder: of a pack there is one for each of the settings, so that the pack
// of changed files takes the place of the former one.
func (f *Folder) kept(cache, end string) string {
	dir, err := filepath.Abs(f.Dir)
	if err != nil { // the working directory is gone
		dir = f.Dir
	}
	hash := fnv.New64a()
	io.WriteString(hash, dir)
	const longest = 100 // in bytes: file systems allow about 255, with the rest
	base := filepath.Base(dir)
	base = strings.ToValidUTF8(base[:min(longest, len(base))], "")
	return filepath.Join(cache, Packs, fmt.Sprintf("%s-%016x%s", base, hash.Sum64(), end))
}

// initials tell the settings apart in names of files, except for the side.
func initials(s Settings) string {
	text := ""
	if s.Resize != ShortSide {
		text += s.Resize + "-"
	}
	if s.EXIF != ObeyEXIF {
		text += s.EXIF + "-"
	}
	return text
}

// SkipDamaged notes in the cache that files of the folder that cannot be read are passed over, as long as no file changes.
func (f *Folder) SkipDamaged(cache string) error {
	path := f.kept(cache, skipEnd)
	return writeError(path, files.Make(path, []byte(f.digest(Settings{})+"\n")))
}

// skipsDamaged reports whether SkipDamaged was called for these files.
func (f *Folder) skipsDamaged(cache string) bool {
	noted, err := files.ReadText(f.kept(cache, skipEnd), files.LargestText)
	return err == nil && string(noted) == f.digest(Settings{})+"\n"
}

const skipEnd = ".skip"

// makePack packs a folder while no other process does so.
func makePack(ctx context.Context, path, digest string, folder *Folder, o Options) (*Pack, error) {
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, writeError(path, err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o666)) // the file stays, and the next user may be another one
	held, err := lock.TryLock()
	if err == nil && !held {
		o.report(0, 0, "waiting for another process that packs them")
		held, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil && cannotWrite(err) {
		return nil, writeError(path, err)
	}
	if err != nil || !held {
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	defer lock.Unlock()
	if pack, err := openPack(path, digest, o.Settings); pack != nil || err != nil {
		return pack, err // another process has made it meanwhile
	}
	files.RemoveLeft(filepath.Dir(path), files.Temporary(filepath.Base(path)), 0, time.Now()) // of a process that was killed
	err = files.WriteFrom(path, func(w io.Writer) error { return folder.pack(ctx, w, digest, o) })
	if ctx.Err() != nil {
		return nil, fmt.Errorf("packing the pictures of %s was interrupted (%w): the same command begins it anew",
			say.Shown(folder.Dir), context.Cause(ctx))
	}
	if err != nil {
		return nil, writeError(path, err)
	}
	pack, err := openPack(path, digest, o.Settings)
	if pack == nil && err == nil {
		err = fmt.Errorf("%s was changed by another program: start the same command again", path)
	}
	return pack, err
}

// cannotWrite reports whether an error says that the user may not write to a folder.
func cannotWrite(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// writeError is the error of writing a file of the cache, which the user has not chosen.
func writeError(path string, err error) error {
	if cannotWrite(err) {
		return fmt.Errorf("the packed pictures cannot be written (%w): make %s a folder that you may write to, or a link to one",
			cause(err), filepath.Dir(path))
	}
	return files.WriteError(path, err)
}

// cause is the error of an operation on a file without the file's name.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func (o Options) report(done, total int64, what string) {
	if o.Progress != nil {
		o.Progress(done, total, what)
	}
}

// picture is a file to pack.
type picture struct {
	File
	part, class int
}

// batch is consecutive pictures that one worker converts, and what came of them.
type batch struct {
	pictures []picture
	pixels   []byte
	errs     []error
	done     chan struct{}
}

const batchSize = 32

// pack writes a pack.
func (f *Folder) pack(ctx context.Context, w io.Writer, digest string, o Options) error {
	ctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()

	total := 0
	content := contents{Classes: len(f.Classes)}
	for _, part := range f.Parts {
		content.Parts = append(content.Parts, packedPart{part.Name, make([]int, len(f.Classes))})
		total += part.Len()
	}
	for _, stray := range f.Strays {
		content.Damaged = append(content.Damaged, damagedFile{[]byte(stray), "is no picture"})
	}
	if _, err := w.Write(header(digest)); err != nil {
		return err
	}
	seen, done := newTwins(), 0
	for b := range f.convert(ctx, o, &workers) {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		kept := b.pixels[:0]
		for i, p := range b.pictures {
			if b.errs[i] != nil {
				content.Damaged = append(content.Damaged, damagedFile{[]byte(p.Path), b.errs[i].Error()})
				continue
			}
			image := b.pixels[i*o.bytes() : (i+1)*o.bytes()]
			kept = append(kept, image...)
			content.Parts[p.part].Images[p.class]++
			seen.add(image, p)
		}
		if _, err := w.Write(kept); err != nil {
			return err
		}
		done += len(b.pictures)
		o.report(int64(done), int64(total), damagedSoFar(len(content.Damaged)))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	content.Notes = seen.notes(f)
	end, err := json.Marshal(content)
	if err != nil {
		return err
	}
	length := len(end)
	end = binary.LittleEndian.AppendUint64(end, uint64(length))
	_, err = w.Write(append(end, mark...))
	return err
}

func damagedSoFar(n int) string {
	if n == 0 {
		return ""
	}
	return say.Grouped(n) + " damaged"
}

// convert converts all pictures on all cores, and gives them in their order, a few batches ahead.
func (f *Folder) convert(ctx context.Context, o Options, workers *sync.WaitGroup) <-chan *batch {
	cores := runtime.GOMAXPROCS(0)
	work, order := make(chan *batch), make(chan *batch, 4*cores)
	for range cores {
		workers.Go(func() {
			for b := range work {
				for i, p := range b.pictures {
					if ctx.Err() != nil {
						return
					}
					b.errs[i] = o.decodeFile(filepath.Join(f.Dir, p.Path), b.pixels[i*o.bytes():(i+1)*o.bytes()])
				}
				close(b.done)
			}
		})
	}
	workers.Go(func() {
		defer close(order)
		defer close(work)
		for pictures := range f.batches() {
			b := &batch{pictures, make([]byte, len(pictures)*o.bytes()), make([]error, len(pictures)), make(chan struct{})}
			for _, to := range []chan *batch{order, work} {
				select {
				case to <- b:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	return order
}

// batches gives the pictures in their order.
func (f *Folder) batches() func(yield func([]picture) bool) {
	return func(yield func([]picture) bool) {
		var next []picture
		for part, p := range f.Parts {
			for class, list := range p.Classes {
				for _, file := range list {
					if next = append(next, picture{file, part, class}); len(next) == batchSize {
						if !yield(next) {
							return
						}
						next = nil
					}
				}
			}
		}
		if len(next) > 0 {
			yield(next)
		}
	}
}

// twins finds pictures that became the same image.
type twins struct {
	first map[[16]byte]picture
	count map[int]int // pictures of a part that are in training too
	among [2]string   // the first two
	twice int         // pictures of training that are there already
	again [2]string
}

func newTwins() *twins { return &twins{first: map[[16]byte]picture{}, count: map[int]int{}} }

func (t *twins) add(image []byte, p picture) {
	sum := sha256.Sum256(image)
	first, found := t.first[[16]byte(sum[:])]
	switch {
	case p.part == 0 && !found:
		t.first[[16]byte(sum[:])] = p
	case p.part == 0:
		if t.twice++; t.twice == 1 {
			t.again = [2]string{first.Path, p.Path}
		}
	case found:
		if t.count[p.part]++; t.among == [2]string{} {
			t.among = [2]string{first.Path, p.Path}
		}
	}
}

// notes says which images a network would be tested on that it was trained on.
func (t *twins) notes(f *Folder) (list []string) {
	all := 0
	for _, n := range t.count {
		all += n
	}
	if all > 0 {
		list = append(list, fmt.Sprintf("%s picture%s outside of training %s in training too, such as %s, which is %s",
			say.Grouped(all), say.Plural(all), say.IsOrAre(all), say.Shown(t.among[1]), say.Shown(t.among[0])))
	}
	if t.twice > 0 && len(f.Parts) < 3 {
		list = append(list, fmt.Sprintf("%s picture%s of training %s there twice, such as %s and %s, and may come into two parts",
			say.Grouped(t.twice), say.Plural(t.twice), say.IsOrAre(t.twice), say.Shown(t.again[0]), say.Shown(t.again[1])))
	}
	return list
}

// ErrDamaged is the error for files that cannot be read and are not passed over; it names them. All others are packed.
type ErrDamaged struct{ message string }

func (e ErrDamaged) Error() string { return e.message }

// refusal says which files cannot be read, and what to do.
func (p *Pack) refusal(folder *Folder) string {
	n := len(p.Damaged)
	it := "them"
	if n == 1 {
		it = "it"
	}
	return fmt.Sprintf("%s: %s file%s cannot be read: %s; replace or remove %s, or pass over %[5]s with --skip-damaged",
		say.Shown(folder.Dir), say.Grouped(n), say.Plural(n), p.damage(), it)
}

// damage names the first damaged files.
func (p *Pack) damage() string {
	const few = 3
	words := make([]string, 0, few+1)
	for i, d := range p.Damaged {
		if i == few {
			words = append(words, fmt.Sprintf("and %s more", say.Grouped(len(p.Damaged)-few)))
			break
		}
		words = append(words, say.Shown(string(d.Path))+" "+d.Why)
	}
	return strings.Join(words, ", ")
}
