package network

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/residual"
	"stochdepth/toolkit/network/resnet"
	"stochdepth/toolkit/runs/recipes"
)

// branchEnds names, for each kind of blocks whose branch ends in one linear operation, the tensors of that operation: what
// multiplies the branch can be multiplied into them.
var branchEnds = map[string][]string{
	depth.Basic:              {"bn2.weight", "bn2.bias"},
	depth.OriginalBottleneck: {"bn3.weight", "bn3.bias"},
	depth.Preactivation:      {"conv2.weight"},
	depth.Bottleneck:         {"conv3.weight"},
}

// folded returns the tensors of a file in which the factors of the branches at test are multiplied into the last tensors of the
// branches, and the factors that are left: 1, or as they are if the blocks' branches end in no such tensor.
func (m *Model) folded() (list []tensorfile.Tensor, scales []float64, err error) {
	if list, err = m.tensors(); err != nil {
		return nil, nil, err
	}
	if scales, err = m.TestScales(); err != nil {
		return nil, nil, err
	}
	ends := branchEnds[m.Recipe.Block]
	if ends == nil {
		return list, scales, nil
	}
	factors := make(map[string]float64)
	for block, scale := range scales {
		for _, end := range ends {
			factors[fmt.Sprintf("blocks.%d.%s", block, end)] = scale
		}
	}
	for i, t := range list {
		factor, ok := factors[t.Name]
		if !ok || factor == 1 {
			continue
		}
		values, err := decode(t)
		if err != nil {
			return nil, nil, err
		}
		for j := range values {
			values[j] *= factor
		}
		list[i] = encode(t.Name, t.Shape, values, m.Network.ParameterDType())
	}
	return list, depth.Constant(len(scales)), nil
}

// ExportPruned is [Model.Export] for the network that is left if it keeps only these blocks, counted from 1 in ascending order: a
// network with fewer blocks, whose recipe has them. What multiplies branches at test becomes part of them, and the recipe has
// scale_at=train, unless the blocks are transformers or of one's own. To remove all blocks of a group, or one that
// [resnet.Network.Removable] calls needed, is an error.
func (m *Model) ExportPruned(path string, metadata map[string]string, kept []int) error {
	recipe, err := m.prunedRecipe(kept)
	if err != nil {
		return err
	}
	list, scales, err := m.folded()
	if err != nil {
		return err
	}
	if branchEnds[m.Recipe.Block] != nil {
		recipe.ScaleAt = "train"
	}
	renamed := make(map[string]string) // of the prefixes of blocks that stay
	left := make([]float64, len(kept))
	for i, block := range kept {
		renamed[fmt.Sprintf("blocks.%d.", block-1)] = fmt.Sprintf("blocks.%d.", i)
		left[i] = scales[block-1]
	}
	list = slices.DeleteFunc(list, func(t tensorfile.Tensor) bool {
		return strings.HasPrefix(t.Name, "blocks.") && renamed[blockOf(t.Name)] == ""
	})
	for i, t := range list {
		if name := blockOf(t.Name); renamed[name] != "" {
			list[i].Name = renamed[name] + strings.TrimPrefix(t.Name, name)
		}
		if t.Name == "survival" {
			list[i] = encode(t.Name, []int{len(left)}, left, m.Network.ParameterDType())
		}
	}
	meta, err := metadataOf(recipe, metadata)
	if err != nil {
		return err
	}
	return tensorfile.Write(path, list, meta)
}

// blockOf is the prefix of the name of a block's tensor: "blocks.3." for blocks.3.conv1.weight.
func blockOf(name string) string {
	parts := strings.SplitAfterN(name, ".", 3)
	if len(parts) < 3 || parts[0] != "blocks." {
		return ""
	}
	return parts[0] + parts[1]
}

