package page

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFill(t *testing.T) {
	const (
		speed = "<!-- begin speed peers-*, written by `stochdepth pages` -->\n"
		list  = "<!-- begin list, written by `stochdepth pages` -->\n"
	)
	fill := func(text string) (string, error) {
		return Fill(text, func(words []string) (string, error) {
			if words[0] == "list" {
				return "", nil
			}
			return "\n| " + strings.Join(words, " of ") + " |\n", nil
		})
	}
	want := "# Title\n\n" + speed + "\n| speed of peers-* |\n\n" + end + "\n\nText.\n\n" + list + "\n" + end + "\n\nThe end.\n"
	for _, old := range []string{"", "\n| old |\n\n"} {
		filled, err := fill("# Title\n\n" + speed + old + end + "\n\nText.\n\n" + list + old + end + "\n\nThe end.\n")
		require.NoError(t, err)
		require.Equal(t, want, filled)
	}
	same, err := fill("# Title\n")
	require.NoError(t, err)
	require.Equal(t, "# Title\n", same)

	for _, broken := range []string{speed, end, end + speed, speed + list + end, list + end + end, list + end + speed,
		strings.TrimSpace(list) + end, "<!-- begin x\n" + list + end} {
		_, err := fill(broken)
		require.Error(t, err, broken)
	}
	failed := errors.New("no records")
	_, err = Fill(speed+end, func([]string) (string, error) { return "", failed })
	require.ErrorIs(t, err, failed)
}
