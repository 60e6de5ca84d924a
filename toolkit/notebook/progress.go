package notebook

import (
	"fmt"
	"math"
	"strings"
	"time"

	"stochdepth/toolkit/internal/say"
)

// progress is the state of a job, as a [Bar] shows it.
type progress struct {
	label, unit, text  string
	done, total        int64 // total 0: unknown
	speed              float64
	elapsed, remaining time.Duration // remaining 0: unknown
}

// fraction is the part that is done, in 0..1; false if the total is not known.
func (p progress) fraction() (float64, bool) {
	if p.total <= 0 {
		return 0, false
	}
	return min(1, float64(p.done)/float64(p.total)), true
}

// parts are the numbers, in the order they are shown in.
func (p progress) parts() []string {
	var parts []string
	if fraction, ok := p.fraction(); ok {
		parts = append(parts, fmt.Sprintf("%3.0f%%", math.Floor(100*fraction)), p.count(p.done)+" of "+p.amount(p.total))
	} else if p.done > 0 || p.text == "" {
		parts = append(parts, p.amount(p.done))
	}
	if p.speed > 0 {
		parts = append(parts, p.rate())
	}
	if p.remaining > 0 {
		parts = append(parts, say.Span(p.remaining)+" left")
	}
	if p.text != "" {
		parts = append(parts, p.text)
	}
	return parts
}

// result is the line that stays when the job has ended.
func (p progress) result() string {
	result := fmt.Sprintf("%s: %s", p.label, p.amount(p.done))
	if p.elapsed > 0 {
		result += " in " + say.Span(p.elapsed)
	}
	if p.text != "" {
		result += ", " + p.text
	}
	return result
}

func (p progress) inBytes() bool { return p.unit == "bytes" }

// amount is a count with its unit.
func (p progress) amount(n int64) string {
	if p.inBytes() {
		return p.count(n) + " MB"
	}
	return strings.TrimSpace(p.count(n) + " " + p.unit)
}

func (p progress) count(n int64) string {
	if p.inBytes() {
		return fmt.Sprintf("%.1f", float64(n)/1e6)
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func (p progress) rate() string {
	switch {
	case p.inBytes():
		return fmt.Sprintf("%.1f MB/s", p.speed/1e6)
	case p.speed < 0.1: // slow enough to count the other way round
		return fmt.Sprintf("%.0f s each", 1/p.speed)
	case p.speed < 10:
		return fmt.Sprintf("%.2g/s", p.speed)
	}
	return fmt.Sprintf("%.0f/s", p.speed)
}
