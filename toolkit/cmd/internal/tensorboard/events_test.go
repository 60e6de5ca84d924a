package tensorboard

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"stochdepth/toolkit/runs"
)

// read is an event read from a file.
type read struct {
	wall    float64
	step    int64
	version string
	starts  bool // a session
	values  map[string]float64
}

// records takes the frames apart and checks their checksums.
func records(t *testing.T, file []byte) (list []read) {
	t.Helper()
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		require.Equal(t, masked(file[:8]), binary.LittleEndian.Uint32(file[8:]))
		data := file[12 : 12+n]
		require.Equal(t, masked(data), binary.LittleEndian.Uint32(file[12+n:]))
		list, file = append(list, parse(t, data)), file[16+n:]
	}
	return list
}

// fields calls f for each field of a message.
func fields(t *testing.T, message []byte, f func(number protowire.Number, value []byte)) {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		require.NoError(t, protowire.ParseError(n))
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		require.NoError(t, protowire.ParseError(size))
		f(number, message[n:n+size])
		message = message[n+size:]
	}
}

func inner(t *testing.T, value []byte) []byte {
	data, n := protowire.ConsumeBytes(value)
	require.NoError(t, protowire.ParseError(n))
	return data
}

func parse(t *testing.T, data []byte) read {
	e := read{values: make(map[string]float64)}
	fields(t, data, func(number protowire.Number, value []byte) {
		switch number {
		case 1:
			e.wall = math.Float64frombits(binary.LittleEndian.Uint64(value))
		case 2:
			step, _ := protowire.ConsumeVarint(value)
			e.step = int64(step)
		case 3:
			e.version = string(inner(t, value))
		case 7:
			require.Equal(t, []byte{1<<3 | byte(protowire.VarintType), 1}, inner(t, value))
			e.starts = true
		case 5:
			fields(t, inner(t, value), func(number protowire.Number, value []byte) {
				require.EqualValues(t, 1, number)
				var tag string
				fields(t, inner(t, value), func(number protowire.Number, value []byte) {
					if number == 1 {
						tag = string(inner(t, value))
						return
					}
					require.EqualValues(t, 2, number)
					e.values[tag] = float64(math.Float32frombits(binary.LittleEndian.Uint32(value)))
				})
			})
		default:
			require.Fail(t, "unknown field", number)
		}
	})
	return e
}

// mine returns a run with some rows that began at second 1000 of 1970, by its result.
func mine(rows int) *runs.Run {
	run := &runs.Run{Name: "more/mine", Result: &runs.Result{Started: time.Unix(1000, 0)}}
	for i := range rows {
		n := float64(i)
		run.Rows = append(run.Rows, runs.Row{Epoch: n + 1, Step: 32 * int64(i+1), LearningRate: 0.125, TrainLoss: 2.5 - n/2,
			TrainError: 85 - 5*n, ValidationError: 87 - 8*n, TestError: math.NaN(), OpenBlocksMean: 6.25 + n/4,
			GradientMagnitude: 0.5, Seconds: 1.5 * (n + 1)})
	}
	return run
}

// saved saves a run and returns the path, which must be the last of the folder's files by name, and the file's records.
func saved(t *testing.T, folder string, run *runs.Run) (string, []read) {
	t.Helper()
	path, err := Save(folder, run)
	require.NoError(t, err)
	dir := filepath.Dir(path)
	require.Equal(t, filepath.Join(folder, "more", "mine"), dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Base(path), entries[len(entries)-1].Name())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, records(t, file)
}

func TestSaveReadsBack(t *testing.T) {
	run := mine(2)
	run.Rows[1].TestError = 78.5
	_, list := saved(t, t.TempDir(), run)
	require.Len(t, list, 4)
	require.Equal(t, read{wall: 1000, version: "brain.Event:2", values: map[string]float64{}}, list[0])
	require.Equal(t, read{wall: 1000, starts: true, values: map[string]float64{}}, list[1])
	require.Equal(t, read{wall: 1001.5, step: 32, values: map[string]float64{
		"loss/training": 2.5, "error/training": 85, "error/validation": 87, // no test error: NaN
		"training/epoch": 1, "training/learning_rate": 0.125, "training/open_blocks": 6.25, "training/gradient_magnitude": 0.5,
	}}, list[2])
	require.Equal(t, 78.5, list[3].values["error/test"])
	require.Equal(t, int64(64), list[3].step)

	run.Name = "../out"
	_, err := Save(t.TempDir(), run)
	require.ErrorContains(t, err, "is a path")
}

