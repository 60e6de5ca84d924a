package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/runs/pruned"
)

// The orders in which [Prune] removes blocks. Blocks that the network needs stay.
const (
	// Deepest removes the last block first, so that the network ends early.
	Deepest = "depth"
	// EveryOther removes blocks at equal distances, as LayerDrop does (Fan et al. 2019).
	EveryOther = "every-other"
	// LeastSurvival removes the block first that was closed most often in training, of equal ones the last.
	LeastSurvival = "survival"
	// Greedy removes the block first without which the loss on validation images is lowest, and so on.
	Greedy = "greedy"
)

// PruneOrders lists the orders.
func PruneOrders() []string { return []string{Greedy, Deepest, EveryOther, LeastSurvival} }

// Pruned is a network with some of its blocks removed.
type Pruned struct {
	Kept         []int // blocks that are left, counted from 1
	MultiplyAdds int64 // forward, for one image; 0: not known

	AsTrained  Scores // with the running averages of the whole network's training
	Remeasured Scores // with averages that were measured again without the blocks; equal if the network has no averages

	Probabilities [][]float64 // of the images that [PruneOptions] asks for, with the averages measured again: [images][classes]
}

// Scores are those on both parts of the data that training does not see.
type Scores struct{ Validation, Test network.Score }

// chooseOn is the number of validation images on which Greedy compares, unless another is given.
const chooseOn = 1000

// PruneOptions says how to prune.
type PruneOptions struct {
	Order string // one of [PruneOrders]
	// Choose is the number of validation images on which Greedy compares, the first ones; 0: 1,000. Test images choose nothing.
	Choose int
	// Show is the number of test images, the first ones, of which to return the probabilities.
	Show int
	// Done, unless nil, is called after each network.
	Done func(done, total int)
}

// Prune removes one block after the other, and returns the networks: the whole one first, the smallest last. After each removal
// the running averages of batch normalisation are measured again on training images ([network.Model.Remeasure]). In the end the
// network is as before.
func Prune(ctx context.Context, o *network.Opened, options PruneOptions) (list []Pruned, err error) {
	p, err := newPruning(o)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(PruneOrders(), options.Order) {
		return nil, fmt.Errorf("unknown order %q: use %s", options.Order, strings.Join(PruneOrders(), ", "))
	}
	options.Choose = cmp.Or(options.Choose, chooseOn)
	defer func() { err = errors.Join(err, o.SetSurvival(p.survival)) }()
	steps := p.most()
	for removed := 0; removed <= steps; removed++ {
		switch {
		case removed == 0:
		case options.Order == Greedy:
			err = p.removeBest(ctx, o.Data.Validation.First(options.Choose))
		case options.Order == EveryOther:
			p.removeEvenly(removed)
		case options.Order == LeastSurvival:
			p.remove(slices.MinFunc(p.candidates(), p.bySurvival))
		default:
			p.remove(slices.Max(p.candidates()))
		}
		if err != nil {
			return nil, err
		}
		one, err := p.measure(ctx, options.Show)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
		if options.Done != nil {
			options.Done(removed+1, steps+1)
		}
	}
	return list, nil
}

// RecordOf is the record of what [Prune] returned.
func RecordOf(o *network.Opened, options PruneOptions, list []Pruned) *pruned.Record {
	r := &pruned.Record{Network: o.Info.Name(), Recipe: o.Recipe, Order: options.Order, Validation: o.Data.Validation.Len(),
		Test: o.Data.Test.Len(), Trained: o.Info.Commit, Commit: project.Commit(), Machine: project.Machine()}
	if r.Order == Greedy {
		r.Choose = min(cmp.Or(options.Choose, chooseOn), r.Validation)
	}
	for _, one := range list {
		r.States = append(r.States, pruned.State{Kept: one.Kept, MultiplyAdds: one.MultiplyAdds,
			ValidationError: one.Remeasured.Validation.Error, TestError: one.Remeasured.Test.Error, AsTrained: one.AsTrained.Test.Error})
	}
	return r
}

// Least is the number of blocks that stay when [Prune] has removed all that it can.
func Least(o *network.Opened) (int, error) {
	p, err := newPruning(o)
	if err != nil {
		return 0, err
	}
	return len(p.gone) - p.most(), nil
}

// pruning is a network that loses blocks.
type pruning struct {
	*network.Opened
	survival  depth.Survival // of all blocks, before
	removable []bool
	group     []int // of each block
	gone      []bool
}

func newPruning(o *network.Opened) (*pruning, error) {
	survival, err := o.CurrentSurvival()
	p := &pruning{Opened: o, survival: survival, removable: o.Network.Removable(), gone: make([]bool, len(survival))}
	for g, count := range o.Network.Groups {
		p.group = append(p.group, slices.Repeat([]int{g}, count)...)
	}
	return p, err
}

// candidates lists the blocks, counted from 0, that can be removed next: each group keeps one.
func (p *pruning) candidates() (list []int) {
	left := make([]int, len(p.Network.Groups))
	for l, gone := range p.gone {
		if !gone {
			left[p.group[l]]++
		}
	}
	for l, gone := range p.gone {
		if !gone && p.removable[l] && left[p.group[l]] > 1 {
			list = append(list, l)
		}
	}
	return list
}

