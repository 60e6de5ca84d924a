package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/backend/proxy"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
)

// This file has what programs on a model's variables use: the training step, the evaluation, and those of package analysis.

// ProgramGraph builds a program on a model's variables from its inputs.
type ProgramGraph = func(scope *model.Scope, inputs []*Node) []*Node

// Program returns the program of a graph on the model's variables. The first call with a name makes the program; the next
// ones return the same program, whatever the graph. It is compiled when it first runs.
func (m *Model) Program(name string, graph ProgramGraph) (*model.Exec, error) {
	if exec, ok := m.programs[name]; ok {
		return exec, nil
	}
	exec, err := m.named(model.NewExec(m.backend, m.Store, graph))
	if err != nil {
		return nil, err
	}
	if m.programs == nil {
		m.programs = make(map[string]*model.Exec)
	}
	m.programs[name] = exec
	return exec, nil
}

// named gives a program of the model a name that says in which precision package proxy has it compiled.
func (m *Model) named(exec *model.Exec, err error) (*model.Exec, error) {
	prefix := map[string]string{"tf32": proxy.TF32, "bf16-products": proxy.BF16Products}[m.Recipe.DType]
	if err == nil && prefix != "" {
		exec.WithName(prefix + exec.Name())
	}
	return exec, err
}

// TrainingLogits builds the forward pass of a training step and returns the logits [batch, classes]. The inputs are those
// that [Model.OnMinibatch] gives a program: the pixels [batch, height, width, channels] and labels [batch], the gates [L] (or
// [batch, L] for gates per sample), and the draws of the augmentation ([batch, 3] of shifts, [batch, 5] of crops) if the recipe
// asks for it, and those of mixed images if it mixes. The running averages of batch normalisation are updated.
func (m *Model) TrainingLogits(scope *model.Scope, inputs []*Node) *Node {
	pixels, gates := inputs[0], inputs[2]
	scope.Store().SetTraining(pixels.Graph(), true)
	images := normalize(pixels, m.Normalization, m.Network.ParameterDType())
	switch m.Recipe.Augment {
	case "shift":
		images = shift(images, inputs[3])
	case "crop":
		images = crop(images, inputs[3], m.Network.Image)
	}
	images = centre(images, m.Network.Image)
	if m.Recipe.Mixes() {
		images = mix(images, mixInput(inputs))
	}
	return m.Network.ForwardIn(m.Form, scope, images, gates)
}

// TestLogits builds the forward pass at test, with every block open and scaled by its survival probability (Eq. 5), for
// pixels [batch, height, width, channels], and returns the logits [batch, classes].
func (m *Model) TestLogits(scope *model.Scope, pixels *Node) *Node {
	return m.TestLogitsIn(m.Form, scope, pixels)
}

// TestLogitsIn is [Model.TestLogits] in a form of one's own.
func (m *Model) TestLogitsIn(form resnet.Form, scope *model.Scope, pixels *Node) *Node {
	scope.Store().SetTraining(pixels.Graph(), false)
	images := normalize(pixels, m.Normalization, m.Network.ParameterDType())
	return m.Network.ForwardIn(form, scope, centre(images, m.Network.Image), nil)
}

// CrossEntropy returns the cross-entropy of each image, [batch], for logits [batch, classes] and labels [batch]. (GoMLX's
// own function returns the mean.)
func CrossEntropy(logits, labels *Node) *Node {
	return crossEntropy(logits, OneHot(labels, logits.Shape().Dimensions[1], logits.DType()))
}

// crossEntropy is CrossEntropy for targets [batch, classes], the probabilities of the classes.
func crossEntropy(logits, targets *Node) *Node {
	return ReduceSum(Neg(Mul(targets, LogSoftmax(logits))), -1)
}

// OnMinibatch runs a program with the inputs of [Model.TrainingLogits] on a minibatch, which must have its pixels, and
// returns the values of its first output.
func (m *Model) OnMinibatch(exec *model.Exec, b *Batch) ([]float64, error) {
	if err := b.check(m); err != nil {
		return nil, err
	}
	inputs := b.tensors(m)
	defer free(inputs)
	outputs, err := exec.Call(inputs...)
	if err != nil {
		return nil, explain(err)
	}
	return vector(outputs[0])
}

// explain returns an error of GoMLX or XLA in words for the user: the mistake of a block alone, or what [backend.Explain] makes
// of it.
func explain(err error) error {
	if mistake := new(residual.Mistake); errors.As(err, &mistake) {
		return mistake
	}
	return backend.Explain(err)
}

// EvaluationBatch returns the largest number of images of a format that are classified at once: fewer, but not below 50, if
// they have more pixels than the paper's, so that the memory stays about the same.
func EvaluationBatch(f dataset.Format) int { return min(500, max(50, 500*32*32/(f.Height*f.Width))) }

