package project

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// CommitEnvironment is the variable that names the commit where the source is not there, as in a container.
const CommitEnvironment = "STOCHDEPTH_COMMIT"

// Commit returns the commit that this program was built from, twelve digits, with a plus sign if its source was another
// one, or "" where that cannot be told. Runs and figures are no source.
func Commit() string {
	if commit := os.Getenv(CommitEnvironment); commit != "" {
		return commit
	}
	stamp := ""
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == Module {
		stamp = stamped(info.Settings)
	}
	if stamp != "" && !strings.HasSuffix(stamp, "+") {
		return stamp
	}
	root, rootErr := Root()
	program, err := os.Executable()
	if err != nil || rootErr != nil {
		return stamp
	}
	return commitOf(program, stamp, root)
}

// stamped is the commit that go build wrote into the program, with a plus sign if anything at all was changed.
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

// commitOf is the commit of a program that has a stamp with a plus sign, or none, as go run and a notebook's cell: the
// checkout in the folder root knows better, if the program was built from the source as it is there.
func commitOf(program, stamp, root string) string {
	git := func(args ...string) (string, error) {
		args = append([]string{"-C", root, "--no-optional-locks", "-c", "log.showSignature=false"}, args...)
		out, err := exec.Command("git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	head, err := git("log", "-1", "--abbrev=12", "--format=%h %ct", "HEAD")
	var commit string
	var seconds int64
	if _, scanErr := fmt.Sscan(head, &commit, &seconds); err != nil || scanErr != nil {
		return stamp
	}
	tracked, err := git("ls-files", "-z", "--", "toolkit", "go.mod", "go.sum")
	if built := builtAt(program); err != nil || built.Before(newest(root, strings.Split(tracked, "\x00"))) {
		if stamp == "" && !built.Before(time.Unix(seconds, 0)) { // from this commit and what was changed since
			return commit + "+"
		}
		return stamp
	}
	if stamp != "" {
		commit = strings.TrimSuffix(stamp, "+")
	}
	_, changed := git("diff", "--quiet", commit, "--", "toolkit", "go.mod", "go.sum")
	added, err := git("ls-files", "--others", "--exclude-standard", "--", "toolkit")
	if changed != nil || added != "" || err != nil {
		commit += "+"
	}
	return commit
}

// builtAt is when a program was built, by its file. Those of Go's own commands, such as go run, are built now: a file may
// be kept from before, but by the content of its source.
func builtAt(program string) time.Time {
	file, err := os.Stat(program)
	switch {
	case strings.Contains(program, "go-build"):
		return time.Now()
	case err != nil:
		return time.Time{}
	}
	return file.ModTime()
}

// newest is when these files in root were last changed, of those that are compiled.
func newest(root string, names []string) time.Time {
	var newest time.Time
	for _, name := range names {
		if name == "" || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".md") || strings.Contains(name, "/testdata/") {
			continue
		}
		if file, err := os.Stat(filepath.Join(root, name)); err == nil && file.ModTime().After(newest) {
			newest = file.ModTime()
		}
	}
	return newest
}

// Versions says in a line each what this program is: its own version and commit, Go, GoMLX and go-xla. Together with the
// recipe it is what somebody needs to make a run again, or to report that something is wrong.
func Versions() string {
	var main debug.Module
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == Module {
		main = info.Main
	}
	return versions(main.Version, Commit(), map[string]string{
		"GoMLX":  ModuleVersion("github.com/gomlx/gomlx"),
		"go-xla": ModuleVersion("github.com/gomlx/go-xla"),
	})
}

// versions is Versions of a program of that module version and commit, "" where they are not known.
func versions(version, commit string, libraries map[string]string) string {
	var own []string
	if commit != "" && !strings.HasSuffix(commit, "+") {
		version = strings.TrimSuffix(version, "+dirty") // Go counts runs and figures too
	}
	if version != "" && version != "(devel)" {
		own = append(own, version)
	}
	if commit != "" {
		own = append(own, "commit "+commit)
	}
	return fmt.Sprintf("%s %s\nGo %s %s/%s\nGoMLX %s\ngo-xla %s\n", Module, cmp.Or(strings.Join(own, ", "), "of unknown version"),
		strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH,
		cmp.Or(libraries["GoMLX"], "of unknown version"), cmp.Or(libraries["go-xla"], "of unknown version"))
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

// ModuleVersion returns the version of a module that this program was built with.
func ModuleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	return ""
}
