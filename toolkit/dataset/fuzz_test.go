package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is on the disk or comes from a server, a reader returns usable images or an error.

func FuzzCIFAR(f *testing.F) {
	sets := []cifar{smallCIFAR(cifar10, 2, 1), smallCIFAR(cifar100, 2, 1)}
	for i, set := range sets {
		data := cifarFile(set, 2, 3)
		f.Add(i == 1, data)
		f.Add(i == 1, data[:len(data)-1])
		f.Add(i == 0, data)
		f.Add(i == 1, bytes.Repeat([]byte{255}, len(data)))
	}
	path := filepath.Join(f.TempDir(), "test_batch.bin")
	f.Fuzz(func(t *testing.T, coarse bool, data []byte) {
		set := sets[0]
		if coarse {
			set = sets[1]
		}
		set.records = map[string]int{"test_batch.bin": 2}
		require.NoError(t, os.WriteFile(path, data, 0o644))
		images := set.newImages(2)
		if err := set.readFile(path, nil, images); err != nil {
			return
		}
		for i := range images.Len() {
			require.Less(t, int(images.Labels[i]), len(set.classes))
			require.True(t, images.Coarse == nil || int(images.Coarse[i]) < set.coarse)
		}
	})
}

func FuzzSVHN(f *testing.F) {
	for _, w := range []matWriter{
		{order: binary.LittleEndian}, {order: binary.BigEndian, small: true}, {order: binary.LittleEndian, compress: true},
	} {
		whole := bytes.Join([][]byte{w.header(),
			w.array("X", classUint8, []int{side, side, channels, 2}, matUint8, svhnX(2)),
			w.array("y", classDouble, []int{2, 1}, matUint8, svhnY(2)),
			w.array("text\x1b[2J", classChar, []int{1, 3}, matUint16, []byte("abcdef"))}, nil)
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
		f.Add(bytes.Join([][]byte{w.header(), w.arrayHead("X", classUint8, []int{1 << 30, 1 << 30, 1 << 30})}, nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		images, err := readSVHN(bytes.NewReader(data), 2)
		if err != nil {
			return
		}
		require.Len(t, images.Pixels, 2*imageBytes)
		require.Len(t, images.Labels, 2)
		for _, label := range images.Labels {
			require.Less(t, label, uint16(10))
		}
	})
}

// An archive writes nothing outside its folder, and in it only known files. Data that is not packed is packed here, so that it
// also tests the reading of tar files.
func FuzzArchive(f *testing.F) {
	src := source{folder: folder{name: "set", title: "Set", dir: "set", files: []string{"a.bin"}, archive: true},
		sizes: map[string]int64{"a.bin": 3, "text": 0}}
	unpacked := func(headers ...tar.Header) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, header := range headers {
			if header.Typeflag == tar.TypeReg {
				header.Size = 3
			}
			require.NoError(f, w.WriteHeader(&header))
			if header.Size > 0 {
				_, err := w.Write([]byte("abc"))
				require.NoError(f, err)
			}
		}
		require.NoError(f, w.Close())
		return out.Bytes()
	}
	good := tar.Header{Name: "set/a.bin", Typeflag: tar.TypeReg, Mode: 0o644}
	for _, other := range []tar.Header{
		{Name: "set/", Typeflag: tar.TypeDir}, {Name: "set/text", Typeflag: tar.TypeReg}, {Name: "../evil", Typeflag: tar.TypeReg},
		{Name: "/evil", Typeflag: tar.TypeReg}, {Name: "set/link", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		{Name: "set/../../evil", Typeflag: tar.TypeReg},
	} {
		data := unpacked(other, good)
		f.Add(false, data)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(data)
		z.Close()
		f.Add(true, packed.Bytes())
	}
	parent := f.TempDir()
	f.Fuzz(func(t *testing.T, packed bool, data []byte) {
		if !packed {
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.NoCompression)
			z.Write(data)
			z.Close()
			data = out.Bytes()
		}
		archive, dir := filepath.Join(parent, "archive"), filepath.Join(parent, "in", "dir")
		require.NoError(t, os.RemoveAll(filepath.Dir(dir)))
		require.NoError(t, os.Mkdir(filepath.Dir(dir), 0o755))
		require.NoError(t, os.WriteFile(archive, data, 0o644))
		err := unpack(t.Context(), archive, dir, src)
		for _, name := range visible(t, parent) {
			require.Contains(t, []string{"archive", "in", "in/dir", "in/dir/a.bin", "in/dir/text", "in/dir/" + sumsFile}, name)
		}
		if err == nil {
			require.FileExists(t, filepath.Join(dir, "a.bin"))
			_, err := src.verifySums(dir)
			require.NoError(t, err)
		}
	})
}

func FuzzSums(f *testing.F) {
	sum := checksums{"a.bin": {1, 2, 3}, "b.bin": {255}}.String()
	for _, text := range []string{
		"", sum, "\n\n" + sum, sum[:40], sum[:64], sum[:65] + "*a.bin", sum[:64] + " *", sum[:64] + "  ./a", "zz  a",
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, sumsFile), data, 0o644))
		sums, err := readSums(dir)
		if err != nil {
			return
		}
		for name, sum := range sums {
			require.NotEmpty(t, name)
			require.True(t, sums.allow(filepath.Join("x", filepath.Base(name)), sum) || filepath.Base(name) != name)
		}
	})
}
