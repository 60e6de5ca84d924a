package training

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	libraries := map[string]string{"GoMLX": "v1.2.3", "go-xla": "v4.5.6"}
	require.Regexp(t, `^stochdepth v0.1.0, commit 0123456789ab\+\nGo \d\.\d+\S* \w+/\w+\nGoMLX v1.2.3\ngo-xla v4.5.6\n$`,
		versions("v0.1.0", "0123456789ab+", libraries))
	require.Contains(t, versions("(devel)", "0123456789ab", libraries), "stochdepth commit 0123456789ab\n", "a build from a checkout has no version")
	require.Contains(t, versions("(devel)", "", nil), "stochdepth of unknown version\n")
	t.Setenv(CommitEnvironment, "fedcba987654")
	require.Contains(t, Versions(), "commit fedcba987654\n")
}
