// Package network makes a network with its data from a recipe, takes training steps with it, evaluates it, and exports it to
// files and imports it from them. Begin with [Open]. The package knows nothing of run folders: package training makes runs
// with it, package analysis looks at the trained networks.
package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/kernels"
	"stochdepth/toolkit/network/optimizer"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/network/survivors/byhand"
	"stochdepth/toolkit/runs/recipes"
)

// Model is a network with its variables, ready to take training steps and to classify.
type Model struct {
	Recipe        recipes.Recipe
	Network       *resnet.Network
	Form          resnet.Form // how it is computed
	Store         *model.Store
	Normalization dataset.Normalization
	Notes         []string // about the file that [Model.Import] read, such as a missing normalisation; a clause each

	backend                compute.Backend
	stepExec, evaluateExec *model.Exec
	programs               map[string]*model.Exec // of Program, by their names
	sharing                *sharing               // nil on one device
	resident               *resident              // nil if each minibatch brings its images
}

// Input is what a network is made for.
type Input struct {
	Format        dataset.Format        // of the images in memory; the network's are cut out if the recipe has a resize_size
	Classes       int                   // number of classes
	Normalization dataset.Normalization // of the images, fitted to the training part alone
}

// NewModel builds the model of a valid recipe with its initial weights. [Open] also loads the data and describes them as
// the input.
func NewModel(b compute.Backend, recipe recipes.Recipe, in Input) (*Model, error) {
	network, err := Of(recipe, imageOf(recipe, in.Format), in.Classes)
	if err != nil {
		return nil, err
	}
	m := &Model{Recipe: recipe, Network: network, Form: formOf(recipe, b), Store: model.NewStore(),
		Normalization: in.Normalization, backend: b}
	if err := network.Initialize(m.Store, recipe.Seed); err != nil {
		return nil, err
	}
	for _, name := range m.frozen() {
		residual.Variable(m.Store.RootScope(), name).SetTrainable(false)
	}
	if m.stepExec, err = m.named(model.NewExec(b, m.Store, m.stepGraph)); err != nil {
		return nil, err
	}
	m.evaluateExec, err = m.named(model.NewExec(b, m.Store, m.evaluateGraph))
	return m, err
}

// frozen names the variables that training leaves as they are.
func (m *Model) frozen() (names []string) {
	if m.Network.Frozen == 0 {
		return nil
	}
	all := m.Network.Variables()
	names = append(names, all.Stem...)
	for i, s := range m.Network.Stages() {
		if m.Network.IsFrozen(s) {
			names = append(names, all.Stages[i]...)
		}
	}
	return names
}

// Of returns the network that a recipe describes, without variables.
func Of(recipe recipes.Recipe, image dataset.Format, classes int) (*resnet.Network, error) {
	survival, err := recipe.Survival()
	if err != nil {
		return nil, err
	}
	groups, err := recipe.Groups()
	if err != nil {
		return nil, err
	}
	network, err := resnet.New(recipe.Block, groups, image, classes, survival)
	if err != nil {
		return nil, err
	}
	network.ImageNetStem, network.Projection = recipe.Stem == "imagenet", recipe.Shortcut == "projection"
	network.Patch = cmp.Or(recipe.PatchSize, network.Patch)
	if recipe.Encoder != "" {
		network.Encoder, _ = resnet.EncoderNamed(recipe.Encoder) // a valid recipe's
	}
	network.ClassToken = recipe.Pooling == "class-token"
	network.Subsample, network.Plain = recipe.Shortcut == "subsample", recipe.Shortcut == "none"
	network.Inverted, network.SubBatches = recipe.ScaleAt == "train", recipe.SubBatches()
	network.Frozen = recipe.FreezeGroups
	network.Scale = resnet.ScaleInit(recipe.BatchNormScale)
	network.DType = map[string]dtypes.DType{"float32": dtypes.Float32, "tf32": dtypes.Float32, "bf16-products": dtypes.Float32,
		"bfloat16": dtypes.BFloat16, "float64": dtypes.Float64}[recipe.DType]
	if recipe.DType == "bf16-products" {
		return network, checkBF16Products(network)
	}
	return network, nil
}

