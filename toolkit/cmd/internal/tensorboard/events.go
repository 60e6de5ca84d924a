// Package tensorboard writes the log of a run as an event file of TensorBoard: records as TFRecord frames them, each an
// Event in protobuf's encoding (tensorflow/core/util/event.proto), of which a scalar needs a handful of fields: no library for
// Go that writes event files is kept up.
package tensorboard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/runs"
)

// Save writes a run's event file into folder/name, where TensorBoard shows it as the run of that name, and returns its
// path. A longer log is appended to the file of a shorter one, since TensorBoard goes on reading the file that it has
// open. Where that is no beginning of the log, as of a run made anew, a file of a later name is written beside it: there
// TensorBoard goes on, and forgets what it has read before.
func Save(folder string, run *runs.Run) (string, error) {
	if err := runs.CheckName(run.Name); err != nil {
		return "", err
	}
	dir := filepath.Join(folder, filepath.FromSlash(run.Name))
	if err := disk.MkdirAll(dir); err != nil {
		return "", fmt.Errorf("cannot make the folder of the event file: %w", err)
	}
	newest, next, err := eventFiles(dir)
	if err != nil {
		return "", err
	}
	if newest != "" {
		if extended, err := extend(newest, run); extended || err != nil {
			return newest, err
		}
	}
	return next, files.Write(next, events(run, started(run)))
}

// eventFiles names the last file that Save has written into a folder, or "", and the next one. TensorBoard reads the files
// of a run by their names, and reads none again after a later one.
func eventFiles(dir string) (newest, next string, err error) {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return "", "", fmt.Errorf("cannot look for event files: %w", err)
	}
	number := 0
	for _, entry := range entries {
		text, ours := strings.CutPrefix(entry.Name(), "events.out.tfevents.")
		text, named := strings.CutSuffix(text, ".stochdepth")
		if n, err := strconv.Atoi(text); ours && named && err == nil {
			newest, number = filepath.Join(dir, entry.Name()), n+1
		}
	}
	return newest, filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.stochdepth", number)), nil
}

// extend writes what a run's log has more than its event file, and is false if the file is no beginning of the log. The
// file begins at the time that it says. A process that was killed here, or another one that does the same, leaves bytes
// that are the log's too, of half a record perhaps: the rest is written behind them.
func extend(path string, run *runs.Run) (bool, error) {
	there, err := files.Read(path, math.MaxInt32)
	if err != nil {
		return false, err
	}
	began := started(run)
	if at := wallTime; len(there) >= at+8 {
		began = math.Float64frombits(binary.LittleEndian.Uint64(there[at:]))
	}
	more, begins := bytes.CutPrefix(events(run, began), there)
	if !begins || len(more) == 0 {
		return begins, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return false, files.WriteError(path, err)
	}
	_, err = file.WriteAt(more, int64(len(there)))
	return true, files.WriteError(path, errors.Join(err, file.Sync(), file.Close()))
}

// started is when a run was begun, in seconds since 1970; 0 if that is not known.
func started(run *runs.Run) float64 {
	if began := run.Began(); !began.IsZero() {
		return float64(began.Unix())
	}
	return 0
}

// events are the records of a run's file: its version, the start of a session, at which TensorBoard forgets what the files
// before had, and the scalars of each row of the log, with its step and the time it was made. Values that a run did
// not measure are left out.
func events(run *runs.Run, began float64) []byte {
	const starts = 1 // SessionLog's field 1 for a session that starts
	session := protowire.AppendVarint(tag(nil, 1, protowire.VarintType), starts)
	file := record(nil, event(began, 0, protowire.AppendString(tag(nil, 3, protowire.BytesType), "brain.Event:2")))
	file = record(file, event(began, 0, protowire.AppendBytes(tag(nil, 7, protowire.BytesType), session)))
	for _, row := range run.Rows {
		file = record(file, event(began+row.Seconds, row.Step, summary(row)))
	}
	return file
}

// scalars are what TensorBoard shows, grouped by what stands before the slash.
var scalars = []struct {
	tag string
	of  func(runs.Row) float64
}{
	{"loss/training", func(r runs.Row) float64 { return r.TrainLoss }},
	{"error/training", func(r runs.Row) float64 { return r.TrainError }},
	{"error/validation", func(r runs.Row) float64 { return r.ValidationError }},
	{"error/test", func(r runs.Row) float64 { return r.TestError }},
	{"training/epoch", func(r runs.Row) float64 { return r.Epoch }},
	{"training/learning_rate", func(r runs.Row) float64 { return r.LearningRate }},
	{"training/open_blocks", func(r runs.Row) float64 { return r.OpenBlocksMean }},
	{"training/gradient_magnitude", func(r runs.Row) float64 { return r.GradientMagnitude }},
}

// summary is a row as field 5 of an Event, a Summary: repeated Value value = 1, of string tag = 1, float simple_value = 2.
func summary(row runs.Row) []byte {
	var values []byte
	for _, s := range scalars {
		x := s.of(row)
		if math.IsNaN(x) {
			continue
		}
		value := protowire.AppendString(tag(nil, 1, protowire.BytesType), s.tag)
		value = protowire.AppendFixed32(tag(value, 2, protowire.Fixed32Type), math.Float32bits(float32(x)))
		values = protowire.AppendBytes(tag(values, 1, protowire.BytesType), value)
	}
	return protowire.AppendBytes(tag(nil, 5, protowire.BytesType), values)
}

// event is an Event: double wall_time = 1, int64 step = 2, and what it is of.
func event(seconds float64, step int64, what []byte) []byte {
	e := protowire.AppendFixed64(tag(nil, 1, protowire.Fixed64Type), math.Float64bits(seconds))
	e = protowire.AppendVarint(tag(e, 2, protowire.VarintType), uint64(step))
	return append(e, what...)
}

func tag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	return protowire.AppendTag(b, field, kind)
}

// wallTime is where the time of a file's first event is: behind the frame's length and its checksum, and the field's tag.
const wallTime = 8 + 4 + 1

// record appends data in its frame: its length, the length's checksum, the data, its checksum, numbers with the low byte
// first.
func record(file, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(append(file, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(file, data...), masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is TFRecord's checksum: a CRC-32C, turned and moved so that checksums of checksums stay good.
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
