package project

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoot(t *testing.T) {
	outside := t.TempDir()
	root := filepath.Join(t.TempDir(), "clone")
	deep := filepath.Join(root, "notebooks", "more")
	nested := filepath.Join(deep, "nested") // another module inside it, such as that of a notebook's cell
	require.NoError(t, os.MkdirAll(nested, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("// a comment\n\nmodule "+Module+"\n"), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(nested, "go.mod"), []byte("module gonb_1234\n"), 0o666))

	for name, c := range map[string]struct {
		env, gonb, dir string
		want, err      string
	}{
		"in the folder":     {dir: root, want: root},
		"below it":          {dir: deep, want: root},
		"in another module": {dir: nested, want: root},
		"outside":           {dir: outside, err: "the project's folder was not found: run inside it, or set STOCHDEPTH_ROOT to it"},
		"outside, notebook": {dir: outside, gonb: deep, want: root},
		"outside, variable": {dir: outside, env: root, want: root},
		"variable of elsewhere": {dir: root, env: outside,
			err: "STOCHDEPTH_ROOT is set to " + outside + ", which has no go.mod of module stochdepth: set it to the project's folder or unset it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(EnvRoot, c.env)
			t.Setenv("GONB_DIR", c.gonb)
			t.Chdir(c.dir)
			got, err := Root()
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}
