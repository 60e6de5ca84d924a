package claims

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goList is what `go list` says, line by line.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

// The table of packages in the toolkit's page has all of them, but for what is internal or for tests.
func TestTheTableOfPackagesIsWhole(t *testing.T) {
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for _, name := range goList(t, "stochdepth/toolkit/...") {
		name = strings.TrimPrefix(name, "stochdepth/toolkit/")
		if !strings.Contains(name, "internal/") && !strings.HasSuffix(name, "test") {
			require.Contains(t, string(page), "]("+name+")", "toolkit/README.md says nothing of package %s", name)
		}
	}
}

// The packages of which that page says so link no GoMLX.
func TestReadersLinkNoGoMLX(t *testing.T) {
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	sentence := regexp.MustCompile(`(?m)^- \*\*What reads results links no GoMLX\*\*:(.*)$`).FindStringSubmatch(string(page))
	require.NotNil(t, sentence)
	readers := []string{"-deps"}
	for _, name := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(sentence[1], -1) {
		readers = append(readers, "stochdepth/toolkit/"+name[1])
	}
	require.GreaterOrEqual(t, len(readers), 9)
	for _, dependency := range goList(t, readers...) {
		require.NotContains(t, dependency, "github.com/gomlx/", "one of %s links it: go list -deps says which", sentence[1])
	}
}