// most is the largest number of blocks that can be removed.
func (p *pruning) most() (n int) {
	needed := make([]bool, len(p.Network.Groups)) // groups with a block that has to stay
	for l, removable := range p.removable {
		if removable {
			n++
		} else {
			needed[p.group[l]] = true
		}
	}
	for _, has := range needed {
		if !has {
			n--
		}
	}
	return n
}

func (p *pruning) remove(block int) { p.gone[block] = true }

// bySurvival compares blocks: first the one with the lower survival probability, of equal ones the last.
func (p *pruning) bySurvival(a, b int) int {
	switch s := p.Network.Survival; {
	case s[a] < s[b]:
		return -1
	case s[a] > s[b]:
		return 1
	}
	return b - a
}

// removeEvenly removes this number of blocks at equal distances, and puts all others back.
func (p *pruning) removeEvenly(n int) {
	clear(p.gone)
	all := p.candidates()
	if p.most() < len(all) { // a group without a block that has to stay keeps its first
		all = slices.DeleteFunc(all, func(l int) bool {
			first := l == 0 || p.group[l-1] != p.group[l]
			return first
		})
	}
	for i := range n {
		p.remove(all[(2*i+1)*len(all)/(2*n)])
	}
}

// removeBest removes the block without which the loss on a part is lowest.
func (p *pruning) removeBest(ctx context.Context, part dataset.View) error {
	best, lowest := -1, 0.0
	for _, l := range p.candidates() {
		p.gone[l] = true
		score, err := p.score(ctx, part)
		p.gone[l] = false
		if err != nil {
			return err
		}
		if best < 0 || score.Loss < lowest {
			best, lowest = l, score.Loss
		}
	}
	p.remove(best)
	return nil
}

// score evaluates the network without the blocks that are gone.
func (p *pruning) score(ctx context.Context, part dataset.View) (network.Score, error) {
	if err := p.apply(); err != nil {
		return network.Score{}, err
	}
	return p.Evaluate(ctx, part)
}

// apply sets the survival probabilities of the blocks that are gone to zero.
func (p *pruning) apply() error {
	now := slices.Clone(p.survival)
	for l, gone := range p.gone {
		if gone {
			now[l] = 0
		}
	}
	return p.SetSurvival(now)
}

// measure evaluates the network on both parts, with the averages of before and with new ones.
func (p *pruning) measure(ctx context.Context, show int) (one Pruned, err error) {
	for l, gone := range p.gone {
		if !gone {
			one.Kept = append(one.Kept, l+1)
		}
	}
	one.MultiplyAdds = p.multiplyAdds()
	scores := func() (s Scores, err error) {
		if s.Validation, err = p.score(ctx, p.Data.Validation); err == nil {
			s.Test, err = p.score(ctx, p.Data.Test)
		}
		return s, err
	}
	putBack := func() error { return nil }
	if one.AsTrained, err = scores(); err == nil && p.HasAverages() {
		putBack, err = p.Remeasure(ctx, p.Data.Train)
	}
	if err != nil {
		return one, err
	}
	if one.Remeasured, err = scores(); err == nil && show > 0 {
		one.Probabilities, err = Probabilities(ctx, p.Model, p.Data.Test.First(show))
	}
	return one, errors.Join(err, putBack())
}

// multiplyAdds counts those of the blocks that are left, and of stem and head.
func (p *pruning) multiplyAdds() (n int64) {
	for _, layer := range p.Network.Size().Layers {
		if layer.Blocks == 0 {
			n += layer.MultiplyAdds
			continue
		}
		for l := layer.First; l < layer.First+layer.Blocks; l++ {
			if !p.gone[l] {
				n += layer.MultiplyAdds / int64(layer.Blocks)
			}
		}
	}
	return n
}

// WritePruned writes the network without the blocks that a pruned one has lost, with averages measured again, as
// [network.Model.ExportPruned].
func WritePruned(ctx context.Context, o *network.Opened, path string, one Pruned) (err error) {
	p, err := newPruning(o)
	if err != nil {
		return err
	}
	for l := range p.gone {
		p.gone[l] = !slices.Contains(one.Kept, l+1)
	}
	defer func() { err = errors.Join(err, o.SetSurvival(p.survival)) }()
	if err := p.apply(); err != nil {
		return err
	}
	if o.HasAverages() {
		var putBack func() error
		if putBack, err = o.Remeasure(ctx, o.Data.Train); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, putBack()) }()
	}
	info := o.Info
	if before := info.Kept; len(before) > 0 { // the network had lost blocks already: those left keep their numbers in the whole one
		info.Kept = nil
		for _, l := range one.Kept {
			info.Kept = append(info.Kept, before[l-1])
		}
	} else {
		info.Kept, info.Whole = one.Kept, len(p.gone)
	}
	info.ValidationError, info.TestError = one.Remeasured.Validation.Error, one.Remeasured.Test.Error
	return o.ExportPruned(path, info.Metadata(), one.Kept)
}
