package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A dangerous archive is refused completely, even if its checksum is right.
func TestGetEvilArchive(t *testing.T) {
	dir := getSet.dir + "/"
	for name, c := range map[string]struct {
		add  tar.Header
		want string
	}{
		"parent folder":        {entry("../evil.txt", []byte("x")), "points outside the folder"},
		"parent inside a path": {entry(dir+"../../evil.txt", []byte("x")), "points outside the folder"},
		"absolute path":        {entry("/tmp/evil.txt", []byte("x")), "points outside the folder"},
		"symbolic link": {tar.Header{Name: dir + "link", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
			"neither a file nor a folder"},
		"hard link": {tar.Header{Name: dir + "link", Typeflag: tar.TypeLink, Linkname: "../../x"},
			"neither a file nor a folder"},
		"device":               {tar.Header{Name: dir + "null", Typeflag: tar.TypeChar}, "neither a file nor a folder"},
		"giant text":           {entry(dir+"readme.html", make([]byte, largestText+1)), "has 1,048,577 bytes, too many for a text"},
		"file of another size": {entry(dir+"data_batch_1.bin", make([]byte, 3073)), "has 3,073 bytes instead of 92,190"},
		"file twice":           {entry(dir+"data_batch_1.bin", cifarFile(getSet, 30, 1)), "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			src := getSrc
			src.sizes = getSet.sizes("readme.html")
			s, parent := newServer(t, map[string][]byte{archiveName: archive(t, append(goodEntries(), c.add)...)}), t.TempDir()
			root := filepath.Join(parent, "root")
			err := quickGetter().get(t.Context(), s.source(src), root)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, []string{"root", "root/" + archiveName + ".part"}, visible(t, parent))
		})
	}
	t.Run("a file is missing", func(t *testing.T) {
		s, root := newServer(t, map[string][]byte{archiveName: archive(t, goodEntries()[:4]...)}), t.TempDir()
		require.ErrorContains(t, quickGetter().get(t.Context(), s.source(getSrc), root), "does not contain data_batch_4.bin")
		require.Equal(t, []string{archiveName + ".part"}, visible(t, root))
	})
}

// archive packs entries into a .tar.gz.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, entry := range entries {
		data := []byte(entry.PAXRecords["test.data"])
		entry.PAXRecords = nil
		if entry.Typeflag == 0 {
			entry.Typeflag, entry.Size = tar.TypeReg, int64(len(data))
		}
		entry.Mode = 0o644
		require.NoError(t, w.WriteHeader(&entry))
		if entry.Typeflag == tar.TypeReg {
			_, err := w.Write(data)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return out.Bytes()
}

func entry(name string, data []byte) tar.Header {
	return tar.Header{Name: name, PAXRecords: map[string]string{"test.data": string(data)}}
}
