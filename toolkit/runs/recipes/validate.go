package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/say"
)

// choice lists the texts that a key may have.
type choice struct {
	key    string
	value  func(Recipe) string
	values []string
	own    func() []string // those that the program registers; nil if it cannot
}

// all lists the project's own values, then the registered ones.
func (c choice) all() []string {
	if c.own == nil {
		return c.values
	}
	return slices.Concat(c.values, c.own())
}

// choices lists the texts that keys may have.
var choices = []choice{
	{"dataset", func(r Recipe) string { return setName(r.Dataset) }, dataset.Names(), dataset.Registered},
	{"resize", func(r Recipe) string { return cmp.Or(r.Resize, pictures.ShortSide) }, []string{pictures.ShortSide, pictures.Squeeze}, nil},
	{"exif", func(r Recipe) string { return cmp.Or(r.EXIF, pictures.ObeyEXIF) }, []string{pictures.ObeyEXIF, pictures.LeaveEXIF}, nil},
	{"normalization", func(r Recipe) string { return r.Normalization }, []string{"channel", "mean-image"}, nil},
	{"augment", func(r Recipe) string { return string(r.Augment) }, []string{"none", "shift", "crop"}, nil},
	{"rule", func(r Recipe) string { return r.Rule }, depth.Rules(), depth.OwnRules},
	{"survival_schedule", func(r Recipe) string { return r.SurvivalSchedule }, depth.ScheduleKinds(), depth.OwnSchedules},
	{"form", func(r Recipe) string { return r.Form }, []string{"survivors", "resnet"}, nil},
	{"gates_per", func(r Recipe) string { return r.GatesPer }, []string{"minibatch", "sample", "subbatch"}, nil},
	{"scale_at", func(r Recipe) string { return r.ScaleAt }, []string{"test", "train"}, nil},
	{"shortcut", func(r Recipe) string { return r.Shortcut }, []string{"average", "subsample", "projection", "none"}, nil},
	{"pooling", func(r Recipe) string { return cmp.Or(r.Pooling, "mean") }, []string{"mean", "class-token"}, nil},
	{"encoder", func(r Recipe) string { return cmp.Or(r.Encoder, "small") }, append([]string{"small"}, transformers...), nil},
	{"stem", func(r Recipe) string { return r.Stem }, []string{"paper", "imagenet"}, nil},
	{"batch_norm_scale", func(r Recipe) string { return r.BatchNormScale }, []string{"one", "uniform", "normal"}, nil},
	{"optimizer", func(r Recipe) string { return cmp.Or(r.Optimizer, "sgd") }, []string{"sgd", "adamw"}, nil},
	{"schedule", func(r Recipe) string { return cmp.Or(r.RateSchedule, "steps") }, ownRateSchedules, rates.Names},
	{"warmup", func(r Recipe) string { return cmp.Or(r.Warmup, "constant") }, []string{"constant", "linear"}, nil},
	{"weight_decay_of", func(r Recipe) string { return cmp.Or(r.WeightDecayOf, "all") }, []string{"all", "weights"}, nil},
	{"dtype", func(r Recipe) string { return r.DType }, []string{"float32", "tf32", "bf16-products", "bfloat16", "float64"}, nil},
}

// setName is the name of a data set without the name that a folder of pictures may have after a colon.
func setName(name string) string {
	if dataset.IsFolder(name) {
		return dataset.Folder
	}
	return name
}

// Choices lists the texts that a key of the recipe may have, or nothing if it is a number or a list.
func Choices(key string) []string {
	for _, c := range choices {
		if c.key == key {
			return c.all()
		}
	}
	if key == Network {
		return Networks()
	}
	if key == "block" { // and those that a program registers
		return depth.Named()
	}
	if value := Default().Get(key); value == "true" || value == "false" {
		return []string{"true", "false"}
	}
	return nil
}

// Checker is a recipe where a valid one is needed: a [Recipe] is validated there, a [Checked] one was before, as that
// of the command line.
type Checker interface {
	// Check returns the checked recipe. Its error is that of [Recipe.Validate].
	Check() (Checked, error)
}

// Checked is a valid recipe; only Check makes one.
type Checked struct{ recipe Recipe }

// Check implements [Checker].
func (r Recipe) Check() (Checked, error) {
	if err := r.Validate(); err != nil {
		return Checked{}, err
	}
	return Checked{r}, nil
}

// Check implements [Checker].
func (c Checked) Check() (Checked, error) { return c, nil }

// Recipe is the recipe itself.
func (c Checked) Recipe() Recipe { return c.recipe }

