// Package tensorboard writes the log of a run as an event file of TensorBoard: TFRecord's records, each an Event in
// protobuf's encoding (tensorflow/core/util/event.proto), of which scalars need a handful of fields. No maintained library
// for Go writes event files.
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
// open. If the file is not the beginning of the log, as with a run that was made again, a file with a later name is written
// beside it: TensorBoard continues there, and forgets what it has read before.
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

// eventFiles names the last file that Save has written into a folder, or "", and the next one. TensorBoard reads a run's
// files in the order of their names, and never returns to an earlier one.
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

// extend appends the part of a run's log that its event file lacks, and returns false if the file is not the beginning of
// the log. The start time is the one recorded in the file. If another process was killed here, or does the same now, its
// bytes belong to the log too, perhaps with half a record at the end: the rest is written behind them.
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

// started returns when a run began, in seconds since 1970; 0 if that is not known.
func started(run *runs.Run) float64 {
	if began := run.Began(); !began.IsZero() {
		return float64(began.Unix())
	}
	return 0
}

// events returns the records of a run's file: its version, the start of a session, at which TensorBoard forgets earlier
// files, and the scalars of each row of the log, with its step and time. Values that a run did not measure are left out.
func events(run *runs.Run, began float64) []byte {
	const starts = 1 // the value of SessionLog's field 1 at the start of a session
	session := protowire.AppendVarint(tag(nil, 1, protowire.VarintType), starts)
	file := record(nil, event(began, 0, protowire.AppendString(tag(nil, 3, protowire.BytesType), "brain.Event:2")))
	file = record(file, event(began, 0, protowire.AppendBytes(tag(nil, 7, protowire.BytesType), session)))
	for _, row := range run.Rows {
		file = record(file, event(began+row.Seconds, row.Step, summary(row)))
	}
	return file
}

// scalars are the values that TensorBoard shows, grouped by the word before the slash.
var scalars = []struct {
	tag   string
	value func(runs.Row) float64
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

// summary encodes a row as field 5 of an Event, a Summary: repeated Value value = 1, with string tag = 1 and
// float simple_value = 2.
func summary(row runs.Row) []byte {
	var values []byte
	for _, s := range scalars {
		x := s.value(row)
		if math.IsNaN(x) {
			continue
		}
		value := protowire.AppendString(tag(nil, 1, protowire.BytesType), s.tag)
		value = protowire.AppendFixed32(tag(value, 2, protowire.Fixed32Type), math.Float32bits(float32(x)))
		values = protowire.AppendBytes(tag(values, 1, protowire.BytesType), value)
	}
	return protowire.AppendBytes(tag(nil, 5, protowire.BytesType), values)
}

// event encodes an Event: double wall_time = 1, int64 step = 2, and its content.
func event(seconds float64, step int64, content []byte) []byte {
	e := protowire.AppendFixed64(tag(nil, 1, protowire.Fixed64Type), math.Float64bits(seconds))
	e = protowire.AppendVarint(tag(e, 2, protowire.VarintType), uint64(step))
	return append(e, content...)
}

func tag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	return protowire.AppendTag(b, field, kind)
}

// wallTime is the position of the first event's time in a file: behind the frame's length and its checksum, and the tag.
const wallTime = 8 + 4 + 1

// record appends data in a frame: its length, the length's checksum, the data, its checksum, with the low byte of each
// number first.
func record(file, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(append(file, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(file, data...), masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns TFRecord's checksum: a CRC-32C, rotated and shifted so that checksums of checksums work too.
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
