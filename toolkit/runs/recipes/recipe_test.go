package recipes

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPresetsAreThePapers(t *testing.T) {
	for _, name := range PresetNames() {
		recipe, err := Preset(name)
		require.NoError(t, err, name)
		require.NoError(t, recipe.Validate(), name)
		require.Contains(t, recipe.Description, "stochdepth train --recipe "+name)
	}
	require.Equal(t, []string{"cifar10", "cifar10-1202", "cifar100", "folder", "quickstart", "shapes", "svhn"}, PresetNames())

	for name, want := range map[string]struct {
		dataset             string
		depth, epochs       int
		milestones          []float64
		warmup, every       int
		augment             Augment
		rate, warmRate, mom float64
	}{
		"cifar10":      {"cifar10", 110, 500, []float64{0.5, 0.75}, 0, 0, "shift", 0.1, 0, 0.9},
		"cifar100":     {"cifar100", 110, 500, []float64{0.5, 0.75}, 0, 0, "shift", 0.1, 0, 0.9},
		"svhn":         {"svhn", 152, 50, []float64{0.6, 0.7}, 0, 200, "none", 0.1, 0, 0.9},
		"cifar10-1202": {"cifar10", 1202, 300, []float64{0.5, 0.75}, 10, 0, "shift", 0.1, 0.01, 0.9},
	} {
		r, err := Preset(name)
		require.NoError(t, err)
		require.Equal(t, want.dataset, r.Dataset, name)
		require.Equal(t, []int{want.depth, want.epochs, 128, want.warmup, want.every},
			[]int{r.Depth, r.Epochs, r.BatchSize, r.WarmupEpochs, r.EvaluateEvery}, name)
		require.Equal(t, want.milestones, r.Milestones, name)
		require.Equal(t, want.augment, r.Augment, name)
		require.Equal(t, []float64{want.rate, want.warmRate, want.mom, 1e-4, 0.5},
			[]float64{r.LearningRate, r.WarmupRate, r.Momentum, r.WeightDecay, r.DeathRate}, name)
		require.Equal(t, "linear", r.Rule, name)
	}

	_, err := Preset("cifar-10")
	require.EqualError(t, err,
		`no recipe "cifar-10" (did you mean "cifar10"?): the recipes are cifar10, cifar10-1202, cifar100, folder, quickstart, shapes, svhn`)
}

