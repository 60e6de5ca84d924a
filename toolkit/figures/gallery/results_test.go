package gallery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithResults(t *testing.T) {
	readme := "# Title\n\n" + ResultsBegin + "\n\n| old |\n\n" + ResultsEnd + "\n\nThe end.\n"
	changed, there, err := WithResults(readme, "| new |\n")
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, "# Title\n\n"+ResultsBegin+"\n\n| new |\n\n"+ResultsEnd+"\n\nThe end.\n", changed)
	again, _, err := WithResults(changed, "| new |\n")
	require.NoError(t, err)
	require.Equal(t, changed, again, "written twice it stays the same")
	empty, _, err := WithResults(changed, "")
	require.NoError(t, err)
	require.Equal(t, "# Title\n\n"+ResultsBegin+"\n\n"+ResultsEnd+"\n\nThe end.\n", empty)

	same, there, err := WithResults("# Title\n", "| new |\n")
	require.NoError(t, err)
	require.False(t, there)
	require.Equal(t, "# Title\n", same)
	for _, broken := range []string{ResultsBegin, ResultsEnd, ResultsEnd + ResultsBegin, readme + readme, readme + ResultsEnd} {
		_, _, err := WithResults(broken, "")
		require.ErrorContains(t, err, "there must be one", broken)
	}
}

// Only a README with a place for results is written, beside the gallery's folder; without results the place is empty.
func TestSaveResults(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "figures")
	require.NoError(t, os.Mkdir(folder, 0o755))
	readme := filepath.Join(folder, "..", "README.md")
	results := []*Drawing{{Entry: Entry{Name: "fig1"}}, {Entry: Entry{Name: ResultsEntry}, Markdown: "| 1 |\n"}}
	save := func(list []*Drawing) string {
		file, err := saveResults(folder, list)
		require.NoError(t, err)
		return file
	}
	require.Empty(t, save(results), "no README")
	require.NoError(t, os.WriteFile(readme, []byte("no place\n"), 0o644))
	require.Empty(t, save(results))
	require.NoError(t, os.WriteFile(readme, []byte(ResultsBegin+ResultsEnd+"\n"), 0o644))
	for want, list := range map[string][]*Drawing{"| 1 |\n\n": results, "": results[:1]} {
		require.Equal(t, readme, save(list))
		text, err := os.ReadFile(readme)
		require.NoError(t, err)
		require.Equal(t, ResultsBegin+"\n\n"+want+ResultsEnd+"\n", string(text))
	}
	require.NoError(t, os.WriteFile(readme, []byte(ResultsBegin), 0o644))
	_, err := saveResults(folder, results)
	require.ErrorContains(t, err, "README.md: there must be one")
}
