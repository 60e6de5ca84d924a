package network

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/runs/recipes"
)

// A network is exported and imported as a safetensors file. Names and layouts are PyTorch's, block by block, so that a module
// of the same structure can load them as its state dict:
//
//	stem.conv.weight [16, 3, 3, 3]                         out, in, height, width
//	stem.bn.{weight, bias, running_mean, running_var} [16]
//	blocks.<l>.conv{1, 2}.weight [out, in, 3, 3]           l from 0
//	blocks.<l>.bn{1, 2}.{weight, bias, running_mean, running_var} [out]
//	fc.weight [classes, 64]; fc.bias [classes]
//	normalization.{mean, deviation}                        of pixels on the scale 0..255
//	survival [L]                                           the factor of each branch at test: p_l, or 1 under scale_at=train
//
// The names of other kinds of blocks follow the same rules (torchName).
//
// The metadata holds the run's recipe and the texts of [models.Info.Metadata]. All tensors are F32, or F64 for a network of
// that type.

// Export writes the model to path, with the recipe and the given metadata, such as [models.Info.Metadata]. The same network
// gives the same bytes.
func (m *Model) Export(path string, metadata map[string]string) error {
	meta, err := metadataOf(m.Recipe, metadata)
	if err != nil {
		return err
	}
	out, err := m.tensors()
	if err != nil {
		return err
	}
	return tensorfile.Write(path, out, meta)
}

// metadataOf is the metadata of a file: the recipe, and more.
func metadataOf(recipe recipes.Recipe, more map[string]string) (map[string]string, error) {
	text, err := json.Marshal(recipe)
	meta := map[string]string{"format": "pt", "project": "stochdepth", "recipe": string(text)}
	maps.Copy(meta, more)
	return meta, err
}

// tensors are those of a file.
func (m *Model) tensors() (out []tensorfile.Tensor, err error) {
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
		return nil, err
	}
	add(meanName, []int{len(m.Normalization.Mean)}, floats[float64](m.Normalization.Mean))
	add(deviationName, []int{len(m.Normalization.Deviation)}, floats[float64](m.Normalization.Deviation))
	scales, err := m.TestScales()
	if err != nil {
		return nil, err
	}
	add("survival", []int{len(scales)}, scales)
	return out, nil
}

// TestScales returns the factors of the branches at test, one for each block: the current survival probabilities (Eq. 5), or,
// where training divides by them, 1; 0 for a removed block.
func (m *Model) TestScales() ([]float64, error) {
	survival, err := m.CurrentSurvival()
	if err == nil && m.Network.Inverted {
		return atTest(survival), nil
	}
	return survival, err
}

// Import sets the model's variables, and its normalisation if the file has one, from a file with the names and shapes of
// [Model.Export], or with known names of PyTorch code (see [Model.Notes]). A missing, surplus or differently shaped tensor is
// an error, and so is a value that no trained network has (not finite, a negative variance, a deviation of zero), and a
// survival that the recipe does not apply; then nothing is changed.
func (m *Model) Import(path string) error {
	file, err := ReadWeights(path, Reading{})
	if err != nil {
		return err
	}
	return m.take(file)
}

// take imports a file that was read.
func (m *Model) take(file *Weights) error {
	next := make(map[*model.Variable][]partValues)
	set := func(part variablePart, values []float64) {
		next[part.variable] = append(next[part.variable], partValues{part, part.fromTorch(values)})
	}
	newLast, err := m.newLastLayer(file)
	if err != nil {
		return err
	}
	if err := m.fitPositions(file); err != nil {
		return err
	}
	err = m.visit(func(name string, part variablePart) error {
		if newLast && strings.HasPrefix(name, "fc.") {
			return nil
		}
		values, err := m.values(file, name, part.torchShape())
		if err == nil {
			set(part, values)
		}
		return err
	})
	if err != nil {
		return err
	}
	normalization, err := m.takeNormalization(file)
	if err != nil {
		return err
	}
	scales, err := m.takeScales(file)
	if err != nil {
		return err
	}
	set(m.survivalPart(), scales)
	if err := m.checkFrozen(file, scales); err != nil {
		return err
	}
	if err := m.surplus(file); err != nil {
		return err
	}
	m.Normalization, m.Notes = normalization, file.notes
	for variable, parts := range next {
		if err := setParts(variable, parts); err != nil {
			return err
		}
	}
	return nil
}

// newLastLayer reports whether the last layer keeps its initial weights, and then removes the file's.
func (m *Model) newLastLayer(file *Weights) (bool, error) {
	classes, asked := 0, file.reading.Classes
	if bias := file.tensors["fc.bias"].Shape; len(bias) == 1 {
		classes = bias[0]
	}
	if asked != 0 && asked != m.Network.Classes {
		return false, fmt.Errorf("--classes %d: the data set %s has %d classes: give this number, or another --dataset",
			asked, m.Recipe.Dataset, m.Network.Classes)
	}
	switch other := classes != 0 && classes != m.Network.Classes; {
	case asked != 0 || file.reading.Adapt && other:
	case other:
		return false, otherClasses(file.path, classes, m.Recipe.Dataset, m.Network.Classes)
	default:
		return false, nil
	}
	delete(file.tensors, "fc.weight")
	delete(file.tensors, "fc.bias")
	file.note("its last layer, of %d classes, is replaced by one of %d with initial weights: train it", classes, m.Network.Classes)
	return true, nil
}

