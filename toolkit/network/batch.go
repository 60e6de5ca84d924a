package network

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// Batch is a minibatch on the host, with everything that is drawn for it.
type Batch struct {
	Format       dataset.Format // of Pixels
	Image        dataset.Format // of what the network gets, which is cut out of larger Pixels
	Indices      []int32        // [batch], positions of the images in their part; nil for images from elsewhere
	Pixels       []byte         // [batch, height, width, channels]; nil if they are on the device
	Labels       []int32        // [batch]
	Gates        []float32      // [L], or [batch, L] for gates per sample, those of sub-batches too
	Augmentation []int32        // [batch, 3] of shifts, [batch, 5] of crops, or nil
	Mix          []float32      // how the images are mixed, by mixup or cutmix, or nil
	Open         float64        // open blocks

	perSample bool  // gates for each sample
	err       error // of reading the images
}

// Batches gives the minibatches of a run by their step. A minibatch depends on the seed and the step alone, so a resumed run
// goes on exactly.
type Batches struct {
	recipe   recipes.Recipe
	survival depth.Survival // of the recipe's rule
	images   dataset.View
	resident bool // the step takes the pixels from the device
	epoch    int
	order    []int

	ahead    bool // prepare each minibatch while the device computes the previous one: go-xla waits for the end of a step
	next     chan *Batch
	nextStep int64 // the step of next
}

// NewBatches returns the minibatches of the training part of a data set.
func NewBatches(recipe recipes.Recipe, survival depth.Survival, images dataset.View) *Batches {
	return &Batches{recipe: recipe, survival: survival, images: images, epoch: -1}
}

// PerEpoch returns the number of minibatches in an epoch; the last may be smaller.
func (b *Batches) PerEpoch() int64 {
	return int64((b.images.Len() + b.recipe.BatchSize - 1) / b.recipe.BatchSize)
}

// Steps returns the number of minibatches of the whole run.
func (b *Batches) Steps() int64 { return int64(b.recipe.Epochs) * b.PerEpoch() }

// Survival returns the survival probabilities at a step, counted from 0: those of the rule, changed by the recipe's schedule.
func (b *Batches) Survival(step int64) depth.Survival {
	return b.recipe.Schedule().At(b.survival, step, b.Steps())
}

// At returns the minibatch of a step, counted from 0 over the whole run.
func (b *Batches) At(step int64) *Batch {
	var batch *Batch
	if b.next != nil {
		batch = <-b.next // even if it is not the right one: only one is prepared at a time
		b.next = nil
	}
	if batch == nil || b.nextStep != step {
		batch = b.draw(step)
	}
	if b.ahead && step+1 < b.Steps() {
		next := make(chan *Batch, 1)
		b.nextStep, b.next = step+1, next
		go func() { next <- b.draw(step + 1) }()
	}
	return batch
}

// draw gathers the images of a step and draws its gates and its augmentation.
func (b *Batches) draw(step int64) *Batch {
	epoch := int(step / b.PerEpoch())
	if epoch != b.epoch {
		b.epoch, b.order = epoch, depth.Rand(b.recipe.Seed, depth.Shuffling, int64(epoch)).Perm(b.images.Len())
	}
	first := int(step%b.PerEpoch()) * b.recipe.BatchSize
	chosen := b.order[first:min(first+b.recipe.BatchSize, len(b.order))]
	size := len(chosen)
	stored := b.images.Format()
	batch := &Batch{Format: stored, Image: imageOf(b.recipe, stored), Indices: make([]int32, size), Labels: make([]int32, size)}
	for i, index := range chosen {
		batch.Indices[i], batch.Labels[i] = int32(index), int32(b.images.Label(index))
	}
	if !b.resident {
		batch.Pixels = make([]byte, size*batch.Format.Bytes())
		batch.err = b.images.Gather(batch.Indices, batch.Pixels, batch.Labels)
	}
	b.drawGates(batch, step)
	switch rng := depth.Rand(b.recipe.Seed, depth.Augmentation, step); b.recipe.Augment {
	case "shift":
		batch.Augmentation = drawShifts(rng, size)
	case "crop":
		batch.Augmentation = drawCrops(rng, size, batch.Format)
	}
	batch.Mix = drawMix(depth.Rand(b.recipe.Seed, depth.Mixing, step), b.recipe, batch.Image)
	return batch
}

