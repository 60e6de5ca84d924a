package tensorboard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"stochdepth/toolkit/runs"
)

// read is an event as it is in the file.
type read struct {
	wall    float64
	step    int64
	version string
	values  map[string]float64
}

// records takes the frames apart and checks their sums.
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

func TestWriteReadsBack(t *testing.T) {
	run := &runs.Run{Name: "more/mine", Result: &runs.Result{Started: time.Unix(1000, 0)}, Rows: []runs.Row{
		{Epoch: 1, Step: 32, LearningRate: 0.125, TrainLoss: 2.5, TrainError: 85, ValidationError: 87, TestError: math.NaN(), OpenBlocksMean: 6.25, GradientMagnitude: 0.5, Seconds: 1.5},
		{Epoch: 2, Step: 64, LearningRate: 0.125, TrainLoss: 2, TrainError: 80, ValidationError: 79, TestError: 78.5, OpenBlocksMean: 6.5, GradientMagnitude: 0.25, Seconds: 3},
	}}
	folder := t.TempDir()
	path, err := Save(folder, run)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(folder, "more", "mine"), filepath.Dir(path))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	list := records(t, file)
	require.Len(t, list, 3)
	require.Equal(t, read{wall: 1000, version: "brain.Event:2", values: map[string]float64{}}, list[0])
	require.Equal(t, read{wall: 1001.5, step: 32, values: map[string]float64{
		"loss/training": 2.5, "error/training": 85, "error/validation": 87, // no test error: NaN
		"training/epoch": 1, "training/learning_rate": 0.125, "training/open_blocks": 6.25, "training/gradient_magnitude": 0.5,
	}}, list[1])
	require.Equal(t, 78.5, list[2].values["error/test"])
	require.Equal(t, int64(64), list[2].step)

	var young bytes.Buffer
	require.NoError(t, Write(&young, &runs.Run{Name: "young"}))
	require.Len(t, records(t, young.Bytes()), 1)
	run.Name = "../out"
	_, err = Save(folder, run)
	require.ErrorContains(t, err, "is a path")
}

// The first record of every event file but for the time, as TensorFlow writes it: the length 24 and its checksum, which
// is known from TFRecord files everywhere.
func TestFrame(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, record(&out, make([]byte, 24)))
	require.Equal(t, "1800000000000000a37f4b22", hex.EncodeToString(out.Bytes()[:12]))
	require.Equal(t, 16+24, out.Len())
}
