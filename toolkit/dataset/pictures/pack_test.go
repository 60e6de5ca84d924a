package pictures

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/disk"
)

// plain is a picture of one grey.
func plain(t testing.TB, grey int) string {
	return string(encodePNG(t, filled(image.NewGray(image.Rect(0, 0, 10, 12)), color.Gray{uint8(grey)})))
}

// greys is a folder of two classes, 40 and 30 pictures for training and 3 and 2 for validation, each of a grey of its own.
func greys(t testing.TB) string {
	files := map[string]string{}
	add := func(part, class string, n int) {
		for i := range n {
			files[fmt.Sprintf("%s/%s/%02d.png", part, class, i)] = plain(t, len(files)+1)
		}
	}
	add("train", "a", 40)
	add("train", "b", 30)
	add("val", "a", 3)
	add("val", "b", 2)
	return folderOf(t, files)
}

var small = Settings{4, ShortSide, ObeyEXIF}

func open(t testing.TB, dir string, o Options) (*Pack, error) {
	folder, err := Index(dir)
	require.NoError(t, err)
	return Open(context.Background(), folder, o)
}

// shades are the greys of the images of a part.
func shades(p *Pack, part int) (list []byte) {
	for i := 0; i < len(p.Parts[part].Pixels); i += small.bytes() {
		list = append(list, p.Parts[part].Pixels[i])
	}
	return list
}

func requireGreys(t testing.TB, p *Pack) {
	require.Equal(t, []string{"a", "b"}, p.Classes)
	require.Equal(t, []int{40, 30}, p.Parts[0].Counts)
	require.Equal(t, []int{3, 2}, p.Parts[1].Counts)
	all := append(shades(p, 0), shades(p, 1)...)
	require.Len(t, all, 75)
	for i, grey := range all {
		require.EqualValues(t, i+1, grey)
	}
}

// packs lists the files of a cache, without locks.
func packs(t testing.TB, cache string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(cache, Packs))
	require.NoError(t, err)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".lock") && !strings.HasSuffix(entry.Name(), skipEnd) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// A folder is packed once, in its order; other settings make another pack, and a changed file a new one in place of the former.
func TestPack(t *testing.T) {
	dir, o := greys(t), Options{Settings: small, Cache: t.TempDir()}
	var reports [][2]int64
	o.Progress = func(done, total int64, _ string) { reports = append(reports, [2]int64{done, total}) }
	first, err := open(t, dir, o)
	require.NoError(t, err)
	requireGreys(t, first)
	require.Empty(t, first.Notes)
	require.Equal(t, [][2]int64{{32, 75}, {64, 75}, {75, 75}}, reports)
	again, err := open(t, dir, o)
	require.NoError(t, err)
	requireGreys(t, again)
	require.Len(t, reports, 3, "not packed again")

	o.Resize = Squeeze
	_, err = open(t, dir, o)
	require.NoError(t, err)
	require.Len(t, packs(t, o.Cache), 2)
	o.Resize = ShortSide

	changed := filepath.Join(dir, "train", "a", "00.png")
	require.NoError(t, os.WriteFile(changed, []byte(plain(t, 200)), 0o644))
	require.NoError(t, os.Chtimes(changed, time.Time{}, time.Unix(1_000_000_000, 0)))
	second, err := open(t, dir, o)
	require.NoError(t, err)
	require.EqualValues(t, 200, shades(second, 0)[0])
	requireGreys(t, first) // those who read it go on
	require.Len(t, packs(t, o.Cache), 2)
}

