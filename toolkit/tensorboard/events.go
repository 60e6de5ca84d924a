// Package tensorboard writes the log of a run as an event file of TensorBoard: records as TFRecord frames them, each an
// Event in protobuf's encoding (tensorflow/core/util/event.proto), of which a scalar needs a handful of fields: no library for
// Go that writes event files is kept up.
package tensorboard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"stochdepth/toolkit/internal/disk"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/runs"
)

// Write writes the scalars of a run, a value a row of its log, with the step of the row and the time it was made.
// Values that a run did not measure are left out.
func Write(w io.Writer, run *runs.Run) error {
	began := run.Began()
	if began.IsZero() { // which is no number of nanoseconds
		began = time.Unix(0, 0)
	}
	if err := record(w, event(began, 0, protowire.AppendString(tag(nil, 3, protowire.BytesType), "brain.Event:2"))); err != nil {
		return err
	}
	for _, row := range run.Rows {
		at := began.Add(time.Duration(row.Seconds * float64(time.Second)))
		if err := record(w, event(at, row.Step, summary(row))); err != nil {
			return err
		}
	}
	return nil
}

// Save writes a run's event file into folder/name, where TensorBoard shows it as the run of that name, and returns its
// path. The same run has the same file, so that a longer log takes the place of a shorter one.
func Save(folder string, run *runs.Run) (string, error) {
	if err := runs.CheckName(run.Name); err != nil {
		return "", err
	}
	path := filepath.Join(folder, filepath.FromSlash(run.Name), "events.out.tfevents.0.stochdepth")
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("cannot make the folder of the event file: %w", err)
	}
	var data bytes.Buffer
	if err := Write(&data, run); err != nil {
		return "", err
	}
	return path, files.Write(path, data.Bytes())
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
func event(at time.Time, step int64, what []byte) []byte {
	seconds := float64(at.UnixNano()) / 1e9
	e := protowire.AppendFixed64(tag(nil, 1, protowire.Fixed64Type), math.Float64bits(seconds))
	e = protowire.AppendVarint(tag(e, 2, protowire.VarintType), uint64(step))
	return append(e, what...)
}

func tag(b []byte, field protowire.Number, kind protowire.Type) []byte {
	return protowire.AppendTag(b, field, kind)
}

// record frames data: its length, the length's checksum, the data, its checksum, numbers with the low byte first.
func record(w io.Writer, data []byte) error {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	frame := binary.LittleEndian.AppendUint32(length, masked(length))
	frame = append(frame, data...)
	_, err := w.Write(binary.LittleEndian.AppendUint32(frame, masked(data)))
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is TFRecord's checksum: a CRC-32C, turned and moved so that checksums of checksums stay good.
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
