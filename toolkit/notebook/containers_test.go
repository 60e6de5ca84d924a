package notebook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/project"
)

// The containers have the Go version of go.mod, and VS Code's container is a stage of the notebooks' container.
func TestContainers(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	text := func(path ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		require.NoError(t, err)
		return string(data)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text("go.mod"))
	require.NotNil(t, version)
	for _, file := range []string{"Containerfile", "toolkit/runs/sweep/Containerfile"} {
		require.Contains(t, text(file), "library/golang:"+version[1]+"-", file)
	}
	var code struct {
		Build struct{ Dockerfile, Context, Target string }
	}
	require.NoError(t, json.Unmarshal([]byte(text(".devcontainer", "devcontainer.json")), &code))
	require.Regexp(t, `(?m)^FROM \S+ AS `+code.Build.Target+"$", text(".devcontainer", code.Build.Dockerfile))
	require.FileExists(t, filepath.Join(root, ".devcontainer", code.Build.Context, "go.mod"))
}
