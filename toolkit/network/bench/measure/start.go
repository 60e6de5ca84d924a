package measure

import (
	"encoding/binary"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/bench"
)

// WriteStart writes the safetensors file from which all programs that take the steps of a specification start. It has the
// network with its initial weights, as [network.Model.Export] writes it, and also
//
//	batch.pixels [batch, 32, 32, 3]     bytes
//	batch.labels [batch]                I32
//	gates [bench.Untimed + steps, L]    bytes, 1 for open: a row for each step
func WriteStart(b compute.Backend, s bench.Spec, path string) error {
	gates, err := s.Gates()
	if err != nil {
		return err
	}
	model, err := newModel(b, s.Recipe())
	if err != nil {
		return err
	}
	if err := model.Export(path, nil); err != nil {
		return err
	}
	tensors, metadata, err := tensorfile.Read(path)
	if err != nil {
		return err
	}
	batch := randomBatch(s.Batch)
	labels := make([]byte, 0, 4*s.Batch)
	for _, label := range batch.Labels {
		labels = binary.LittleEndian.AppendUint32(labels, uint32(label))
	}
	var rows []byte
	for _, row := range gates {
		for _, open := range row {
			var gate byte
			if open {
				gate = 1
			}
			rows = append(rows, gate)
		}
	}
	tensors = append(tensors,
		tensorfile.Tensor{Name: "batch.pixels", DType: "U8", Shape: batch.Format.Batch(s.Batch), Data: batch.Pixels},
		tensorfile.Tensor{Name: "batch.labels", DType: "I32", Shape: []int{s.Batch}, Data: labels},
		tensorfile.Tensor{Name: "gates", DType: "U8", Shape: []int{len(gates), len(gates[0])}, Data: rows})
	return tensorfile.Write(path, tensors, metadata)
}
