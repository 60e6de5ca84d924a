package bench

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarkdown(t *testing.T) {
	m := func(system, mode string, rate, open, ms float64, evaluation float64) Measurement {
		return Measurement{System: system, Mode: mode, DType: "float32", Layers: 20, Batch: 32, DeathRate: rate, Blocks: 9,
			Open: open, Steps: 24, StepMS: ms, LowMS: ms / 2, BlockMS: ms / 10, PeakMB: 1500, Evaluation: evaluation}
	}
	fixed := m("stochdepth", "survivors", 0, 5, 1, 0)
	fixed.Fixed = true
	folder := t.TempDir()
	record := &Record{Machine: "a machine", Commit: "0123456789ab", Date: "2016-03-30T00:00:00Z",
		Versions: map[string]string{"pytorch": "2.15.0", "jax": "0.10.2"},
		Results: []Measurement{
			m("stochdepth", "survivors", 0, 9, 40, 9000), m("stochdepth", "survivors", 0.5, 6.25, 28, 0), fixed,
			m("pytorch", "eager", 0, 9, 60, 5000), m("pytorch", "eager channels_last", 0, 9, 50, 6000), m("jax", "scan", 0, 9, 100, 4000),
			m("pytorch", "eager", 0.5, 6.25, 33, 0), m("pytorch", "eager channels_last", 0.5, 6.25, 35, 0), m("other", "", 0, 9, 1, 0),
		}}
	require.NoError(t, record.Write(filepath.Join(folder, "mine-1.json")))
	require.NotContains(t, Markdown([]*Record{{Results: []Measurement{m("stochdepth", "survivors", 0, 9, 40, 0)}}}), "Test images")
	ours, theirs := m("stochdepth", "survivors", 0, 9, 2, 0), m("pytorch", "eager", 0, 9, 5, 0)
	ours.DType = "tf32"
	require.Equal(t, `| Layers | Minibatch | Death rate | Program | Step (fastest) | Blocks open | Per open block | *n* |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 20 | 32 | 0 | **stochdepth** | 4.00 (2.00) ms | 9 of 9 | 0.40 ms | 24 |
|  |  |  | PyTorch, eager | 5.00 (2.50) ms | 9 of 9 | 0.50 ms | 24 |
|  |  |  | **stochdepth**, tf32 | 2.00 (1.00) ms | 9 of 9 | 0.20 ms | 24 |

Medians of *n* steps, in turn; a machine, NVIDIA H200 (cuda:0), commit 0123456, 2016-03-30.
`, Markdown([]*Record{{Machine: "a machine", Device: "NVIDIA H200 (cuda:0)", Commit: "0123456789ab", Date: "2016-03-30",
		Results: []Measurement{ours, theirs, m("stochdepth", "survivors", 0, 9, 4, 0)}}}), "on a GPU")
	imagenet, small := m("stochdepth", "survivors", 0, 9, 40, 0), m("stochdepth", "survivors", 0, 9, 4, 0)
	imagenet.Network, imagenet.ImageSize, imagenet.Layers = "resnet18", 64, 18
	require.Regexp(t, `(?s)\n\| 20 \| 32 \| 0 \| \*\*stochdepth.*\n\| resnet18, 64x64 pixels \| 32 \| 0 \| \*\*stochdepth`,
		Markdown([]*Record{{Results: []Measurement{imagenet, small}}}))
	require.NoError(t, (&Record{}).Write(filepath.Join(folder, "other.json")))
	speed, err := Speed(folder, "mine-*")
	require.NoError(t, err)
	require.Equal(t, `| Layers | Minibatch | Death rate | Program | Step (fastest) | Blocks open | Per open block | *n* | Memory | Test images per second |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 20 | 32 | 0 | **stochdepth** | 40.0 (20.0) ms | 9 of 9 | 4.00 ms | 24 | 1.5 GB | 9000 |
|  |  |  | PyTorch, eager channels last | 50.0 (25.0) ms | 9 of 9 | 5.00 ms | 24 | 1.5 GB | 6000 |
|  |  |  | JAX, scan | 100 (50.0) ms | 9 of 9 | 10.0 ms | 24 | 1.5 GB | 4000 |
|  |  | 0.5 | **stochdepth** | 28.0 (14.0) ms | 6.25 of 9 | 2.80 ms | 24 | 1.5 GB | - |
|  |  |  | PyTorch, eager | 33.0 (16.5) ms | 6.25 of 9 | 3.30 ms | 24 | 1.5 GB | - |

Medians of *n* steps, in turn; a machine, PyTorch 2.15.0, JAX 0.10.2, commit 0123456, 2016-03-30.
`, speed)

	b := func(kind string, layers, blocks int, open, ms, compile float64) Measurement {
		return Measurement{System: "stochdepth", Mode: "survivors", Block: kind, Layers: layers, Batch: 8, Fixed: true,
			Blocks: blocks, Open: open, Steps: 24, StepMS: ms, LowMS: ms / 2, CompileS: compile}
	}
	peer := func(mode string, ms float64) Measurement {
		return Measurement{System: "pytorch", Mode: mode, Layers: 20, Blocks: 9, Open: 9, StepMS: ms, LowMS: ms / 2}
	}
	require.Equal(t, `| Block | Blocks | None open | All open | PyTorch | Ratio | Compile, shallow | Compile, deep |
| --- | --- | --- | --- | --- | --- | --- | --- |
| `+"`basic`"+` | 9 | 4.00 (2.00) ms | 60.0 (30.0) ms | 80.0 (40.0) ms | 0.75 | 2.0 s (21 blocks) | 2.5 s (201 blocks) |
| `+"`transformer`"+` | 20 | 8.00 (4.00) ms | 400 (200) ms | – | – | 1.5 s (21 blocks) | 3.5 s (201 blocks) |

Medians of 24 steps (fastest), minibatches of 8; a machine, commit 0123456, 2016-03-30. Compiling for minibatches of 8; another, commit 89abcde, 2016-03-31.
`, MarkdownOfBlocks(
		&Record{Machine: "a machine", Commit: "0123456789ab", Date: "2016-03-30T00:00:00Z", Results: []Measurement{
			m("stochdepth", "survivors", 0.5, 6.25, 28, 0), b("", 20, 9, 0, 4, 0), b("", 20, 9, 5, 30, 0), b("", 20, 9, 9, 60, 0),
			b("transformer", 20, 20, 0, 8, 0), b("transformer", 20, 20, 20, 400, 0), m("pytorch", "eager", 0.5, 9, 1, 0),
			peer("eager", 90), peer("eager channels_last", 80)}},
		&Record{Machine: "another", Commit: "89abcdef0123", Date: "2016-03-31T00:00:00Z", Results: []Measurement{
			b("", 44, 21, 7, 1, 2), b("transformer", 201, 201, 7, 1, 3.5), b("", 404, 201, 7, 1, 2.5), b("transformer", 21, 21, 7,
				1, 1.5)}}))

	deep, shallow := m("stochdepth", "survivors", 0, 54, 40, 0), m("stochdepth", "survivors", 0, 9, 40, 0)
	deep.Layers = 110
	require.NoError(t, (&Record{Results: []Measurement{deep}}).Write(filepath.Join(folder, "peers-110-32.json")))
	require.NoError(t, (&Record{Results: []Measurement{shallow}}).Write(filepath.Join(folder, "peers-20-32.json")))
	both, err := Speed(folder, "peers-*")
	require.NoError(t, err)
	require.Regexp(t, "(?s)\n\\| 20 .*\n\\| 110 ", both)

	_, err = Speed(folder, "none")
	require.ErrorContains(t, err, "there are no records none in "+folder)
}
