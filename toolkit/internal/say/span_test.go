package say

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond:        "0 s",
		59*time.Second + 6e8:          "1 min 00 s",
		61 * time.Minute:              "1 h 01 min",
		47*time.Hour + 59*time.Minute: "47 h 59 min",
		14 * 24 * time.Hour:           "14 days",
	} {
		require.Equal(t, want, Span(d), d)
	}
}