// TensorBoard goes on reading the file that it has open: a longer log is appended to the shorter one, whatever part of it a
// crash has left, and the bytes before stay.
func TestALongerLogIsAppended(t *testing.T) {
	folder := t.TempDir()
	path, list := saved(t, folder, mine(1))
	require.Len(t, list, 3)
	reader, err := os.Open(path)
	require.NoError(t, err)
	defer reader.Close()
	before, err := io.ReadAll(reader)
	require.NoError(t, err)

	again, list := saved(t, folder, mine(3))
	require.Equal(t, path, again)
	require.Len(t, list, 5)
	more, err := io.ReadAll(reader)
	require.NoError(t, err)
	whole := append(before, more...)
	require.Equal(t, list, records(t, whole), "the open file has them too")

	for size := 0; size < len(whole); size += 7 { // a crash after size bytes
		require.NoError(t, os.Truncate(path, int64(size)))
		again, list = saved(t, folder, mine(3))
		require.Len(t, list, 5, size)
		require.Equal(t, path, again)
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, whole, file)
	}
}

// A log that does not begin with the file's, because the run was made again or lost its last rows, gets a file with a later
// name. It begins with the start of a session, at which TensorBoard forgets the earlier file: no step is shown twice. The
// earlier file stays, for a TensorBoard that reads it.
func TestAnotherLogHasALaterFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "more", "mine", "events.out.tfevents.0.stochdepth") // an older form of the name
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, record(nil, event(0, 0, nil)), 0o644))
	other := mine(3)
	other.Rows[0].TestError = 70
	for _, change := range []struct {
		run     *runs.Run
		damaged int64 // the byte of the earlier file to damage
	}{{mine(3), 0}, {mine(2), 0}, {other, 0}, {other, 5}, {other, wallTime + 3}} {
		if change.damaged > 0 {
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteAt([]byte{0xff}, change.damaged)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		later, list := saved(t, folder, change.run)
		require.Greater(t, later, path)
		require.Len(t, list, 2+len(change.run.Rows))
		require.True(t, list[1].starts)
		require.Zero(t, list[1].step)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
		path = later
	}
}

// A run in its first session, without a result, began when its recipe was written. If its result later says a second more
// or less, no record changes.
func TestTheTimeOfAFirstSession(t *testing.T) {
	run := mine(2)
	result := run.Result
	run.Dir, run.Result = t.TempDir(), nil
	recipe := filepath.Join(run.Dir, "recipe.json")
	require.NoError(t, os.WriteFile(recipe, nil, 0o644))
	require.NoError(t, os.Chtimes(recipe, time.Time{}, time.Unix(1e9, 7e8)))
	folder := t.TempDir()
	path, list := saved(t, folder, run)
	require.Equal(t, []float64{1e9, 1e9, 1e9 + 1.5, 1e9 + 3}, []float64{list[0].wall, list[1].wall, list[2].wall, list[3].wall})
	run.Result, run.Rows = result, mine(3).Rows
	again, list := saved(t, folder, run)
	require.Equal(t, path, again)
	require.Len(t, list, 5)
	require.Equal(t, 1e9+4.5, list[4].wall)
}

// The frame of the first record of every event file, as TensorFlow writes it: the length 24 and its checksum, which is
// known from TFRecord files everywhere.
func TestFrame(t *testing.T) {
	out := record(nil, make([]byte, 24))
	require.Equal(t, "1800000000000000a37f4b22", hex.EncodeToString(out[:12]))
	require.Len(t, out, 16+24)
}
