package training

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"stochdepth/toolkit/internal/project"
)

// Versions says in a line each what this program is: its own version and commit, Go, GoMLX and go-xla. Together with the
// recipe it is what somebody needs to make a run again, or to report that something is wrong.
func Versions() string {
	var main debug.Module
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == project.Module {
		main = info.Main
	}
	return versions(main.Version, Commit(), map[string]string{
		"GoMLX":  moduleVersion("github.com/gomlx/gomlx"),
		"go-xla": moduleVersion("github.com/gomlx/go-xla"),
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
	return fmt.Sprintf("%s %s\nGo %s %s/%s\nGoMLX %s\ngo-xla %s\n", project.Module, cmp.Or(strings.Join(own, ", "), "of unknown version"),
		strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH,
		cmp.Or(libraries["GoMLX"], "of unknown version"), cmp.Or(libraries["go-xla"], "of unknown version"))
}
