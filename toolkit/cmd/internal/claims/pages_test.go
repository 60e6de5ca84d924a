package claims

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/page"
	"stochdepth/toolkit/runs/recipes"
)

// committedPages returns the project's own pages by name, without their code.
func committedPages(t *testing.T) map[string]string {
	t.Helper()
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|(?m)^    .*$")
	list := map[string]string{}
	for _, name := range append(page.Names("../../../.."), "figures/README.md") {
		content, err := os.ReadFile("../../../../" + name)
		require.NoError(t, err)
		list[name] = code.ReplaceAllStringFunc(string(content), func(c string) string {
			return strings.Trim(c, "`") // so that headings keep their words
		})
	}
	require.Greater(t, len(list), 5)
	return list
}

// Links between the pages lead to existing files and headings, and every picture has a text that says what it shows.
func TestLinksAndPicturesOfThePages(t *testing.T) {
	list := committedPages(t)
	link := regexp.MustCompile(`(!?)\[([^\]]*)\]\(([^)\s]+)\)`)
	seen := 0
	for name, page := range list {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			picture, text, to := m[1] == "!", m[2], m[3]
			if picture {
				require.GreaterOrEqual(t, len(strings.Fields(text)), 3, "%s: the picture %s needs a text that says what it shows", name, to)
			}
			if strings.Contains(to, "://") {
				continue
			}
			file, heading, _ := strings.Cut(to, "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			_, err := os.Stat("../../../../" + target)
			require.NoError(t, err, "%s links to %s", name, to)
			if heading != "" {
				require.Contains(t, headings(list[target]), heading, "%s links to %s", name, to)
			}
			seen++
		}
	}
	require.Greater(t, seen, 50)
}

// headings returns the anchors of a page's headings, as GitHub names them.
func headings(page string) (anchors []string) {
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors = append(anchors, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return anchors
}

func TestHeadings(t *testing.T) {
	require.Equal(t, []string{"a-title", "into-pytorch-and-back", "whats-new_2"},
		headings("# A title\ntext # no\n\n## Into PyTorch, and back\n### What's `new_2`?\n#no\n"))
}

// Go code in the pages compiles. What is no whole file gets the imports whose names it uses.
func TestCodeOfThePagesCompiles(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	require.NoError(t, err)
	imports := map[string]string{`\bNode\b`: `. "github.com/gomlx/gomlx/core/graph"`, `\bresidual\.`: `"stochdepth/toolkit/network/residual"`,
		`\bresnet\.`: `"stochdepth/toolkit/network/resnet"`}
	overlay, packages := map[string]string{}, []string{}
	for _, name := range page.Names(root) {
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
			code := m[1]
			if !strings.HasPrefix(code, "package ") {
				var used []string
				for word, path := range imports {
					if regexp.MustCompile(word).MatchString(code) {
						used = append(used, path)
					}
				}
				code = "package page\n\nimport (\n" + strings.Join(used, "\n") + "\n)\n\n" + code
			}
			file := filepath.Join(t.TempDir(), "code.go")
			require.NoError(t, os.WriteFile(file, []byte(code), 0o644))
			folder := fmt.Sprintf("toolkit/cmd/internal/page%d", len(packages))
			overlay[filepath.Join(root, folder, "code.go")] = file
			packages = append(packages, "./"+folder)
		}
	}
	require.GreaterOrEqual(t, len(packages), 2)
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, list, 0o644))
	build := exec.Command("go", append([]string{"list", "-export", "-overlay", file}, packages...)...) // compiles, links nothing
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
}

// The page on the toolkit explains every key of a recipe and names every preset.
func TestRecipesAreExplained(t *testing.T) {
	content, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for _, word := range append(recipes.Keys(), recipes.PresetNames()...) {
		require.Contains(t, string(content), "`"+word+"`")
	}
}
