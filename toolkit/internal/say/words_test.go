package say

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestShortCommit(t *testing.T) {
	for commit, want := range map[string]string{"": "", "0123": "0123", "0123456789ab": "0123456", "0123456789ab+": "0123456+",
		"fedcba987654, 0123456789ab+": "fedcba9, 0123456+"} {
		require.Equal(t, want, ShortCommit(commit))
	}
}

func TestWords(t *testing.T) {
	require.Equal(t, []string{"", "1", "1 and 2", "1, 2 and 3"},
		[]string{Enumerate([]int{}), Enumerate([]int{1}), Enumerate([]int{1, 2}), Enumerate([]int{1, 2, 3})})
	require.Equal(t, []string{"0.1", "−0.5", "1.23457"}, []string{Decimal(1 - 0.9), Decimal(-0.5), Decimal(1.234567)})
	require.Equal(t, "s, , s", Plural(0)+", "+Plural(1)+", "+Plural(2))
	require.Equal(t, "*p<sub>L</sub>* = 0.5", Markdown("p_L = 0.5"))
}

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
