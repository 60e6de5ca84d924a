package training

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/models"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/tensorfile"
)

// A network leaves and enters the project as a safetensors file. Names and layouts are those of
// PyTorch, block by block, so that a module of the same structure takes them as its state dict:
//
//	stem.conv.weight [16, 3, 3, 3]                         out, in, height, width
//	stem.bn.{weight, bias, running_mean, running_var} [16]
//	blocks.<l>.conv{1, 2}.weight [out, in, 3, 3]           l from 0
//	blocks.<l>.bn{1, 2}.{weight, bias, running_mean, running_var} [out]
//	fc.weight [classes, 64]; fc.bias [classes]
//	normalization.{mean, deviation}                        of pixels on the scale 0..255
//	survival [L]                                           p_l of each block, as in force
//
// and other kinds of blocks after the same rules (torchName).
//
// The metadata holds the run's recipe, and what [models.Info.Metadata] gives. All tensors are F32, or F64 for a network of that type.

// Export writes the model to path, with the recipe and the given metadata, such as [models.Info.Metadata]. The same
// network gives the same bytes.
func (m *Model) Export(path string, metadata map[string]string) error {
	recipe, err := json.Marshal(m.Recipe)
	if err != nil {
		return err
	}
	meta := map[string]string{"format": "pt", "project": "stochdepth", "recipe": string(recipe)}
	for key, value := range metadata {
		meta[key] = value
	}
	var out []tensorfile.Tensor
	add := func(name string, shape []int, values []float64) {
		out = append(out, encode(name, shape, values, m.Network.ParameterDType()))
	}
	err = m.visit(func(name string, part variablePart) error {
		values, err := part.read()
		if err != nil {
			return err
		}
		add(name, part.torchShape(), part.toTorch(values))
		return nil
	})
	if err != nil {
		return err
	}
	add("normalization.mean", []int{len(m.Normalization.Mean)}, toFloat64s(m.Normalization.Mean))
	add("normalization.deviation", []int{len(m.Normalization.Deviation)}, toFloat64s(m.Normalization.Deviation))
	survival, err := m.survivalPart().read()
	if err != nil {
		return err
	}
	add("survival", []int{len(survival)}, survival)
	return tensorfile.Write(path, out, meta)
}

// ImportedRecipe returns the recipe that a file written by [Model.Export] carries. A file from
// elsewhere has none: found is false.
func ImportedRecipe(path string) (recipe runs.Recipe, found bool, err error) {
	info, err := models.Read(path)
	if errors.Is(err, models.ErrNoRecipe) {
		return runs.Recipe{}, false, nil
	}
	return info.Recipe, err == nil, err
}

// Import sets the model's variables, and its normalisation if the file has one, from a file of the
// names and shapes of [Model.Export]. A missing, surplus or differently shaped tensor is an error, and so
// is a value that no trained network has (not finite, a negative variance, a deviation of zero); then
// nothing is changed.
func (m *Model) Import(path string) error {
	list, _, err := tensorfile.Read(path)
	if err != nil {
		return err
	}
	file := make(map[string]tensorfile.Tensor, len(list))
	for _, t := range list {
		file[t.Name] = t
	}
	take := func(name string, shape []int) ([]float64, error) {
		t, ok := file[name]
		if !ok {
			return nil, fmt.Errorf("%s has no tensor %s, which a network of %d layers needs", path, name, m.Recipe.Depth)
		}
		delete(file, name)
		if shape != nil && fmt.Sprint(t.Shape) != fmt.Sprint(shape) {
			return nil, fmt.Errorf("%s of %s is %v, not %v as in a network of %d layers and %d classes",
				name, path, t.Shape, shape, m.Recipe.Depth, m.Network.Classes)
		}
		values, err := decode(t)
		if err == nil {
			err = checkValues(path, name, values, m.Network.ParameterDType())
		}
		return values, err
	}
	next := make(map[*model.Variable][]partValues)
	set := func(part variablePart, values []float64) {
		next[part.variable] = append(next[part.variable], partValues{part, values})
	}
	err = m.visit(func(name string, part variablePart) error {
		values, err := take(name, part.torchShape())
		if err == nil {
			set(part, part.fromTorch(values))
		}
		return err
	})
	if err != nil {
		return err
	}
	normalization := m.Normalization
	for name, target := range map[string]*[]float32{"normalization.mean": &normalization.Mean, "normalization.deviation": &normalization.Deviation} {
		if _, ok := file[name]; ok {
			values, err := take(name, []int{len(*target)})
			if err != nil {
				return err
			}
			*target = toFloat32s(values)
		}
	}
	if _, ok := file["survival"]; ok {
		part := m.survivalPart()
		values, err := take("survival", part.shape)
		if err == nil {
			if err = depth.Survival(values).Validate(); err != nil {
				err = fmt.Errorf("survival of %s: %w", path, err)
			}
		}
		if err != nil {
			return err
		}
		if m.Recipe.Schedule().Kind != depth.Steady { // else the recipe says it
			set(part, values)
		}
	}
	for name := range file {
		if !strings.HasSuffix(name, ".num_batches_tracked") { // PyTorch counts batches; nothing depends on it
			return fmt.Errorf("%s has a tensor %s that a network of %d layers does not: give the right --depth", path, name, m.Recipe.Depth)
		}
	}
	m.Normalization, m.survival = normalization, nil
	for variable, parts := range next {
		if err := setParts(variable, parts); err != nil {
			return err
		}
	}
	return nil
}

func toFloat64s(values []float32) []float64 {
	converted := make([]float64, len(values))
	for i, v := range values {
		converted[i] = float64(v)
	}
	return converted
}

func toFloat32s(values []float64) []float32 {
	converted := make([]float32, len(values))
	for i, v := range values {
		converted[i] = float32(v)
	}
	return converted
}
