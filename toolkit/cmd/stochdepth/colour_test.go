package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPaint(t *testing.T) {
	table := "index  name     state   epochs\n0      ± done   done    3/3\n1      failed   failed  1/3     why\n" +
		"2      c        left    0/3\n3\n"
	require.Equal(t, "index  name     state   epochs\n"+
		"0      ± done   \x1b[32mdone\x1b[0m    3/3\n"+
		"1      failed   \x1b[31mfailed\x1b[0m  1/3     why\n"+
		"2      c        left    0/3\n3\n", paint(table, "state"), "words of other columns stay as they are")
	require.Equal(t, table, paint(table, "status"), "there is no such column")
	require.Equal(t, "status\n\x1b[31mdiverged\x1b[0m", paint("status\ndiverged", "status"))
}

// Only a terminal gets colours.
func TestColoursAreForTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	defer file.Close()
	require.False(t, hasColours(file))
	require.False(t, hasColours(&bytes.Buffer{}))
}