// OnImages runs a program of pixels [batch, height, width, channels] and labels [batch] on all images of a part in their
// order, in batches of equal size, and calls do with the labels of each batch and the values of each output. Images with
// the label -1 fill up the last batch and do not count. It stops early with the context's error when the context is
// cancelled. A network whose recipe has ema gets the averages of its weights meanwhile.
func (m *Model) OnImages(ctx context.Context, exec *model.Exec, part dataset.View,
	do func(labels []int32, outputs [][]float64)) (err error) {
	if part.Len() == 0 {
		return fmt.Errorf("there are no images to evaluate on")
	}
	if err := m.swapAverages(); err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, m.swapAverages()) }()
	size := min(EvaluationBatch(part.Format()), part.Len())
	indices, labels := make([]int32, size), make([]int32, size)
	pixels := make([]byte, size*part.Format().Bytes())
	for first := 0; first < part.Len(); first += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range indices {
			indices[i] = int32((first + i) % part.Len())
		}
		if err := part.Gather(indices, pixels, labels); err != nil {
			return err
		}
		for i := part.Len() - first; i < size; i++ {
			labels[i] = -1
		}
		outputs, err := onBatch(exec, part.Format(), pixels, labels)
		if err != nil {
			return fmt.Errorf("the evaluation failed: %w", backend.Explain(err))
		}
		do(labels, outputs)
	}
	return nil
}

// onBatch runs a program on pixels and labels of images of a format, and returns the values of each output.
func onBatch(exec *model.Exec, format dataset.Format, pixels []byte, labels []int32) ([][]float64, error) {
	inputs := []any{
		tensors.FromFlatDataAndDimensions(pixels, format.Batch(len(labels))...),
		tensors.FromFlatDataAndDimensions(labels, len(labels)),
	}
	defer free(inputs)
	outputs, err := exec.Call(inputs...)
	if err != nil {
		return nil, explain(err)
	}
	values := make([][]float64, len(outputs))
	for i, output := range outputs {
		if values[i], err = vector(output); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// free releases the device memory of inputs at once, instead of when Go collects them. Call it after reading the outputs:
// only then the program has certainly ended. (go-xla's calls wait for the device, but do not promise this.)
func free(inputs []any) {
	for _, input := range inputs {
		input.(*tensors.Tensor).FinalizeAll()
	}
}

// vector copies a small result to the host and frees it.
func vector(t *tensors.Tensor) ([]float64, error) {
	defer t.FinalizeAll()
	var v []float64
	err := t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			v = append(v, flat...)
		case []float32:
			v = floats[float64](flat)
		}
	})
	return v, err
}

// Score is the result of an evaluation.
type Score struct {
	Error float64 // percent of the images classified wrongly
	Loss  float64 // mean cross-entropy
}

// Evaluate classifies all images of a part in test mode, with every block open and scaled by its survival probability
// (Eq. 5). It stops early with the context's error when the context is cancelled.
func (m *Model) Evaluate(ctx context.Context, part dataset.View) (Score, error) {
	var score Score
	err := m.OnImages(ctx, m.evaluateExec, part, func(_ []int32, outputs [][]float64) {
		score.Error += outputs[0][0]
		score.Loss += outputs[0][1]
	})
	if err != nil {
		return Score{}, err
	}
	score.Error = 100 * score.Error / float64(part.Len())
	score.Loss /= float64(part.Len())
	return score, nil
}

// evaluateGraph classifies pixels [batch, height, width, channels] in test mode and returns a vector: the number of mistakes
// and the sum of the images' cross-entropies. Images with the label -1 do not count.
func (m *Model) evaluateGraph(scope *model.Scope, pixels, labels *Node) *Node {
	logits := m.TestLogits(scope, pixels)
	counts := ConvertDType(GreaterOrEqual(labels, ZerosLike(labels)), logits.DType())
	labels = Max(labels, ZerosLike(labels))
	sum := ReduceSum(logits, -1) // NaN if one logit is: no class is the largest then, although ArgMax names one
	isNaN := ConvertDType(NotEqual(sum, sum), logits.DType())
	mistakes := ReduceAllSum(Mul(Max(wrong(logits, labels), isNaN), counts))
	return Stack([]*Node{mistakes, ReduceAllSum(Mul(CrossEntropy(logits, labels), counts))}, 0)
}

// wrong is 1 for each image whose largest logit is not at its label, else 0, [batch].
func wrong(logits, labels *Node) *Node {
	return ConvertDType(NotEqual(ArgMax(logits, -1, labels.DType()), labels), logits.DType())
}