// small is a recipe for tests that does not depend on changes of the presets.
func small(t *testing.T) Recipe {
	t.Helper()
	recipe, err := Preset("quickstart")
	require.NoError(t, err)
	recipe.DeathRate, recipe.Epochs = 0.5, 6
	return recipe
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		set  [][2]string
		want string
	}{
		"depth":           {[][2]string{{"depth", "100"}}, "depth 100 is not 6N+2 layers: the nearest are 98 and 104"},
		"depth too small": {[][2]string{{"depth", "2"}}, "depth 2 is not 6N+2 layers: the nearest is 8"},
		"death rate 1": {[][2]string{{"death_rate", "1"}},
			"death_rate 1 is outside [0, 1): it is 1 - p_L, and 0 means constant depth"},
		"death rate NaN": {[][2]string{{"death_rate", "NaN"}}, "death_rate NaN is outside [0, 1)"},
		"data set": {[][2]string{{"dataset", "cifar11"}},
			`dataset "cifar11" is unknown (did you mean "cifar10"?): use shapes, cifar10, cifar100, svhn`},
		"image size":     {[][2]string{{"image_size", "257"}}, "image_size is 257: it must be from 8 to 256"},
		"negative size":  {[][2]string{{"image_size", "-32"}}, "image_size is -32: it must be from 8 to 256"},
		"size of CIFAR":  {[][2]string{{"dataset", "cifar10"}, {"image_size", "64"}}, "CIFAR-10 has images of 32x32 pixels only"},
		"crops of CIFAR": {[][2]string{{"dataset", "cifar10"}, {"resize_size", "40"}}, "CIFAR-10 has images of 32x32 pixels only"},
		"resize below":   {[][2]string{{"image_size", "64"}, {"resize_size", "63"}}, "resize_size is 63: it must be from 64 to 512"},
		"mean of crops":  {[][2]string{{"augment", "crop"}, {"normalization", "mean-image"}}, "a mean image fits no crop"},
		"augment":        {[][2]string{{"augment", "crops"}}, `augment "crops" is unknown (did you mean "crop"?): use none, shift, crop`},
		"no data set":    {[][2]string{{"dataset", ""}}, `dataset "" is unknown: use shapes, cifar10, cifar100, svhn`},
		"rule":           {[][2]string{{"rule", "liner"}}, `rule "liner" is unknown (did you mean "linear"?)`},
		"dtype":          {[][2]string{{"dtype", "float16"}}, `dtype "float16" is unknown (did you mean`},
		"products": {[][2]string{{"dtype", "bf16-products"}, {"block", "preactivation"}},
			`dtype "bf16-products" goes with block "basic" and form "survivors"`},
		"products there": {[][2]string{{"dtype", "bf16-products"}, {"form", "resnet"}}, `dtype "bf16-products" goes with block "basic"`},
		"list length": {[][2]string{{"rule", "list"}, {"death_rate", "0"}, {"survival_probabilities", "1,0.5"}},
			"survival_probabilities has 2 values, but a network of 20 layers has 9 blocks: give one a block"},
		"list and rate": {[][2]string{{"rule", "list"}, {"survival_probabilities", "1,1,1,1,1,1,1,1,1"}}, "set death_rate to 0"},
		"list value": {[][2]string{{"rule", "list"}, {"death_rate", "0"},
			{"survival_probabilities", "1,1,1,1,1,1,1,1,1.5"}}, "survival probability 1.5 of block 9 is outside (0, 1]"},
		"list without rule": {[][2]string{{"survival_probabilities", "1"}},
			`survival_probabilities need rule "list", but rule is "linear"`},
		"gates a sample": {[][2]string{{"gates_per", "sample"}, {"freeze_closed", "true"}},
			`freeze_closed needs gates_per "minibatch"`},
		"gates a part": {[][2]string{{"gates_per", "subbatch"}, {"freeze_closed", "true"}},
			"with gates per subbatch no block is closed as a whole"},
		"parts that change": {[][2]string{{"gates_per", "subbatch"}, {"survival_schedule", "ramp"}},
			`gates_per "subbatch" needs survival_schedule "constant", not "ramp"`},
		"parts that are whole": {[][2]string{{"gates_per", "subbatch"}, {"death_rate", "0.05"}},
			"rounds survival probabilities to eighths of the minibatch of 32, and all of them to 1"},
		"parts of one image": {[][2]string{{"gates_per", "subbatch"}, {"batch_size", "1"}}, "eighths of the minibatch of 1, and all"},
		"epochs":             {[][2]string{{"epochs", "0"}}, "epochs is 0: train for 1 at least"},
		"batch":              {[][2]string{{"batch_size", "0"}}, "batch_size is 0"},
		"rate":               {[][2]string{{"learning_rate", "-0.1"}}, "learning_rate is -0.1: it must be above 0"},
		"warm-up too long": {[][2]string{{"warmup_epochs", "6"}, {"warmup_rate", "0.01"}},
			"warmup_epochs is 6: it must be from 0 to less than the 6 epochs"},
		"warm-up rate": {[][2]string{{"warmup_epochs", "1"}}, "warmup_rate is 0"},
		"linear warm-up": {[][2]string{{"warmup_epochs", "1"}, {"warmup_rate", "0.2"}, {"warmup", "linear"}},
			"warmup_rate is 0.2: a linear warm-up rises from it to the learning_rate of 0.1"},
		"betas of SGD": {[][2]string{{"betas", "0.9,0.99"}}, `betas are for optimizer "adamw"`},
		"betas": {[][2]string{{"betas", "0.9,1"}, {"optimizer", "adamw"}, {"learning_rate", "0.001"}},
			"betas is [0.9 1]: give two numbers"},
		"momentum":           {[][2]string{{"momentum", "1"}}, "momentum is 1: it must be in [0, 1)"},
		"weight decay":       {[][2]string{{"weight_decay", "inf"}}, "weight_decay is +Inf: it must be 0 or more"},
		"optimizer":          {[][2]string{{"optimizer", "adam"}}, `optimizer "adam" is unknown (did you mean "adamw"?): use sgd, adamw`},
		"rate of AdamW":      {[][2]string{{"optimizer", "adamw"}}, "learning_rate is 0.1, but adamw moves each weight by about the rate"},
		"schedule":           {[][2]string{{"schedule", "cos"}}, `schedule "cos" is unknown`},
		"decayed":            {[][2]string{{"weight_decay_of", "weight"}}, `(did you mean "weights"?): use all, weights`},
		"clipping":           {[][2]string{{"clip_gradient", "-1"}}, "clip_gradient is -1: give the largest norm"},
		"averages":           {[][2]string{{"ema", "1"}}, "ema is 1: it must be in [0, 1)"},
		"smoothing":          {[][2]string{{"label_smoothing", "1"}}, "label_smoothing is 1: it must be in [0, 1)"},
		"mixup":              {[][2]string{{"mixup", "1e-9"}}, "mixup is 1e-09: give the alpha of Beta(alpha, alpha) from 0.01 to 100"},
		"cutmix":             {[][2]string{{"cutmix", "NaN"}}, "cutmix is NaN: give the alpha"},
		"milestones order":   {[][2]string{{"milestones", "0.75,0.5"}}, "milestones [0.75 0.5] must be ascending fractions"},
		"milestones, epochs": {[][2]string{{"milestones", "250,375"}}, "must be ascending fractions"},
		"test every":         {[][2]string{{"test_every", "-1"}}, "test_every is -1"},
		"evaluate every":     {[][2]string{{"evaluate_every", "-1"}}, "evaluate_every is -1"},
		"images":             {[][2]string{{"train_images", "-5"}}, "train_images is -5"},
		"depth too large":    {[][2]string{{"depth", "10004"}}, "depth is 10004: it must be from 8 to 10,000"},
		"depth overflows":    {[][2]string{{"depth", "9223372036854775802"}}, "depth is 9223372036854775802: it must be from 8 to 10,000"},
		"many epochs": {[][2]string{{"epochs", "9223372036854775807"}},
			"epochs is 9223372036854775807: it must be from 1 to 1,000,000"},
		"large batch": {[][2]string{{"batch_size", "9223372036854775807"}},
			"batch_size is 9223372036854775807: it must be from 1 to 100,000"},
		"batch, images": {[][2]string{{"batch_size", "65"}, {"train_images", "64"}},
			"batch_size is 65, but there are 64 training images: make it 64 at most"},
		"rare evaluations": {[][2]string{{"evaluate_every", "1000000001"}},
			"evaluate_every is 1000000001: it must be from 0 to 1,000,000,000"},
		"rare tests": {[][2]string{{"test_every", "1000000001"}}, "test_every is 1000000001: it must be from 0 to 1,000,000,000"},
		"many images": {[][2]string{{"validation_images", "1000001"}},
			"validation_images is 1000001: it must be from 0 to 1,000,000"},
		"warm-up negative": {[][2]string{{"warmup_epochs", "-1"}}, "warmup_epochs is -1: it must be from 0 to less than the 6 epochs"},
	} {
		t.Run(name, func(t *testing.T) {
			recipe := small(t)
			for _, kv := range test.set {
				require.NoError(t, recipe.Set(kv[0], kv[1]))
			}
			_, err := recipe.Check()
			require.ErrorContains(t, err, test.want)
		})
	}
}

