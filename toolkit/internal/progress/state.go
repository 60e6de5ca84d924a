package progress

import (
	"fmt"
	"math"
	"strings"
	"time"

	"stochdepth/toolkit/internal/say"
)

// State is the state of a job, as a [Bar] hands it to its [Screen].
type State struct {
	Label   string
	Elapsed time.Duration

	unit, text  string
	done, total int64 // total 0: unknown
	speed       float64
	remaining   time.Duration // 0: unknown
	jobs        []Job
	share       *float64 // done, in 0..1, if set by Bar.Jobs
}

// Job is a part of a larger job, while it is at work.
type Job struct {
	Name, Text string
	Part       float64 // done, in 0..1
}

// Fraction is the part that is done, in 0..1; false if the total is not known.
func (s State) Fraction() (float64, bool) {
	switch {
	case s.total <= 0:
		return 0, false
	case s.share != nil:
		return *s.share, true
	}
	return min(1, float64(s.done)/float64(s.total)), true
}

// Parts lists the numbers and texts in the order in which they are shown.
func (s State) Parts() []string {
	parts := s.parts()
	for _, job := range s.jobs {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", job.Name, 100*job.Part))
	}
	return parts
}

// parts is Parts without the jobs.
func (s State) parts() []string {
	var parts []string
	if fraction, ok := s.Fraction(); ok {
		parts = append(parts, fmt.Sprintf("%3.0f%%", math.Floor(100*fraction)), s.count(s.done)+" of "+s.amount(s.total))
	} else if s.done > 0 || s.text == "" {
		parts = append(parts, s.amount(s.done))
	}
	if s.speed > 0 {
		parts = append(parts, s.rate())
	}
	if s.remaining > 0 {
		parts = append(parts, say.Span(s.remaining)+" left")
	}
	if s.text != "" {
		parts = append(parts, s.text)
	}
	return parts
}

// Result is the line that stays when the job has ended.
func (s State) Result() string {
	result := fmt.Sprintf("%s: %s", s.Label, s.amount(s.done))
	if s.Elapsed > 0 {
		result += " in " + say.Span(s.Elapsed)
	}
	if s.text != "" {
		result += ", " + s.text
	}
	return result
}

func (s State) inBytes() bool { return s.unit == "bytes" }

// amount is a count with its unit.
func (s State) amount(n int64) string {
	if s.inBytes() {
		return s.count(n) + " MB"
	}
	return strings.TrimSpace(s.count(n) + " " + s.unit)
}

func (s State) count(n int64) string {
	if s.inBytes() {
		return fmt.Sprintf("%.1f", float64(n)/1e6)
	}
	return say.Grouped(n)
}

func (s State) rate() string {
	switch {
	case s.inBytes():
		return fmt.Sprintf("%.1f MB/s", s.speed/1e6)
	case s.speed < 0.1: // slow enough to count the other way round
		return fmt.Sprintf("%.0f s each", 1/s.speed)
	case s.speed < 10:
		return fmt.Sprintf("%.2g/s", s.speed)
	}
	return fmt.Sprintf("%.0f/s", s.speed)
}