// Damaged files in the middle are named, all of them, and everything else is packed: only the user's word is missing.
func TestDamagedPictures(t *testing.T) {
	dir, o := greys(t), Options{Settings: small, Cache: t.TempDir()}
	require.NoError(t, os.Truncate(filepath.Join(dir, "train", "a", "07.png"), 50))
	for _, name := range []string{"train/b/11.png", "val/b/00.png"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("none"), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "train", "a", "notes.txt"), nil, 0o644))
	_, err := open(t, dir, o)
	require.EqualError(t, err, dir+": 4 files cannot be read: train/a/notes.txt is no picture, train/a/07.png is cut short, "+
		"train/b/11.png is no JPEG or PNG, and 1 more; replace or remove them, or pass over them with --skip-damaged")

	packed := 0
	o.Progress = func(int64, int64, string) { packed++ }
	o.SkipDamaged = true
	for range 2 { // the second time without the option
		pack, err := open(t, dir, o)
		require.NoError(t, err)
		require.Zero(t, packed)
		require.Equal(t, []int{39, 29}, pack.Parts[0].Counts)
		require.Equal(t, []int{3, 1}, pack.Parts[1].Counts)
		require.Equal(t, []byte{6, 7, 9}, shades(pack, 0)[5:8])
		require.Equal(t, []byte{71, 72, 73, 75}, shades(pack, 1))
		require.Equal(t, []string{"4 files that cannot be read are passed over: train/a/notes.txt is no picture, " +
			"train/a/07.png is cut short, train/b/11.png is no JPEG or PNG, and 1 more"}, pack.Notes)
		o.SkipDamaged = false
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "train", "b", "11.png"), []byte(plain(t, 5)), 0o644))
	_, err = open(t, dir, o)
	require.ErrorContains(t, err, "3 files cannot be read", "the folder has changed: the user is asked again")
}

// The same picture in training and elsewhere is said, whatever the names and formats.
func TestTwins(t *testing.T) {
	picture := noise(30, 30)
	files := map[string]string{"train/a/1.png": string(encodePNG(t, picture)), "train/b/1.png": plain(t, 1),
		"train/b/2.png": plain(t, 2), "test/a/9.png": string(encodePNG(t, image.NewRGBA64(picture.Rect))), "test/b/9.png": plain(t, 2)}
	files["train/b/again.png"] = files["train/a/1.png"]
	pack, err := open(t, folderOf(t, files), Options{Settings: small, Cache: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, []string{"1 picture outside of training is in training too, such as test/b/9.png, which is train/b/2.png",
		"1 picture of training is there twice, such as train/a/1.png and train/b/again.png, and may come into two parts"}, pack.Notes)
}

// A process that ends after any change to the disk, or whose disk is full from then on, leaves nothing that is taken for a pack:
// the next one begins anew and leaves the pack alone in its folder.
func TestPackingEndsAnywhere(t *testing.T) {
	dir := greys(t)
	for changes := 0; ; changes++ {
		for _, killed := range []bool{true, false} {
			o := Options{Settings: small, Cache: t.TempDir()}
			left := changes
			end := disk.Observe(disk.Observer{Before: func(operation, _ string) error {
				if left--; left >= 0 || !killed && operation == "remove" {
					return nil
				}
				return syscall.ENOSPC
			}})
			_, err := open(t, dir, o)
			end()
			if err == nil {
				require.Greater(t, changes, 5)
				return
			}
			require.ErrorContains(t, err, "free some space and start the same command again")
			require.ErrorIs(t, err, syscall.ENOSPC)
			if !killed && changes > 0 {
				require.Empty(t, packs(t, o.Cache))
			}
			pack, err := open(t, dir, o)
			require.NoError(t, err)
			requireGreys(t, pack)
			require.Len(t, packs(t, o.Cache), 1)
		}
	}
}

// A cache that one may not write, and a folder with the longest of names.
func TestWhereAPackIsKept(t *testing.T) {
	dir, o := filepath.Join(t.TempDir(), strings.Repeat("é", 125)), Options{Settings: small, Cache: t.TempDir()}
	require.NoError(t, os.Rename(greys(t), dir))
	for _, o.SkipDamaged = range []bool{false, true} {
		end := disk.Observe(disk.Observer{Before: func(string, string) error { return syscall.EROFS }})
		_, err := open(t, dir, o)
		end()
		require.EqualError(t, err, "the packed pictures cannot be written (read-only file system): make "+
			filepath.Join(o.Cache, Packs)+" a folder that you may write to, or a link to one")
	}
	pack, err := open(t, dir, o)
	require.NoError(t, err)
	requireGreys(t, pack)
	require.True(t, strings.HasPrefix(filepath.Base(pack.Path), strings.Repeat("é", 50)+"-"), pack.Path)
}

// A real file system that is full.
func TestPackingOnAFullDisk(t *testing.T) {
	o := Options{Settings: Settings{64, ShortSide, ObeyEXIF}, Cache: t.TempDir()}
	if err := syscall.Mount("tmpfs", o.Cache, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a small file system is not allowed here: %v", err)
	}
	defer syscall.Unmount(o.Cache, 0)
	_, err := open(t, greys(t), o)
	require.ErrorContains(t, err, "no space left on device while writing "+o.Cache)
	require.Empty(t, packs(t, o.Cache))
}

func TestPackingIsInterrupted(t *testing.T) {
	dir, o := greys(t), Options{Settings: small, Cache: t.TempDir()}
	folder, err := Index(dir)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	o.Progress = func(int64, int64, string) { cancel(errors.New("enough")) }
	_, err = Open(ctx, folder, o)
	require.EqualError(t, err, "packing the pictures of "+dir+" was interrupted (enough): the same command begins it anew")
	require.Empty(t, packs(t, o.Cache))
}

// Two that pack at the same time: one does, the others wait for it.
func TestPackingAtTheSameTime(t *testing.T) {
	dir, o := greys(t), Options{Settings: small, Cache: t.TempDir()}
	var made atomic.Int32
	defer disk.Observe(disk.Observer{After: func(operation, _ string) {
		if operation == "createtemp" {
			made.Add(1)
		}
	}})()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			pack, err := open(t, dir, o)
			if err != nil {
				t.Error(err)
				return
			}
			requireGreys(t, pack)
		})
	}
	all.Wait()
	require.EqualValues(t, 1, made.Load())
}

