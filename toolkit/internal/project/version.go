package project

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

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
