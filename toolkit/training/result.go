package training

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"stochdepth/toolkit/backend"
	"stochdepth/toolkit/project"
	"stochdepth/toolkit/runs"
)

// result describes the run as it is after train returned err.
func (s *session) result(err error) runs.Result {
	var earlier runs.Result
	if run, openErr := runs.Open(s.Dir); openErr == nil && run.Result != nil {
		earlier = *run.Result
	}
	here := s.at.Sessions[len(s.at.Sessions)-1]
	r := runs.Result{
		Epochs: float64(s.at.Step) / float64(s.batches.PerEpoch()), Steps: s.at.Step,
		Completed: err == nil, Status: "finished",
		WallSeconds:    earlier.WallSeconds + time.Since(s.started).Seconds(),
		CompileSeconds: earlier.CompileSeconds + s.compileSeconds,
		Machine:        here.Machine, Device: here.Device, Devices: here.Devices,
		GoVersion: here.GoVersion, GoMLXVersion: here.GoMLXVersion, PJRTVersion: here.PJRTVersion, Kernels: here.Kernels,
		Commit: here.Commit, Earlier: s.at.Sessions[:len(s.at.Sessions)-1], Parameters: s.model.Parameters(),
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

// here describes this session, in which a part of the run is trained on this machine.
func (s *session) here() runs.Session {
	info := backend.Describe(s.backend)
	return runs.Session{Machine: Machine(), Device: strings.Join(info.Devices[:min(1, len(info.Devices))], ""), Devices: s.Devices,
		GoVersion: runtime.Version(), GoMLXVersion: moduleVersion("github.com/gomlx/gomlx"), PJRTVersion: info.PJRT, Kernels: info.Kernels,
		Commit: s.commit}
}

// join adds this session to those that made the checkpoint which it goes on from. Older checkpoints do not name theirs:
// then they are those of the result, if there is one.
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

// Parameters returns the number of trainable parameters.
func (m *Model) Parameters() int64 {
	var n int64
	for v := range m.Store.IterVariables() {
		if v.Trainable {
			n += int64(v.Shape().Size())
		}
	}
	return n
}

// Machine names the processor and its number of cores.
func Machine() string {
	name := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	if runtime.NumCPU() == 1 {
		return name + ", 1 core"
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}

// moduleVersion returns the version of a module that this program was built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	return ""
}

// CommitEnvironment is the variable that names the commit where the source is not there, as in a container.
const CommitEnvironment = "STOCHDEPTH_COMMIT"

// Commit returns the commit that this program was built from, twelve digits, with a plus sign if the source was changed
// since, or "". A program that was not stamped with it (go run, a notebook's cell) was built just now, from the checkout.
func Commit() string {
	if commit := os.Getenv(CommitEnvironment); commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == project.Module {
		if commit := stamped(info.Settings); commit != "" {
			return commit
		}
	}
	return checkedOut()
}

// stamped is the commit that go build wrote into the program.
func stamped(settings []debug.BuildSetting) string {
	values := make(map[string]string)
	for _, s := range settings {
		values[s.Key] = s.Value
	}
	commit := values["vcs.revision"]
	if commit == "" {
		return ""
	}
	commit = commit[:min(12, len(commit))]
	if values["vcs.modified"] == "true" {
		commit += "+"
	}
	return commit
}

// checkedOut is the commit of the checkout that the working directory is in.
func checkedOut() string {
	root, err := project.Root()
	if err != nil {
		return ""
	}
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", root, "--no-optional-locks"}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	head := git("rev-parse", "--short=12", "HEAD")
	if head != "" && git("status", "--porcelain", "--", "toolkit", "go.mod", "go.sum") != "" {
		head += "+"
	}
	return head
}