// checkFrozen refuses to freeze branches that the file multiplies by other factors at test than the recipe.
func (m *Model) checkFrozen(file *Weights, scales []float64) error {
	if m.Network.Frozen == 0 || m.Network.Inverted {
		return nil
	}
	if n := depth.Total(m.Network.Groups[:m.Network.Frozen]); !near(scales[:n], m.Network.Survival[:n]) {
		return fmt.Errorf("freeze_groups %d: the branches of %s are multiplied at test by other factors than the recipe's, so frozen "+
			"ones would change: take the rule and death rate that it was trained with", m.Network.Frozen, file.path)
	}
	return nil
}

// values takes a tensor, which must have this shape, from the file.
func (m *Model) values(file *Weights, name string, shape []int) ([]float64, error) {
	t, ok := file.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s has no tensor %s, which a network of %d layers needs%s",
			file.path, name, m.Recipe.Depth, m.remedyForMissing(file, name))
	}
	delete(file.tensors, name)
	if fmt.Sprint(t.Shape) != fmt.Sprint(shape) {
		return nil, fmt.Errorf("%s of %s is %v, but %v in the network of the recipe: %s", name, file.path, t.Shape, shape,
			m.remedy(file, name))
	}
	values, err := decode(t)
	if err == nil {
		err = checkValues(file.path, name, values, m.Network.ParameterDType())
	}
	return values, err
}

// takeNormalization takes the file's normalisation, for pixels from 0 to 255, or the model's own if the file has none.
func (m *Model) takeNormalization(file *Weights) (n dataset.Normalization, err error) {
	switch mean, deviation := file.has(meanName), file.has(deviationName); {
	case !mean && !deviation:
		file.note("it has no %s and %s: pixels are normalised as the recipe's training images are", meanName, deviationName)
		return m.Normalization, nil
	case !mean || !deviation:
		return n, fmt.Errorf("%s has one of %s and %s: it needs both, or none", file.path, meanName, deviationName)
	}
	mean, err := m.values(file, meanName, []int{len(m.Normalization.Mean)})
	if err != nil {
		return n, err
	}
	deviation, err := m.values(file, deviationName, []int{len(m.Normalization.Deviation)})
	if err != nil {
		return n, err
	}
	unit, err := onUnitScale(file.path, file.recipe == nil, mean, deviation)
	if unit {
		file.note("its normalisation is of pixels from 0 to 1, as in PyTorch: it was multiplied by 255")
	}
	return dataset.Normalization{Mean: floats[float32](mean), Deviation: floats[float32](deviation)}, err
}

// takeScales takes the file's survival and returns the survival probabilities with which branches are multiplied at test by
// the factors in the file.
func (m *Model) takeScales(file *Weights) ([]float64, error) {
	rule, last := m.Network.Survival, len(m.Network.Survival)-1
	steady := m.Recipe.Schedule().Kind == depth.Steady
	if !file.has("survival") {
		if steady && !m.Network.Inverted && !m.Recipe.IsConstant() {
			file.note("it has no survival: its branches are multiplied by the recipe's at test (the last by %.4g; "+
				"by none with death_rate 0 or scale_at train)", rule[last])
		}
		return rule, nil
	}
	scales, err := m.values(file, "survival", []int{len(rule)})
	if err != nil {
		return nil, err
	}
	if err := depth.Survival(scales).Validate(); err != nil {
		return nil, fmt.Errorf("survival of %s: %w", file.path, err)
	}
	if file.recipe != nil && file.recipe.ScaleAt == "train" {
		scales = atTest(scales) // older files have the survival probabilities of the training here
	}
	switch {
	case m.Network.Inverted && !near(scales, atTest(scales)):
		return nil, fmt.Errorf("the branches of %s are multiplied by its survival at test (the last by %.4g), "+
			"but not with scale_at train: use scale_at test", file.path, scales[last])
	case m.Network.Inverted, near(scales, rule): // if inverted, branches are divided by the rule's in training
		return rule, nil
	case steady:
		file.note("its branches are multiplied by its own survival at test (the last by %.4g) and not by the recipe's (%.4g), "+
			"until it is trained further", scales[last], rule[last])
	}
	return scales, nil
}

// atTest returns the factors of the branches at test under scale_at=train: 1, or 0 for a removed block.
func atTest(survival []float64) []float64 {
	scales := make([]float64, len(survival))
	for l, p := range survival {
		if p > 0 {
			scales[l] = 1
		}
	}
	return scales
}

// near reports whether two lists of probabilities are equal up to the rounding of a file's type, at most that of BF16.
func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1./500 })
}

// floats converts values from one type of floats to another.
func floats[To, From float32 | float64](values []From) []To {
	converted := make([]To, len(values))
	for i, v := range values {
		converted[i] = To(v)
	}
	return converted
}