// checkBF16Products returns an error unless the kernels take every group of a network of the paper's blocks.
func checkBF16Products(n *resnet.Network) error {
	for _, l := range n.Size().Layers {
		if o := l.Output; l.Blocks > 0 && !kernels.Tiled(o[0], o[1], o[2]) {
			return fmt.Errorf("dtype bf16-products takes images of a width that is a multiple of 8 and of an even height, but those of "+
				"%d channels are %d x %d: take another image_size, such as 32 or 64, or dtype float32", o[2], o[0], o[1])
		}
	}
	return nil
}

// formOf returns the recipe's form, for the device of b.
func formOf(recipe recipes.Recipe, b compute.Backend) resnet.Form {
	if recipe.Form == "resnet" {
		return resnet.Textbook{}
	}
	return byhand.Form{Recompute: recipe.Recompute, GPU: backend.KindOf(b) == backend.CUDA,
		Kernels: recipe.SubBatches() && (recipe.DType == "float32" || recipe.DType == "bf16-products") && backend.Describe(b).Kernels != ""}
}

// stepGraph is one training step, with the inputs of [Model.TrainingLogits]. It returns a vector: the mean cross-entropy, the
// number of images classified wrongly, and the mean absolute gradient of the first weights of block 1 (in the paper's network
// those of its first convolution: the quantity of Fig. 7).
func (m *Model) stepGraph(scope *model.Scope, inputs []*Node) *Node {
	labels, gates := inputs[1], inputs[2]
	logits := m.TrainingLogits(scope, inputs)
	meanLoss := m.TrainingLoss(logits, inputs)

	var magnitude *Node
	first := residual.Variable(scope, m.Network.Stages()[0].Weights())
	o := m.optimizer()
	o.Observe = func(v *model.Variable, gradient *Node) {
		if v == first {
			magnitude = ReduceAllMean(Abs(Slice(gradient, AxisElem(0))))
		}
	}
	if m.Recipe.FreezeClosed {
		o.Mask = func(v *model.Variable, g *Graph) *Node { return m.openBlocksOf(v, gates) }
	}
	o.UpdateGraph(scope, labels.Graph(), meanLoss)
	if magnitude == nil { // block 1 is frozen
		magnitude = ScalarZero(meanLoss.Graph(), meanLoss.DType())
	}
	if m.Recipe.EMA > 0 {
		optimizer.Average(scope, labels.Graph(), m.Recipe.EMA, m.averaged())
	}
	return Stack([]*Node{meanLoss, ReduceAllSum(wrong(logits, m.mostOf(inputs))), magnitude}, 0)
}

// optimizer returns the optimizer of the recipe.
func (m *Model) optimizer() *optimizer.Optimizer {
	r := m.Recipe
	o := &optimizer.Optimizer{Rule: optimizer.SGD{Momentum: r.Momentum}, WeightDecay: r.WeightDecay, Clip: r.ClipGradient}
	if r.Optimizer == "adamw" {
		o.Rule = optimizer.AdamW{Betas: r.Betas}
	}
	if r.WeightDecayOf == "weights" {
		o.Decays = m.isWeights
	}
	return o
}

// isWeights reports whether a variable has the weights of convolutions or linear layers, and not the scales and offsets of a
// normalisation, biases, or a transformer's positions and class token: those that timm's optimizers decay.
func (m *Model) isWeights(v *model.Variable) bool {
	rank := v.Shape().Rank()
	if _, stacked := m.stageOf(v); stacked {
		rank--
	}
	return rank > 1 && v.Name() != "positions" && v.Name() != "class_token"
}

// stageOf returns the stage whose blocks have parts of a variable.
func (m *Model) stageOf(v *model.Variable) (_ resnet.Stage, found bool) {
	for _, s := range m.Network.Stages() {
		if strings.TrimPrefix(v.Scope(), model.ScopeSeparator+residual.Scope+model.ScopeSeparator) == s.Name {
			return s, true
		}
	}
	return resnet.Stage{}, false
}