// SetGates sets the gates of the blocks, for the whole minibatch.
func (b *Batch) SetGates(open depth.Gates) {
	b.Gates, b.Open, b.perSample = depth.Numbers[float32](open), float64(open.Open()), false
}

// drawGates draws the gates of a step: one for each block, or one for each block and sample.
func (b *Batches) drawGates(batch *Batch, step int64) {
	rng, survival, size := depth.Rand(b.recipe.Seed, depth.GateDraws, step), b.Survival(step), len(batch.Labels)
	var drawn []depth.Gates
	switch batch.perSample = true; {
	case b.recipe.SubBatches():
		drawn = survival.DrawImages(rng, size)
	case b.recipe.GatesPer == "sample":
		for range size {
			drawn = append(drawn, survival.Draw(rng))
		}
	default:
		drawn, batch.perSample = []depth.Gates{survival.Draw(rng)}, false
	}
	for _, gates := range drawn {
		batch.Gates = append(batch.Gates, depth.Numbers[float32](gates)...)
		for range gates.Open() {
			batch.Open += 1 / float64(len(drawn))
		}
	}
}

// check returns the error of reading the minibatch's images, or says that its gates are not as many as the model's program for
// sub-batches computes.
func (b *Batch) check(m *Model) error {
	if b.err != nil || !b.perSample || !m.Network.SubBatches {
		return b.err
	}
	for l, images := range m.Network.Survival.Images(len(b.Labels)) {
		if open := int(math.Round(b.OpenShare(l) * float64(len(b.Labels)))); open != images {
			return fmt.Errorf("block %d is open for %d images, but the network computes it for %d: draw sub-batches with the "+
				"network's own survival probabilities, or set gates for the whole minibatch", l+1, open, images)
		}
	}
	return nil
}

// OpenShare returns the share of samples for which block l, from 0, is open: 0 or 1 with gates per minibatch.
func (b *Batch) OpenShare(l int) float64 {
	if !b.perSample {
		return float64(b.Gates[l])
	}
	blocks, open := len(b.Gates)/len(b.Labels), 0.0
	for sample := range b.Labels {
		open += float64(b.Gates[sample*blocks+l])
	}
	return open / float64(len(b.Labels))
}

// tensors returns the inputs of the model's step.
func (b *Batch) tensors(m *Model) []any {
	pixels := tensors.FromFlatDataAndDimensions(b.Pixels, b.Format.Batch(len(b.Labels))...)
	return append([]any{pixels}, b.inputs(m)...)
}

// inputs returns the inputs of the step without the pixels.
func (b *Batch) inputs(m *Model) []any {
	size, blocks := len(b.Labels), len(m.Network.Survival)
	gates := []int{blocks}
	if b.perSample {
		gates = []int{size, blocks}
	}
	inputs := []any{
		tensors.FromFlatDataAndDimensions(b.Labels, size),
		tensors.FromFlatDataAndDimensions(b.Gates, gates...),
	}
	if b.Augmentation != nil {
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(b.Augmentation, size, len(b.Augmentation)/size))
	}
	if b.Mix != nil {
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(b.Mix, len(b.Mix)))
	}
	return inputs
}

// Augmented returns the pixels to look at that a step makes of the minibatch, [batch, height, width, channels] of the format
// Image, on the scale 0..255. The network sees the same, normalised. What shifts bring in from outside is zero for the
// network, which is the mean of the training part here (of a channel, or a pixel).
func (b *Batch) Augmented(n dataset.Normalization) []byte {
	f, draws := b.Format, 0
	if b.Augmentation != nil {
		draws = len(b.Augmentation) / len(b.Labels)
	}
	var all []byte
	for i := range b.Labels {
		image := b.Pixels[i*f.Bytes():][:f.Bytes()]
		switch drawn := b.Augmentation[i*draws:][:draws]; draws {
		case shiftDraws:
			image = cut(shifted(image, f, drawn, n.Mean), f, b.Image)
		case cropDraws:
			image = cropped(image, f, drawn, b.Image)
		default:
			image = cut(image, f, b.Image)
		}
		all = append(all, image...)
	}
	if b.Mix != nil {
		all = mixed(all, b.Image, b.Mix)
	}
	return all
}