// Validate says in one sentence what is wrong with the recipe and what would be right, or returns nil.
func (r Recipe) Validate() error {
	for _, c := range choices {
		if value := c.value(r); !slices.Contains(c.all(), value) {
			yours := ""
			if c.own != nil {
				yours = ", or one of your own in the program that registers it"
			}
			return fmt.Errorf("%s %q is unknown%s: use %s%s", c.key, value, say.DidYouMean(value, c.all()), strings.Join(c.all(), ", "), yours)
		}
	}
	for _, check := range []func() error{r.validateNetwork, r.validateData, r.validateSchedule} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r Recipe) validateNetwork() error {
	if r.Depth > MaxDepth {
		return say.CheckRange("depth", r.Depth, 8, MaxDepth)
	}
	if !blockName.MatchString(r.Block) {
		return fmt.Errorf("block %q is no name of a block%s: use %s, or the name of your own, in small letters, digits and hyphens",
			r.Block, say.DidYouMean(r.Block, depth.Named()), strings.Join(depth.Named(), ", "))
	}
	groups, err := r.Groups()
	if err != nil {
		return err
	}
	blocks := depth.Total(groups)
	switch r.Block {
	case depth.Preactivation, depth.Bottleneck, depth.Transformer:
		if r.Shortcut == "projection" {
			return fmt.Errorf("shortcut \"projection\" goes with the blocks basic, bottleneck-original and your own, not with %s", r.Block)
		}
	}
	if r.Shortcut == "none" {
		switch {
		case r.Block == depth.Transformer:
			return errors.New("shortcut \"none\" is for convolutional networks, not for transformers")
		case !r.IsConstant():
			return errors.New("shortcut \"none\" needs death_rate 0: without a shortcut nothing passes a closed block")
		case r.Form != "resnet":
			return errors.New("shortcut \"none\" needs form \"resnet\": the engine computes blocks with shortcuts")
		}
	}
	if r.Block == depth.Transformer && r.Stem != "paper" {
		return fmt.Errorf("stem %q is for convolutional networks: a transformer divides the image into patches", r.Stem)
	}
	if !(r.DeathRate >= 0 && r.DeathRate < 1) {
		return fmt.Errorf("death_rate %v is outside [0, 1): it is 1 - p_L, and 0 means constant depth", r.DeathRate)
	}
	if !(r.ScheduleFraction > 0 && r.ScheduleFraction <= 1) {
		return fmt.Errorf("schedule_fraction %v is outside (0, 1]: it is a part of the training, and 0.5 is its first half",
			r.ScheduleFraction)
	}
	switch {
	case r.Rule != "list" && len(r.SurvivalProbabilities) > 0:
		return fmt.Errorf("survival_probabilities need rule \"list\", but rule is %q", r.Rule)
	case r.Rule == "list" && len(r.SurvivalProbabilities) != blocks:
		return fmt.Errorf("survival_probabilities has %d values, but a network of %d layers has %d blocks: give one a block",
			len(r.SurvivalProbabilities), r.Depth, blocks)
	case r.Rule == "list" && r.DeathRate != 0:
		return fmt.Errorf("death_rate %v and rule \"list\" contradict each other: set death_rate to 0, the list says it all",
			r.DeathRate)
	case r.FreezeGroups < 0 || r.FreezeGroups > len(groups):
		return fmt.Errorf("freeze_groups is %d: it must be from 0, which freezes nothing, to the %d groups of the network",
			r.FreezeGroups, len(groups))
	case r.FreezeGroups > 0 && r.ScaleAt == "test" && r.Schedule().Kind != depth.Steady:
		return fmt.Errorf("freeze_groups needs scale_at \"train\" with survival_schedule %q: otherwise the schedule changes the scales "+
			"of frozen branches", r.SurvivalSchedule)
	case r.GatesPer != "minibatch" && r.FreezeClosed:
		return fmt.Errorf("freeze_closed needs gates_per \"minibatch\": with gates per %s no block is closed as a whole", r.GatesPer)
	case r.SubBatches() && r.Schedule().Kind != depth.Steady:
		return fmt.Errorf("gates_per \"subbatch\" needs survival_schedule \"constant\", not %q: "+
			"the program is compiled for the numbers of images that go through each block", r.SurvivalSchedule)
	}
	if r.DType == "bf16-products" && (r.Block != depth.Basic || r.Form != "survivors") {
		return errors.New("dtype \"bf16-products\" goes with block \"basic\" and form \"survivors\", which our kernels compute: " +
			"take \"float32\" or \"bfloat16\" for others")
	}
	if r.Recompute && r.Form != "survivors" {
		return errors.New("recompute needs form \"survivors\": the textbook form keeps all that its gradient needs")
	}
	for i, p := range r.SurvivalProbabilities {
		if !(p > 0 && p <= 1) {
			return fmt.Errorf("survival probability %v of block %d is outside (0, 1]", p, i+1)
		}
	}
	if survival, err := r.Survival(); err == nil && r.SubBatches() && survival.IsConstant() {
		return fmt.Errorf("gates_per \"subbatch\" rounds survival probabilities to eighths of the minibatch of %d, and all of them to 1: "+
			"use a higher death_rate, a larger batch_size, or gates_per \"sample\"", r.BatchSize)
	}
	return nil
}