// A checked recipe is the recipe, and stays what it was when that changes.
func TestChecked(t *testing.T) {
	recipe := small(t)
	want := recipe
	checked, err := recipe.Check()
	require.NoError(t, err)
	recipe.Depth = 21
	again, err := checked.Check()
	require.NoError(t, err)
	require.Equal(t, want, again.Recipe())
}

func TestSet(t *testing.T) {
	recipe := small(t)
	for key, value := range map[string]string{
		"death-rate": "0.25", "depth": "26", "augment": "true", "seed": "-7", "milestones": "[0.25, 0.5]", "rule": "uniform",
	} {
		require.NoError(t, recipe.Set(key, value), key)
	}
	want := small(t)
	want.DeathRate, want.Depth, want.Augment, want.Seed, want.Milestones, want.Rule = 0.25, 26, "shift", -7,
		[]float64{0.25, 0.5}, "uniform"
	require.Equal(t, want, recipe)

	for name, test := range map[string]struct{ key, value, want string }{
		"near key":      {"deathrate", "0.5", `unknown key "deathrate" (did you mean "death_rate"?)`},
		"part of keys":  {"rate", "0.5", `did you mean "death_rate" or "learning_rate" or "warmup_rate"?`},
		"far key":       {"quagga", "1", `unknown key "quagga": the keys are description, dataset, train_images,`},
		"not whole":     {"depth", "20.5", `depth must be a whole number, not "20.5"`},
		"too many bits": {"seed", "9223372036854775808", "seed 9223372036854775808 is out of range: whole numbers have up to 64 bits here"},
		"negative bits": {"epochs", "-99999999999999999999",
			"epochs -99999999999999999999 is out of range: whole numbers have up to 64 bits here"},
		"not a number": {"death_rate", "half", `death_rate must be a number, not "half"`},
		"not a bool":   {"recompute", "maybe", `recompute must be true or false, not "maybe"`},
		"not a list":   {"milestones", "0.5;0.75", `milestones must be a list of numbers, not "0.5;0.75"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := recipe
			require.ErrorContains(t, recipe.Set(test.key, test.value), test.want)
			require.Equal(t, before, recipe)
		})
	}
}

func TestRecipeFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipe.json")
	recipe := small(t)
	recipe.LearningRate = 0.1 + math.Nextafter(0.2, 1) // needs all 17 digits
	recipe.Rule, recipe.SurvivalProbabilities = "list", []float64{1, 1. / 3, 0.1}
	recipe.Milestones = []float64{}
	require.NoError(t, recipe.Write(path))
	back, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, recipe, back, "an empty list of milestones must not turn into the default")
	require.Empty(t, Differences(recipe, back))
}

func TestReadRecipeRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipe.json")
	for name, test := range map[string]struct{ text, want string }{
		"unknown key": {`{"deathrate": 0.5}`, `unknown key "deathrate" (did you mean "death_rate"?)`},
		"capital":     {`{"Depth": 20}`, `unknown key "Depth" (did you mean "depth"?)`},
		"wrong type":  {`{"depth": "20"}`, "depth must be a whole number, not a string"},
		"a fraction":  {`{"depth": 20.5}`, "depth must be a whole number"},
		"too large": {`{"seed": 9223372036854775808}`,
			"seed 9223372036854775808 is out of range: whole numbers have up to 64 bits here"},
		"not JSON":     {`{"depth": 20,}`, "not valid JSON at byte 14"},
		"cut off":      {`{"depth": 20`, "not valid JSON"},
		"empty":        {``, "not valid JSON"},
		"second value": {`{"depth": 20} {}`, "not valid JSON"},
		"a list":       {`[]`, "must be a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(test.text), 0o644))
			_, err := Read(path)
			require.ErrorContains(t, err, "recipe "+path+": ")
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := Read(path + ".no")
	require.EqualError(t, err, "no recipe file "+path+".no: file does not exist")
}

// Recipes of before, where augment was true or false, mean what they meant; other values are refused.
func TestAugmentWasTrueOrFalse(t *testing.T) {
	for text, want := range map[string]Augment{
		`{"augment": true}`: "shift", `{"augment": false}`: "none", `{"augment": "true"}`: "shift", `{"augment": "crop"}`: "crop",
		`{"augment": null}`: "none", `{}`: "none",
	} {
		recipe, err := Parse([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, recipe.Augment, text)
	}
	_, err := Parse([]byte(`{"augment": 1}`))
	require.EqualError(t, err, "augment must be none, shift, crop, not 1")
	recipe := small(t)
	for _, value := range []string{"0", "F", "none", "false"} {
		require.NoError(t, recipe.Set("augment", "true"))
		require.Equal(t, "shift", recipe.Get("augment"))
		require.NoError(t, recipe.Set("augment", value))
		require.Empty(t, Differences(small(t), recipe), value)
	}
}

// A size that the images have anyway is no other setting.
func TestSizesOfImages(t *testing.T) {
	sides := func(image, resize int) (recipe Recipe, sides [2]int) {
		recipe = small(t)
		recipe.ImageSize, recipe.ResizeSize = image, resize
		require.NoError(t, recipe.Validate())
		return recipe, [2]int{recipe.Image().Height, recipe.Stored().Width}
	}
	for _, c := range []struct {
		image, resize int
		sides         [2]int
		same          bool
	}{{0, 0, [2]int{32, 32}, true}, {32, 0, [2]int{32, 32}, true}, {0, 32, [2]int{32, 32}, true}, {32, 32, [2]int{32, 32}, true},
		{64, 0, [2]int{64, 64}, false}, {0, 40, [2]int{32, 40}, false}, {224, 256, [2]int{224, 256}, false}} {
		recipe, got := sides(c.image, c.resize)
		require.Equal(t, c.sides, got)
		require.Equal(t, c.same, SameSetting(small(t), recipe), "%+v", c)
		require.Equal(t, 3, recipe.Image().Channels)
	}
	a, _ := sides(64, 0)
	b, _ := sides(64, 64)
	require.True(t, SameSetting(a, b))
}

func TestRecipeKeysLeftOutAreThePapers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipe.json")
	require.NoError(t, os.WriteFile(path,
		[]byte(`{"dataset": "cifar10", "depth": 110, "epochs": 500, "augment": true, "death_rate": 0.5}`), 0o644))
	recipe, err := Read(path)
	require.NoError(t, err)
	paper, err := Preset("cifar10")
	require.NoError(t, err)
	require.Empty(t, Differences(paper, recipe))
}

func TestChoicesAreThoseThatValidateTakes(t *testing.T) {
	require.Equal(t, []string{"linear", "linear-from-zero", "linear-short", "stagewise", "uniform", "exponential", "logarithmic", "sigmoid",
		"sine", "square", "step", "list"}, Choices("rule"))
	require.Equal(t, []string{"true", "false"}, Choices("recompute"))
	require.Equal(t, []string{"none", "shift", "crop"}, Choices("augment"))
	require.Empty(t, Choices("depth"))
	require.Empty(t, Choices("unknown"))
}

func TestHowBlocksCloseInWords(t *testing.T) {
	for want, change := range map[[3]string]func(*Recipe){
		{"linear", "linear-0.1", "linear, p_L = 0.1"}: func(r *Recipe) { r.DeathRate = 0.9 },
		{"uniform", "uniform-0.5", "uniform, p_L = 0.5, early schedule"}: func(r *Recipe) {
			r.Rule,
				r.SurvivalSchedule = "uniform", "early"
		},
		{"linear-short", "linear-short-0.8", "linear-short, p_L = 0.8125"}: func(r *Recipe) {
			r.Block, r.Depth, r.Rule, r.DeathRate = "transformer", 16, "linear-short", 0.2
		},
		{"constant", "constant", "constant"}: func(r *Recipe) { r.DeathRate, r.SurvivalSchedule = 0, "early" },
		{"uniform", "uniform-0.7", "uniform, p_L = 0.75, gates per subbatch"}: func(r *Recipe) {
			r.Depth, r.Rule, r.DeathRate, r.GatesPer = 8, "uniform", 0.3, "subbatch"
		},
		{"list", "list", "own survival probabilities, gates per sample, scaled in training"}: func(r *Recipe) {
			r.Rule, r.SurvivalProbabilities, r.GatesPer, r.ScaleAt = "list", []float64{1, 0.5}, "sample", "train"
		},
	} {
		r := Default()
		r.DeathRate = 0.5
		change(&r)
		require.Equal(t, want, [3]string{r.RuleName(), r.DepthName(), r.Closing()})
	}
}

// The changes from one recipe to another, set in the first, give the second.
func TestChanges(t *testing.T) {
	from, err := Preset("cifar10-1202")
	require.NoError(t, err)
	for _, name := range PresetNames() {
		to, err := Preset(name)
		require.NoError(t, err)
		to.Description, to.Augment, to.SurvivalProbabilities, to.Blocks = from.Description, "crop", []float64{1, 0.5}, nil
		back := from
		for _, change := range Changes(from, to) {
			key, value, _ := strings.Cut(change, "=")
			require.NoError(t, back.Set(key, value), change)
		}
		require.Empty(t, Differences(to, back))
		require.Empty(t, Changes(to, back))
	}
	to := from
	to.Milestones, to.Seed, to.Description = []float64{0.5, 0.9}, 2, "another"
	require.Equal(t, []string{"milestones=0.5,0.9", "seed=2"}, Changes(from, to))
}