// prunedRecipe is the recipe of the network that keeps only these blocks.
func (m *Model) prunedRecipe(kept []int) (r recipes.Recipe, err error) {
	r = m.Recipe
	removable := m.Network.Removable()
	for i, block := range kept {
		if block < 1 || block > len(removable) || i > 0 && kept[i-1] >= block {
			return r, fmt.Errorf("the blocks to keep are %v: they must be numbers from 1 to %d in ascending order", kept, len(removable))
		}
	}
	groups := make([]int, len(m.Network.Groups))
	block := 1
	for g, count := range m.Network.Groups {
		for range count {
			switch stays := slices.Contains(kept, block); {
			case stays:
				groups[g]++
			case !removable[block-1]:
				return r, fmt.Errorf("block %d changes the shape of what it gets, so the network needs it", block)
			}
			block++
		}
		if groups[g] == 0 {
			return r, fmt.Errorf("no block of group %d is left: keep one at least", g+1)
		}
	}
	if r.Block == depth.Transformer {
		r.Depth = len(kept)
	} else {
		r.Blocks, r.Depth = groups, depth.LayersIn(r.Block, groups)
	}
	if !r.IsConstant() {
		r.Rule, r.DeathRate, r.SurvivalProbabilities = "list", 0, nil
		for _, block := range kept {
			r.SurvivalProbabilities = append(r.SurvivalProbabilities, m.Network.Survival[block-1])
		}
	}
	return r, r.Validate()
}

// HasAverages reports whether the network has running averages, those of batch normalisation.
func (m *Model) HasAverages() bool { return len(m.runningAverages()) > 0 }

// runningAverages are the variables of batch normalisation's averages.
func (m *Model) runningAverages() (list []*model.Variable) {
	names := make(map[string]bool)
	for _, s := range m.Network.Stages() {
		for _, p := range s.Block.Parameters() {
			if p.Average {
				names[p.Name] = true
			}
		}
	}
	for _, v := range m.averaged() {
		if names[v.Name()] || v.Name() == "mean" || v.Name() == "variance" {
			list = append(list, v)
		}
	}
	return list
}

// remeasureBatch is the number of images in a minibatch of [Model.Remeasure], and remeasured that of all its images: enough to
// forget the averages of before, of which 0.9 stay with each minibatch.
const remeasureBatch, remeasured = 100, 6000

// Remeasure measures the running averages of batch normalisation anew, on the first 6,000 images of a part, as the network is at
// test now: with its branches scaled, and without the blocks whose survival probability is 0. Labels are not needed, and weights
// stay. The returned function puts the averages of before back.
func (m *Model) Remeasure(ctx context.Context, part dataset.View) (putBack func() error, err error) {
	putBack, err = m.saved(m.runningAverages())
	if err != nil {
		return nil, err
	}
	program, err := m.Program("remeasure", func(scope *model.Scope, inputs []*Node) []*Node {
		return []*Node{ReduceAllMean(m.remeasureGraph(scope, inputs[0]))}
	})
	if err != nil {
		return nil, err
	}
	size := min(remeasureBatch, part.Len())
	images := part.First(remeasured)
	pixels, labels, indices := make([]byte, size*part.Format().Bytes()), make([]int32, size), make([]int32, size)
	for first := 0; first+size <= images.Len(); first += size {
		if err := ctx.Err(); err != nil {
			return putBack, err
		}
		for i := range indices {
			indices[i] = int32(first + i)
		}
		if err := images.Gather(indices, pixels, labels); err != nil {
			return putBack, err
		}
		if _, err := onBatch(program, part.Format(), pixels, labels); err != nil {
			return putBack, fmt.Errorf("measuring the averages failed: %w", backend.Explain(err))
		}
	}
	return putBack, nil
}

// remeasureGraph is the network in training mode with the branches that it has at test.
func (m *Model) remeasureGraph(scope *model.Scope, pixels *Node) *Node {
	scope.Store().SetTraining(pixels.Graph(), true)
	images := centre(normalize(pixels, m.Normalization, m.Network.ParameterDType()), m.Network.Image)
	whole := *m.Network
	whole.Frozen = 0
	p := residual.Variable(scope, resnet.SurvivalVariable).NodeValue(pixels.Graph())
	open := ConvertDType(GreaterThan(p, ZerosLike(p)), p.DType())
	scales := p
	if whole.Inverted {
		scales = open
	}
	return whole.ForwardIn(Scaled(m.Form, scales), scope, images, open)
}

// saved keeps copies of the variables' values, and returns a function that puts them back.
func (m *Model) saved(list []*model.Variable) (putBack func() error, err error) {
	values := make([]func() error, len(list))
	for i, v := range list {
		value, err := v.Value()
		if err != nil {
			return nil, err
		}
		copied, err := value.LocalClone()
		if err != nil {
			return nil, err
		}
		values[i] = func() error { return v.SetValue(copied) }
	}
	return func() error {
		for _, put := range values {
			if err := put(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