// openBlocksOf returns the gates of a stage's stacked variable, shaped to broadcast to it, or nil for a variable outside the
// blocks' branches: the shortcut of a closed block is computed, so its weights learn.
func (m *Model) openBlocksOf(v *model.Variable, gates *Node) *Node {
	s, stacked := m.stageOf(v)
	if !stacked || !slices.ContainsFunc(s.Trained(), func(p residual.Parameter) bool { return p.Name == v.Name() }) {
		return nil
	}
	open := Slice(gates, AxisRange(s.First, s.First+s.Count))
	return residual.WithAxes(open, v.Shape().Rank()-1)
}

// Step starts one training step on a batch and returns a function that waits for it and returns its outcome. Meanwhile the
// next step can be prepared and started.
func (m *Model) Step(b *Batch) (wait func() (Outcome, error), err error) {
	if err := b.check(m); err != nil {
		return nil, err
	}
	exec, inputs := m.program(b)
	outputs, err := exec.Call(inputs...)
	if err != nil {
		return nil, fmt.Errorf("the training step failed: %w", explain(err))
	}
	return func() (_ Outcome, err error) {
		var v []float64
		for _, output := range outputs { // equal outputs from all devices: wait for each, so that none still reads the inputs
			if v, err = vector(output); err != nil {
				break
			}
		}
		m.free(inputs)
		if err != nil {
			return Outcome{}, fmt.Errorf("the training step failed: %w", explain(err))
		}
		return Outcome{Loss: v[0], Wrong: v[1], Gradient: v[2], Images: len(b.Labels), Open: b.Open}, nil
	}, nil
}

// Outcome is what a training step measures.
type Outcome struct {
	Loss     float64 // mean cross-entropy of the batch, with the recipe's label smoothing and mixed labels
	Wrong    float64 // images classified wrongly, in training mode; of mixed labels the larger counts
	Gradient float64 // mean absolute gradient of the first convolution of block 1
	Images   int     // in the batch
	Open     float64 // open blocks; with gates per sample their mean over the batch
}

// RateSchedule returns the recipe's schedule of the learning rate.
func (m *Model) RateSchedule() optimizer.Schedule {
	r := m.Recipe
	s := optimizer.Schedule{Rate: r.LearningRate, Drops: r.RateDrops(), WarmupEpochs: r.WarmupEpochs, WarmupRate: r.WarmupRate,
		WarmupLinear: r.Warmup == "linear"}
	switch {
	case r.RateSchedule == "cosine":
		s.Cosine = r.Epochs
	case r.RateFactor() != nil:
		s.Own, s.Epochs = r.RateFactor(), r.Epochs
	}
	return s
}

// SetLearningRate sets the rate of the next steps. Before the first call it is 0, and steps leave the weights as they are; the
// recipe's rate, by its [Model.RateSchedule], is for the caller to set.
func (m *Model) SetLearningRate(rate float64) error {
	v := optimizer.LearningRate(m.Store.RootScope(), residual.Variable(m.Store.RootScope(), "linear/bias"))
	return v.SetValue(residual.Tensor(v.DType(), []float64{rate}))
}

// SetSurvival sets the current survival probabilities: a branch is scaled by them at test (Eq. 5), or in training under
// inverted scaling; a probability of zero removes the block. They are saved with the weights.
func (m *Model) SetSurvival(p depth.Survival) error {
	return m.survivalPart().variable.SetValue(residual.Tensor(m.Network.ParameterDType(), p, len(p)))
}

// CurrentSurvival returns the survival probabilities that were last set, by [Model.SetSurvival] or from a checkpoint or a
// file.
func (m *Model) CurrentSurvival() (depth.Survival, error) { return m.survivalPart().read() }

// Parameters returns the number of trainable parameters.
func (m *Model) Parameters() int64 {
	var n int64
	for v := range m.Store.IterVariables() {
		if v.Trainable {
			n += int64(v.Shape().Size())
		}
	}
	return n
}
