package say

import (
	"fmt"
	"time"
)

// Span is a duration in the two units that matter to people: 7 s, 1 min 05 s, 2 h 30 min, 14 days.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24+0.5))
}

// SpanOf is [Span] for a number of seconds.
func SpanOf(seconds float64) string { return Span(time.Duration(seconds * float64(time.Second))) }