func (r Recipe) validateSchedule() error {
	switch {
	case r.Epochs < 1:
		return fmt.Errorf("epochs is %d: train for 1 at least", r.Epochs)
	case r.Epochs > MaxEpochs:
		return say.CheckRange("epochs", r.Epochs, 1, MaxEpochs)
	case r.BatchSize < 1:
		return fmt.Errorf("batch_size is %d: a minibatch has 1 image at least", r.BatchSize)
	case r.BatchSize > MaxBatchSize:
		return say.CheckRange("batch_size", r.BatchSize, 1, MaxBatchSize)
	case r.TrainImages > 0 && r.BatchSize > r.TrainImages:
		return r.CheckImages(r.TrainImages)
	case !positive(r.LearningRate):
		return fmt.Errorf("learning_rate is %v: it must be above 0", r.LearningRate)
	case r.WarmupEpochs < 0 || r.WarmupEpochs >= r.Epochs:
		if r.WarmupEpochs != 0 {
			return fmt.Errorf("warmup_epochs is %d: it must be from 0 to less than the %d epochs", r.WarmupEpochs, r.Epochs)
		}
	case r.WarmupEpochs > 0 && r.Warmup == "linear":
		if !(r.WarmupRate == 0 || positive(r.WarmupRate)) || r.WarmupRate > r.LearningRate {
			return fmt.Errorf("warmup_rate is %v: a linear warm-up rises from it to the learning_rate of %v, so give 0 or more, and no more "+
				"than that", r.WarmupRate, r.LearningRate)
		}
	case r.WarmupEpochs > 0 && !positive(r.WarmupRate):
		return fmt.Errorf("warmup_rate is %v: a warm-up needs a rate above 0", r.WarmupRate)
	}
	switch {
	case !(r.Momentum >= 0 && r.Momentum < 1):
		return fmt.Errorf("momentum is %v: it must be in [0, 1)", r.Momentum)
	case !(r.WeightDecay >= 0) || math.IsInf(r.WeightDecay, 0):
		return fmt.Errorf("weight_decay is %v: it must be 0 or more", r.WeightDecay)
	case r.Optimizer == "adamw" && r.LearningRate >= 0.1:
		return fmt.Errorf("learning_rate is %v, but adamw moves each weight by about the rate in every step: "+
			"make it less than 0.1, such as 0.001", r.LearningRate)
	case len(r.Betas) > 0 && r.Optimizer != "adamw":
		return errors.New("betas are for optimizer \"adamw\": leave them out, or set optimizer (sgd has momentum)")
	case len(r.Betas) > 0 && (len(r.Betas) != 2 || !beta(r.Betas[0]) || !beta(r.Betas[1])):
		return fmt.Errorf("betas is %v: give two numbers in [0, 1), such as 0.9,0.999", r.Betas)
	case !(r.ClipGradient >= 0) || math.IsInf(r.ClipGradient, 0):
		return fmt.Errorf("clip_gradient is %v: give the largest norm of all gradients together, such as 1, or 0 for any", r.ClipGradient)
	case !(r.EMA >= 0 && r.EMA < 1):
		return fmt.Errorf("ema is %v: it must be in [0, 1), such as 0.999, and 0 evaluates the weights themselves", r.EMA)
	case !(r.LabelSmoothing >= 0 && r.LabelSmoothing < 1):
		return fmt.Errorf("label_smoothing is %v: it must be in [0, 1), such as 0.1", r.LabelSmoothing)
	case !mixes(r.Mixup):
		return fmt.Errorf("mixup is %v: give the alpha of Beta(alpha, alpha) from 0.01 to 100, such as 0.2, or 0 for none", r.Mixup)
	case !mixes(r.CutMix):
		return fmt.Errorf("cutmix is %v: give the alpha of Beta(alpha, alpha) from 0.01 to 100, such as 1, or 0 for none", r.CutMix)
	case r.EvaluateEvery < 0:
		return fmt.Errorf("evaluate_every is %d: give steps, or 0 for the end of each epoch", r.EvaluateEvery)
	case r.TestEvery < 0:
		return fmt.Errorf("test_every is %d: give a number of evaluations, or 0 to test at each", r.TestEvery)
	case r.EvaluateEvery > MaxEvery:
		return say.CheckRange("evaluate_every", r.EvaluateEvery, 0, MaxEvery)
	case r.TestEvery > MaxEvery:
		return say.CheckRange("test_every", r.TestEvery, 0, MaxEvery)
	}
	last := 0.0
	for _, m := range r.Milestones {
		if !(m > last && m < 1) {
			return fmt.Errorf("milestones %v must be ascending fractions of the epochs between 0 and 1, such as 0.5, 0.75", r.Milestones)
		}
		last = m
	}
	return nil
}

