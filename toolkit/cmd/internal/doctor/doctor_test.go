package doctor

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/internal/project/projecttest"
	"stochdepth/toolkit/network/backend"
)

func run(t *testing.T) (string, error) {
	var report bytes.Buffer
	err := Run(t.Context(), &report)
	return report.String(), err
}

func TestRunOnThisMachine(t *testing.T) {
	if _, err := backend.Find(); err != nil {
		t.Skip(err)
	}
	report, err := run(t)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^  Plugin +ok +\w+, .*\.so$`, report)
	require.Regexp(t, `(?m)^  PJRT +ok +version 0\.\d+$`, report)
	require.Regexp(t, `(?m)^  Devices +ok +[1-9]`, report)
	require.Regexp(t, `(?m)^  Computation +ok +a convolution compiled and gave the right result`, report)
	require.Contains(t, report, "This installation can train.")
}

func TestRunSaysWhatToDo(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "xla_cpu_pjrt.so")
	require.NoError(t, os.WriteFile(broken, []byte("not a library"), 0o644))
	rocm := filepath.Join(folder, "xla_rocm_plugin.so")
	require.NoError(t, os.WriteFile(rocm, []byte("not a library"), 0o644))
	tests := []struct{ name, config, want string }{
		{"no such file", "xla:" + filepath.Join(folder, "nowhere.so"), `(?m)^  Plugin +MISSING +GOMLX_BACKEND names .*no such file`},
		{"not a plugin", "xla:" + broken, "(?m)^  PJRT +MISSING .*does not open .* `make clean setup`"},
		{"ROCm's, and not a plugin", "xla:" + rocm,
			`(?m)^  Plugin +ok +rocm, named by GOMLX_BACKEND: .*\n  GPU +note +AMD's ROCm .* never .*\n  PJRT +MISSING .*rocminfo tells`},
		{"ROCm's, not installed", "xla:rocm", "(?m)^  Plugin +MISSING .* for AMD GPUs"},
		{"not a backend", "go", "(?m)^  Plugin +MISSING .*cannot train on: unset it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			projecttest.Empty(t)
			t.Setenv(backend.Environment, test.config)
			report, err := run(t)
			require.ErrorIs(t, err, ErrUnfit)
			require.Regexp(t, test.want, report)
			require.NotContains(t, report, "Computation", "what needs the plugin is not tried")
			for _, name := range []string{"JupyterLab", "GoNB", "gopls", "Kernel"} {
				require.Regexp(t, "(?m)^  "+name+" +absent .*run `make setup`$", report)
			}
		})
	}
}

func TestNotebookToolsAreFoundInTheProject(t *testing.T) {
	root := projecttest.Empty(t)
	for _, name := range []string{
		".venv/lib/python3.12/site-packages/jupyterlab-4.6.6.dist-info/METADATA",
		".venv/share/jupyter/kernels/gonb/kernel.json",
		"notebooks/kernel/start.sh",
	} {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	// Any Go program contains its version; this test is one.
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(root, ".bin"), 0o755))
	require.NoError(t, os.Symlink(self, filepath.Join(root, ".bin", "gonb")))

	report, _ := run(t)
	require.Regexp(t, `(?m)^  JupyterLab +ok +4\.6\.6$`, report)
	require.Regexp(t, `(?m)^  nbconvert +absent`, report)
	require.Regexp(t, `(?m)^  GoNB +ok`, report)
	require.Regexp(t, `(?m)^  Kernel +ok +\.venv/share`, report)
}

// Packed pictures may fill a disk: their size is told, and where they are.
func TestPackedPictures(t *testing.T) {
	root := projecttest.Empty(t)
	t.Setenv(backend.Environment, "go")
	report, _ := run(t)
	require.NotContains(t, report, "Pictures:\n", "there are none")
	cache := filepath.Join(root, "data", "cache", pictures.Packs)
	require.NoError(t, os.MkdirAll(cache, 0o755))
	for name, size := range map[string]int{"a-32.pack": 1_500_000, "a-64.pack": 800_000, "a-32.pack.lock": 900_000} {
		require.NoError(t, os.WriteFile(filepath.Join(cache, name), make([]byte, size), 0o644))
	}
	report, _ = run(t)
	require.Regexp(t, `(?m)^Pictures:\n  Packed +ok +2 files of 2\.3 MB in all in data/cache/packed-pictures: `, report)
}

// A file system where no program may start is noticed, and so is a missing folder.
func TestTemporaryFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	found, err := temporaryFolder()
	require.NoError(t, err)
	require.Equal(t, dir, found)
	const advice = "; cells are compiled and started there: set TMPDIR to a folder where programs may run"
	t.Setenv("TMPDIR", filepath.Join(dir, "nowhere"))
	_, err = temporaryFolder()
	require.ErrorContains(t, err, "nothing can be written into "+filepath.Join(dir, "nowhere"))
	require.ErrorContains(t, err, advice)

	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOEXEC, "size=64k"); err != nil {
		t.Skipf("mounting a file system is not allowed here: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	t.Setenv("TMPDIR", dir)
	_, err = temporaryFolder()
	require.ErrorContains(t, err, "no program can be started in "+dir+" (fork/exec ")
	require.ErrorContains(t, err, "permission denied)"+advice)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var report bytes.Buffer
	require.ErrorIs(t, Run(ctx, &report), context.Canceled)
	require.NotContains(t, report.String(), "Computation")
}