// A pack of another version, or one that is cut short or altered where it says what it has, is made again.
func TestPacksOfOthers(t *testing.T) {
	dir, o := greys(t), Options{Settings: small, Cache: t.TempDir()}
	_, err := open(t, dir, o)
	require.NoError(t, err)
	path := filepath.Join(o.Cache, Packs, packs(t, o.Cache)[0])
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	older := bytes.Replace(whole, []byte("stochdepth pictures 2"), []byte("stochdepth pictures 0"), 1)
	for name, data := range map[string][]byte{
		"older": older, "empty": nil, "cut": whole[:len(whole)-1], "short": whole[:page], "zeros": make([]byte, len(whole)),
		"fewer":  append(bytes.Clone(whole[:page]), whole[page+small.bytes():]...),
		"length": bytes.Join([][]byte{whole[:len(whole)-footer], bytes.Repeat([]byte{255}, 8), whole[len(whole)-footer+8:]}, nil),
	} {
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.WriteFile(path, data, 0o644))
		pack, err := open(t, dir, o)
		require.NoError(t, err, name)
		requireGreys(t, pack)
		again, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, whole, again, name)
	}
}

// Whatever the end of a pack says, it is read within its bounds or not at all.
func FuzzPack(f *testing.F) {
	end := []byte(`{"classes":2,"parts":[{"name":"training","images":[1,1]}]}`)
	f.Add(2, end)
	f.Add(2, []byte(`{"classes":1,"parts":[{"name":"training","images":[-1]},{"name":"test","images":[3]}]}`))
	f.Add(0, []byte(`{"classes":2,"parts":[{"images":[9223372036854775807,1]}]}`))
	f.Fuzz(func(t *testing.T, n int, end []byte) {
		data := append(make([]byte, page+min(max(n, 0), 100)*small.bytes()), end...)
		data = binary.LittleEndian.AppendUint64(data, uint64(len(end)))
		var p Pack
		if !p.read(append(data, mark...), small) {
			return
		}
		for _, part := range p.Parts {
			images := 0
			for _, count := range part.Counts {
				require.GreaterOrEqual(t, count, 0)
				images += count
			}
			require.Len(t, part.Pixels, images*small.bytes())
		}
	})
}
