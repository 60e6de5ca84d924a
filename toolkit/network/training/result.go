package training

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs"
)

// result describes the run after train has returned err.
func (s *session) result(err error) runs.Result {
	var earlier runs.Result
	if run, openErr := runs.Open(s.Dir); openErr == nil && run.Result != nil {
		earlier = *run.Result
	}
	last := len(s.at.Sessions) - 1
	r := runs.Result{
		Epochs: float64(s.at.Step) / float64(s.batches.PerEpoch()), Steps: s.at.Step,
		Completed: err == nil, Status: "finished",
		WallSeconds:    earlier.WallSeconds + time.Since(s.started).Seconds(),
		CompileSeconds: earlier.CompileSeconds + s.pipeline.compileSeconds,
		Session:        s.at.Sessions[last], Earlier: s.at.Sessions[:last], Parameters: s.net.Parameters(),
		Started: s.started.UTC().Truncate(time.Second), Ended: time.Now().UTC().Truncate(time.Second),
	}
	if !earlier.Started.IsZero() {
		r.Started = earlier.Started
	}
	if s.at.Seconds > 0 {
		r.StepsPerSecond = float64(s.at.Step) / s.at.Seconds
	}
	r.BestEpoch, r.ValidationError, r.TestError = math.NaN(), math.NaN(), math.NaN() // before the first evaluation
	if best, ok := runs.Best(s.writer.Rows()); ok {
		r.BestEpoch, r.ValidationError, r.TestError = best.Epoch, best.ValidationError, best.TestError
	}
	if err != nil {
		r.Status, r.Message = "stopped", err.Error()
		if errors.Is(err, ErrDiverged) {
			r.Status = "diverged"
		}
	}
	return r
}

// here describes this session: the part of the run that is trained now, on this machine.
func (s *session) here() runs.Session {
	info := backend.Describe(s.backend)
	return runs.Session{
		Machine: project.Machine(), Device: strings.Join(info.Devices[:min(1, len(info.Devices))], ""), Devices: s.Devices,
		GoVersion: runtime.Version(), GoMLXVersion: project.ModuleVersion("github.com/gomlx/gomlx"), PJRTVersion: info.PJRT,
		Kernels: info.Kernels, Commit: s.commit,
	}
}

// join adds this session to the sessions that made the checkpoint from which it goes on. Older checkpoints do not name their
// sessions: then those of the result count, if there is one.
func (s *session) join() {
	before := s.at.Sessions
	if len(before) == 0 && s.at.Step > 0 {
		if run, err := runs.Open(s.Dir); err == nil && run.Result != nil {
			before = run.Result.Sessions()
		}
	}
	here := s.here()
	s.at.Sessions = append(slices.DeleteFunc(slices.Clone(before), func(other runs.Session) bool { return other == here }), here)
}
