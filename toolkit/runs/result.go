package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Result is what came out of a run, result.json. Numbers that are not finite (a diverged run) are null in the file
// and read back as NaN.
type Result struct {
	BestEpoch       float64 `json:"best_epoch"`       // the epoch with the lowest validation error
	ValidationError float64 `json:"validation_error"` // percent, at that epoch
	TestError       float64 `json:"test_error"`       // percent, at that epoch: the number to report
	Epochs          float64 `json:"epochs"`           // done
	Steps           int64   `json:"steps"`            // done

	Completed bool   `json:"completed"`         // all epochs of the recipe are done
	Status    string `json:"status"`            // "finished", "stopped" or "diverged"
	Message   string `json:"message,omitempty"` // why it stopped

	WallSeconds    float64 `json:"wall_seconds"` // all sessions of the run together
	StepsPerSecond float64 `json:"steps_per_second"`
	CompileSeconds float64 `json:"compile_seconds"`

	Session // the newest

	Parameters int64     `json:"parameters"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`

	// Earlier sessions that trained a part of the run elsewhere: on another machine, or with other versions.
	Earlier []Session `json:"earlier,omitempty"`
}

// Session says where a part of a run was trained, and with which versions.
type Session struct {
	Machine      string `json:"machine"`
	Device       string `json:"device"`
	Devices      int    `json:"devices,omitempty"` // that shared the training steps
	GoVersion    string `json:"go_version"`
	GoMLXVersion string `json:"gomlx_version"`
	PJRTVersion  string `json:"pjrt_version"`
	Kernels      string `json:"kernels,omitempty"` // instructions of the CPU kernels: "AVX-512" or "AVX2"; "" if XLA computed all
	Commit       string `json:"commit"`            // of this project's source
}

// Sessions returns the sessions of the run that differ in machine or versions, the newest last.
func (r *Result) Sessions() []Session {
	return append(slices.Clone(r.Earlier), r.Session)
}

// Machines names the machines that trained the run, each once: the processor, and the device if it is another one.
func (r *Result) Machines() []string {
	return r.each(func(s Session) string {
		if strings.HasPrefix(s.Device, "TFRT_CPU") { // XLA's name of the processor that the machine names already
			return s.Machine
		}
		return strings.Trim(s.Machine+", "+s.Device, ", ")
	})
}

// Commits are the commits of this project's source that trained the run, each once.
func (r *Result) Commits() []string { return r.each(func(s Session) string { return s.Commit }) }

// each collects a text from every session, without empty ones and repetitions.
func (r *Result) each(textOf func(Session) string) (texts []string) {
	for _, s := range r.Sessions() {
		if text := textOf(s); text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// number is a float64 for JSON, which has no NaN: null stands for it.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); !math.IsNaN(x) && !math.IsInf(x, 0) {
		return json.Marshal(x)
	}
	return []byte("null"), nil
}

func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// resultJSON hides Result's floats behind numbers of the same key.
type resultJSON struct {
	BestEpoch       number `json:"best_epoch"`
	ValidationError number `json:"validation_error"`
	TestError       number `json:"test_error"`
	Epochs          number `json:"epochs"`
	*plainResult
	WallSeconds    number `json:"wall_seconds"`
	StepsPerSecond number `json:"steps_per_second"`
	CompileSeconds number `json:"compile_seconds"`
}

type plainResult Result // without Result's methods, which would recurse

// MarshalJSON writes null for numbers that are not finite.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(resultJSON{
		number(r.BestEpoch), number(r.ValidationError), number(r.TestError), number(r.Epochs), (*plainResult)(&r),
		number(r.WallSeconds), number(r.StepsPerSecond), number(r.CompileSeconds),
	})
}

// UnmarshalJSON reads null as NaN.
func (r *Result) UnmarshalJSON(data []byte) error {
	file := resultJSON{plainResult: (*plainResult)(r)}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	r.BestEpoch, r.ValidationError, r.TestError = float64(file.BestEpoch), float64(file.ValidationError), float64(file.TestError)
	r.Epochs, r.WallSeconds = float64(file.Epochs), float64(file.WallSeconds)
	r.StepsPerSecond, r.CompileSeconds = float64(file.StepsPerSecond), float64(file.CompileSeconds)
	return nil
}

// readResult returns nil for a run that has not ended yet.
func readResult(path string) (*Result, error) {
	data, err := files.ReadText(path, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the result of the run: %w", err)
	}
	var result Result
	if err := json.Unmarshal(data, &result); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): delete it and start the run again to have it rewritten",
			path, say.JSONError(err))
	}
	return &result, nil
}