func (r Recipe) validateData() error {
	set, err := dataset.Find(r.Dataset)
	if err != nil {
		return err
	}
	if r.ImageSize != 0 {
		if err := say.CheckRange("image_size", r.ImageSize, MinImageSize, MaxImageSize); err != nil {
			return err
		}
	}
	image := sized(set.Format, r.ImageSize)
	if r.ResizeSize != 0 {
		if err := say.CheckRange("resize_size", r.ResizeSize, image.Height, MaxResizeSize); err != nil {
			return err
		}
	}
	if err := set.CheckSize(sized(image, r.ResizeSize).Height); err != nil {
		return err
	}
	switch side, patch := image.Height, r.PatchSize; {
	case r.Block != depth.Transformer && (patch != 0 || r.Pooling != "" || r.Encoder != ""):
		return errors.New("patch_size, pooling and encoder are for block \"transformer\": leave them out")
	case patch < 0 || patch > side || side%cmp.Or(patch, max(side/8, 1)) != 0 && r.Block == depth.Transformer:
		return fmt.Errorf("patch_size is %d: it must divide the images' side of %d pixels, and 0 stands for an eighth of it", patch, side)
	}
	switch {
	case r.Augment == "crop" && r.Normalization == "mean-image":
		return errors.New(`augment "crop" moves pixels elsewhere, so a mean image fits no crop: use normalization "channel"`)
	case !set.Own && (r.Resize != "" || r.EXIF != ""):
		return fmt.Errorf("resize and exif are for dataset \"folder\", your pictures; the images of %s have one size", r.Dataset)
	}
	for _, count := range []struct {
		key string
		n   int
	}{{"train_images", r.TrainImages}, {"validation_images", r.ValidationImages}, {"test_images", r.TestImages}} {
		if count.n < 0 {
			return fmt.Errorf("%s is %d: give a number of images, or 0 for all", count.key, count.n)
		}
		if count.n > MaxImages {
			return say.CheckRange(count.key, count.n, 0, MaxImages)
		}
	}
	return nil
}

var blockName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// mixes reports whether alpha may be that of mixup or cutmix.
func mixes(alpha float64) bool { return alpha == 0 || alpha >= 0.01 && alpha <= 100 }

// beta reports whether x may be the share of an average that stays at each step.
func beta(x float64) bool { return x >= 0 && x < 1 }

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

// The largest values of a recipe's whole numbers. They are far above what anybody trains, and low enough that no sum
// or product of them overflows and nothing absurd takes memory. The seed may be any whole number of 64 bits.
const (
	MaxDepth     = 10_000        // layers; the paper's deepest network has 1202
	MaxEpochs    = 1_000_000     // the paper: 500
	MaxBatchSize = 100_000       // images
	MaxImages    = 1_000_000     // in a part; the largest set, SVHN, trains on 598,388
	MaxEvery     = 1_000_000_000 // steps between evaluations, or evaluations for each test
)

// The sides that images may have, in pixels.
const (
	MinImageSize  = 8
	MaxImageSize  = 256
	MaxResizeSize = 512 // of those that are cropped
)

// CheckImages says in one sentence that the recipe's minibatches are larger than the training part, or returns nil.
// Validate calls it if train_images gives the number of images; otherwise this is known when the data is loaded.
func (r Recipe) CheckImages(training int) error {
	if r.BatchSize > training {
		return fmt.Errorf("batch_size is %d, but there are %d training images: make it %d at most", r.BatchSize, training, training)
	}
	return nil
}
