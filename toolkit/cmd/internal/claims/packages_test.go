package claims

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goList returns the words that `go list` prints.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

// folders returns the folders of the toolkit, in the order of the table in its page.
func folders(t *testing.T) (names []string) {
	t.Helper()
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for _, row := range regexp.MustCompile(`(?m)^\| \[([a-z]+)\]\([a-z/]+\) \|`).FindAllStringSubmatch(string(page), -1) {
		names = append(names, row[1])
	}
	return names
}

// The toolkit's page explains each of its folders, and each package in them that others may use.
func TestTheTableOfFoldersIsWhole(t *testing.T) {
	entries, err := os.ReadDir("../../..")
	require.NoError(t, err)
	var there []string
	for _, entry := range entries {
		if entry.IsDir() {
			there = append(there, entry.Name())
		}
	}
	require.ElementsMatch(t, there, folders(t))
	require.LessOrEqual(t, len(there), 9, "the folders are the architecture: find a room in one of them")

	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for _, name := range goList(t, "stochdepth/toolkit/...") {
		name = strings.TrimPrefix(name, "stochdepth/toolkit/")
		if !strings.Contains(name, "internal/") && !strings.HasSuffix(name, "test") && !strings.HasSuffix(name, "kit") {
			require.Contains(t, string(page), "]("+name+")", "toolkit/README.md says nothing of package %s", name)
		}
	}
}

// A folder imports only folders above it in the table; tests may import any.
func TestImportsGoOneWay(t *testing.T) {
	floor := map[string]int{}
	for i, name := range folders(t) {
		floor[name] = i
	}
	folder := func(path string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, "stochdepth/toolkit/"), "/")
		return name
	}
	imports := goList(t, "-f", `{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}`, "stochdepth/toolkit/...")
	require.Greater(t, len(imports), 500)
	for i := 0; i < len(imports); i += 2 {
		if importer, imported := imports[i], imports[i+1]; strings.HasPrefix(imported, "stochdepth/") {
			require.LessOrEqual(t, floor[folder(imported)], floor[folder(importer)], "%s must not import %s", importer, imported)
		}
	}
}

// The packages that the page names as readers of results link no GoMLX.
func TestReadersLinkNoGoMLX(t *testing.T) {
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	sentence := regexp.MustCompile(`(?m)^- \*\*What reads results links no GoMLX\*\*:(.*)$`).FindStringSubmatch(string(page))
	require.NotNil(t, sentence)
	readers := []string{"-deps"}
	for _, name := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(sentence[1], -1) {
		readers = append(readers, "stochdepth/toolkit/"+name[1])
	}
	require.GreaterOrEqual(t, len(readers), 8)
	for _, dependency := range goList(t, readers...) {
		require.NotContains(t, dependency, "github.com/gomlx/", "one of %s links it: go list -deps says which", sentence[1])
	}
}

// A terminal needs no notebook.
func TestTheCommandLineLinksNoGoNB(t *testing.T) {
	for _, dependency := range goList(t, "-deps", "stochdepth/toolkit/cmd/stochdepth") {
		require.NotContains(t, dependency, "github.com/janpfeifer/")
	}
}

// A program that takes the engine alone brings its own backend: it links neither ours nor the allocator behind it, which
// would stand in for the C library's in the whole process.
func TestTheEngineLinksNoBackend(t *testing.T) {
	const network = "stochdepth/toolkit/network/"
	engine := goList(t, "-deps", network+"resnet", network+"survivors", network+"survivors/byhand")
	require.Contains(t, engine, network+"residual")
	for _, dependency := range engine {
		require.NotRegexp(t, "^"+network+"(backend|kernels)|/go-xla/", dependency)
	}
}
