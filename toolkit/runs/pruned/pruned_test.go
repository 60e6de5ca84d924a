package pruned

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/runs/recipes"
)

// A record comes back as it was written; one that is cut off, or that no pruning can have made, is refused.
func TestRecord(t *testing.T) {
	folder := t.TempDir()
	recipe, err := recipes.Preset("shapes")
	require.NoError(t, err)
	recipe.Depth = 8
	record := &Record{Network: "shapes/20-constant-s1", Recipe: recipe, Order: "greedy", Choose: 1000, Validation: 1000, Test: 2000,
		Trained: "0123456789ab", Commit: "ba9876543210", Machine: "a processor, 2 cores", States: []State{
			{Kept: []int{1, 2, 3}, MultiplyAdds: 300, ValidationError: 10.5, TestError: 11, AsTrained: 11},
			{Kept: []int{1, 3}, MultiplyAdds: 200, ValidationError: 12, TestError: 12.25, AsTrained: 50}}}
	path := filepath.Join(folder, "shapes", "a.jsonl")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o755))
	require.NoError(t, record.Save(path))
	list, err := Find(folder, "shapes/*")
	require.NoError(t, err)
	require.Equal(t, []*Record{record}, list)
	_, err = Find(folder, "cifar10/*")
	require.EqualError(t, err, "there is no record cifar10/* in "+folder+": make one with stochdepth prune --record")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	for name, damaged := range map[string]string{
		"cut off in a state": string(text[:len(text)-20]),
		"no state":           lines[0],
		"another network":    strings.Replace(lines[0], `"depth":8`, `"depth":14`, 1) + lines[1] + lines[2],
		"block of another":   strings.Replace(string(text), `"kept":[1,3]`, `"kept":[1,4]`, 1),
		"a block twice":      strings.Replace(string(text), `"kept":[1,3]`, `"kept":[1,1]`, 1),
		"blocks come back":   lines[0] + lines[2] + lines[1],
		"more than all":      strings.Replace(string(text), `"test_error":11`, `"test_error":111`, 1),
		"another key":        strings.Replace(string(text), `"kept"`, `"left"`, 1),
		"nothing":            "",
	} {
		require.NoError(t, os.WriteFile(path, []byte(damaged), 0o644))
		_, err := Read(path)
		require.ErrorContains(t, err, "is no whole record of a pruned network (", name)
	}
}
