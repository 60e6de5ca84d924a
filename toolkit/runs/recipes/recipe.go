// Package recipes says what a run should be: a recipe, with its presets, its keys and how they are set, its limits and its
// meaning. It does not know the files of runs; package runs keeps what came of a recipe.
package recipes

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Recipe is everything that defines a run. Two runs with equal recipes on the same device give the same numbers.
// The JSON key of each field is the name that Set takes.
type Recipe struct {
	Description string `json:"description,omitempty"` // what it is, the command, the expected duration; defines nothing

	Dataset          string `json:"dataset"`                     // shapes, cifar10, cifar100, svhn, or folder: your pictures
	TrainImages      int    `json:"train_images,omitempty"`      // 0: all; n: the first n of the training part (shapes: n are drawn)
	TestImages       int    `json:"test_images,omitempty"`       // 0: all; n: the first n
	ValidationImages int    `json:"validation_images,omitempty"` // 0: the data set's own split (CIFAR 5,000, SVHN 6,000)

	// Of folders of pictures: how they become square (short, the default: the short side is scaled and the centre cut out; or
	// squeeze), and whether they are turned as EXIF says (obey, the default, or leave).
	Resize string `json:"resize,omitempty"`
	EXIF   string `json:"exif,omitempty"`

	// channel: mean and deviation of each channel; mean-image: mean of each pixel, one deviation.
	Normalization string `json:"normalization"`
	// none; shift: random flip and shift by up to 4 pixels (the paper's); crop: random resized crop and flip.
	Augment Augment `json:"augment"`

	ImageSize  int `json:"image_size,omitempty"`  // side in pixels of the images that the network gets; 0: the data set's own
	ResizeSize int `json:"resize_size,omitempty"` // side of the images that crops are taken from; 0: image_size

	Block     string  `json:"block"`                // basic (the paper's), one of depth.Named, or your own
	Depth     int     `json:"depth"`                // layers: 6N+2, bottlenecks 9N+2, N blocks in each of three groups; transformer: blocks
	Blocks    []int   `json:"blocks,omitempty"`     // number of blocks in each group, if they are not three equal ones
	Stem      string  `json:"stem"`                 // paper: 3x3 for small images; imagenet: 7x7 with stride 2, and pooling
	PatchSize int     `json:"patch_size,omitempty"` // transformer: side of its patches in pixels; 0: an eighth of the image's
	Pooling   string  `json:"pooling,omitempty"`    // transformer: mean of all tokens (the default), or class-token
	Encoder   string  `json:"encoder,omitempty"`    // transformer: small (the default), or vit-tiny, vit-small, vit-base as in timm
	Rule      string  `json:"rule"`                 // one of depth.Rules; linear is Eq. 4
	DeathRate float64 `json:"death_rate"`           // 1 - p_L; 0 is constant depth

	SurvivalProbabilities []float64 `json:"survival_probabilities,omitempty"` // rule list: one for each block

	// How the survival probabilities change over the training: constant (the paper), ramp, early or late, see depth.Schedule.
	SurvivalSchedule string `json:"survival_schedule"`
	// The part of the training, in (0, 1], in which a ramp rises, early closes blocks, or late closes none.
	ScheduleFraction float64 `json:"schedule_fraction"`

	Form     string `json:"form"`      // survivors: computes open blocks only; resnet: the textbook form
	GatesPer string `json:"gates_per"` // minibatch (the paper), sample, or subbatch: a part of fixed size of the minibatch
	ScaleAt  string `json:"scale_at"`  // test: branch times p_l at test (Eq. 5); train: divided by p_l in training

	// Form survivors: compute a block's convolutions again for its gradient, in a third of the memory.
	Recompute bool `json:"recompute,omitempty"`

	// Fine-tuning: whose weights the network begins with, as stochdepth train --from writes it; "": initial ones.
	From string `json:"from,omitempty"`
	// Fine-tuning: the stem and this many groups stay as they are, running averages included, and compute what they do at test.
	FreezeGroups int `json:"freeze_groups,omitempty"`

	FreezeClosed bool `json:"freeze_closed"` // leave a closed block's weights alone; the authors' optimizer moves them
	// Between groups: average pooling, subsample (the authors' before Feb 2017), or projection, a convolution with its own weights.
	// none: no block has a shortcut, which is a plain network.
	Shortcut       string `json:"shortcut"`
	BatchNormScale string `json:"batch_norm_scale"` // initial scale: one, uniform on (0, 1) (Torch7), normal N(1, 0.002)
	// float32; tf32 or bf16-products, which are float32 but for the factors of convolutions, on an NVIDIA GPU or a CPU; bfloat16 or
	// float64.
	DType string `json:"dtype"`

	Epochs       int       `json:"epochs"`
	BatchSize    int       `json:"batch_size"` // images
	LearningRate float64   `json:"learning_rate"`
	Milestones   []float64 `json:"milestones"`    // fractions of the epochs, in (0, 1), after which the rate is divided by 10
	WarmupEpochs int       `json:"warmup_epochs"` // first epochs, at WarmupRate
	WarmupRate   float64   `json:"warmup_rate"`
	Warmup       string    `json:"warmup,omitempty"` // constant (the default: at WarmupRate), or linear: rising from it to LearningRate
	Momentum     float64   `json:"momentum"`         // Nesterov, of sgd
	WeightDecay  float64   `json:"weight_decay"`

	Optimizer     string    `json:"optimizer,omitempty"`       // sgd (the default: the paper's) or adamw
	Betas         []float64 `json:"betas,omitempty"`           // adamw: how far its two moments look back; none: 0.9 and 0.999
	RateSchedule  string    `json:"schedule,omitempty"`        // of the rate after the warm-up: steps (the default: milestones), or cosine
	WeightDecayOf string    `json:"weight_decay_of,omitempty"` // all (the default), or weights: no normalisations and biases
	ClipGradient  float64   `json:"clip_gradient,omitempty"`   // largest norm of all gradients together; 0: any
	EMA           float64   `json:"ema,omitempty"`             // decay of averages of the weights, which are evaluated; 0: none

	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // share of a label, in [0, 1), that all classes get equally
	// Alpha of Beta(alpha, alpha), from which a minibatch's share is drawn; 0: none. With both a coin chooses.
	Mixup  float64 `json:"mixup,omitempty"`
	CutMix float64 `json:"cutmix,omitempty"`

	EvaluateEvery int `json:"evaluate_every"` // steps between evaluations, and one at the end; 0: at the end of each epoch
	// Evaluations on the validation part for each one on the test part, whose time matters in a short epoch; 0: as many.
	TestEvery int   `json:"test_every,omitempty"`
	Seed      int64 `json:"seed"`
}

// Augment is the value of the key augment. In JSON and for Set, true is another name of shift, and false of none: older
// recipes have these.
type Augment string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *Augment) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	switch value := value.(type) {
	case string:
		*a = augmentNamed(value)
	case bool:
		*a = augmentNamed(strconv.FormatBool(value))
	case nil: // no value, as for other keys
	default:
		return fmt.Errorf("augment must be %s, not %s", strings.Join(Choices("augment"), ", "), data)
	}
	return nil
}

// augmentNamed returns the value with a name.
func augmentNamed(name string) Augment {
	if on, err := strconv.ParseBool(name); err == nil {
		return map[bool]Augment{true: "shift", false: "none"}[on]
	}
	return Augment(name)
}

// Default is what a recipe's keys are when a file leaves them out: the paper's optimizer and network at constant
// depth. It names no data set, depth or number of epochs, which every recipe must.
func Default() Recipe {
	return Recipe{
		Normalization: "channel", Augment: "none",
		Block: depth.Basic, Stem: "paper",
		Rule: "linear", SurvivalSchedule: string(depth.Steady), ScheduleFraction: 0.5,
		Form: "survivors", GatesPer: "minibatch", ScaleAt: "test",
		Shortcut: "average", BatchNormScale: "one", DType: "float32",
		BatchSize: 128, LearningRate: 0.1, Milestones: []float64{0.5, 0.75}, Momentum: 0.9, WeightDecay: 1e-4,
		Seed: 1,
	}
}

//go:embed presets/*.json
var presets embed.FS

// Preset returns the recipe shipped under name; an unknown name gives an error that lists the known ones.
func Preset(name string) (Recipe, error) {
	data, err := presets.ReadFile(path.Join("presets", name+".json"))
	if err != nil {
		return Recipe{}, fmt.Errorf("no recipe %q%s: the recipes are %s",
			name, say.DidYouMean(name, PresetNames()), strings.Join(PresetNames(), ", "))
	}
	recipe, err := Parse(data)
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe %s: %w", name, err)
	}
	return recipe, nil
}

// PresetNames lists the shipped recipes in alphabetical order.
func PresetNames() []string {
	entries, _ := fs.ReadDir(presets, "presets") // embedded: cannot fail
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".json")
	}
	slices.Sort(names)
	return names
}

// Read reads a recipe file. Keys left out are as in Default; unknown keys are refused, and the nearest known
// one is named. The recipe is not validated, so that single keys can still be Set: call Validate before use.
func Read(path string) (Recipe, error) {
	data, err := files.ReadText(path, files.LargestText)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Recipe{}, fmt.Errorf("no recipe file %s: %w", path, fs.ErrNotExist)
		}
		return Recipe{}, fmt.Errorf("cannot read the recipe: %w", err)
	}
	recipe, err := Parse(data)
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe %s: %w", path, err)
	}
	return recipe, nil
}

// Write writes every key of the recipe to path, whole or not at all.
func (r Recipe) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil { // a NaN or an infinity
		return fmt.Errorf("cannot write the recipe %s: %w", path, err)
	}
	return files.Write(path, append(data, '\n'))
}

// Parse is Read for the content of a file.
func Parse(data []byte) (Recipe, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return Recipe{}, say.JSONError(err)
	}
	recipe := Default()
	if name, ok := keys[Network]; ok { // before the keys that it sets, which may change it
		var text string
		if err := json.Unmarshal(name, &text); err != nil {
			return Recipe{}, fmt.Errorf("%s must be a text, not %s", Network, name)
		}
		if err := recipe.Set(Network, text); err != nil {
			return Recipe{}, err
		}
	}
	// Not DisallowUnknownFields: it names no alternative, and takes "Depth" for "depth".
	known := Settable()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			return Recipe{}, unknownKey(key)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&recipe); err != nil {
		return Recipe{}, say.JSONError(err)
	}
	if budget, ok := keys[Budget]; ok { // after the keys that decide what it sets
		if err := Compatible(slices.Collect(maps.Keys(keys))); err != nil {
			return Recipe{}, err
		}
		if err := recipe.Set(Budget, string(budget)); err != nil {
			return Recipe{}, err
		}
	}
	return recipe, nil
}

// Keys lists the keys of a recipe in the order of its fields.
func Keys() []string {
	t := reflect.TypeFor[Recipe]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return keys
}

// Set gives one key of the recipe a new value, both as text: Set("death_rate", "0.5"), Set("milestones", "0.5,0.75").
// Dashes may stand for underscores, so that command line flags can be passed on. An unknown key is refused, and the
// nearest known ones are named; Validate checks the recipe as a whole.
func (r *Recipe) Set(key, value string) error {
	key = spelled(key)
	switch key {
	case Network:
		return r.setNetwork(strings.TrimSpace(value))
	case Budget:
		return r.setBudget(strings.TrimSpace(value))
	}
	for i, name := range Keys() {
		if name == key {
			return setField(reflect.ValueOf(r).Elem().Field(i), key, strings.TrimSpace(value))
		}
	}
	return unknownKey(key)
}

// spelled is a key as recipes spell it, of a text in which dashes may stand for underscores.
func spelled(key string) string { return strings.ReplaceAll(strings.TrimSpace(key), "-", "_") }

func setField(field reflect.Value, key, value string) error {
	refuse := func() error { return fmt.Errorf("%s must be %s, not %q", key, say.KindName(field.Type()), value) }
	switch field.Kind() {
	case reflect.String:
		if key == "augment" {
			value = string(augmentNamed(value))
		}
		field.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return refuse()
		}
		field.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil && say.IsWhole(value) || field.OverflowInt(n) {
			return say.TooLarge(key, value)
		}
		if err != nil {
			return refuse()
		}
		field.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return refuse()
		}
		field.SetFloat(x)
	case reflect.Slice:
		var list any
		var err error
		if field.Type().Elem().Kind() == reflect.Int {
			list, err = listOf(value, strconv.Atoi)
		} else {
			list, err = listOf(value, func(part string) (float64, error) { return strconv.ParseFloat(part, 64) })
		}
		if err != nil {
			return refuse()
		}
		field.Set(reflect.ValueOf(list))
	}
	return nil
}

// listOf reads the text of a list, with commas or spaces between its elements.
func listOf[T any](value string, parse func(string) (T, error)) ([]T, error) {
	list := []T{}
	for _, part := range strings.FieldsFunc(strings.Trim(value, "[]"), func(c rune) bool { return c == ',' || c == ' ' }) {
		element, err := parse(part)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}

// Get returns the value of one key as text, "" for an unknown key.
func (r Recipe) Get(key string) string {
	for i, name := range Keys() {
		if name == key {
			return fmt.Sprint(reflect.ValueOf(r).Field(i))
		}
	}
	return ""
}

// Differences names the keys in which two recipes differ, with both values ("depth: 110, 20"). Descriptions define
// nothing and are not compared.
func Differences(a, b Recipe) []string {
	var list []string
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i, key := range Keys() {
		// Printed, an empty list and an absent one are the same, and floats read back exactly.
		x, y := fmt.Sprint(va.Field(i)), fmt.Sprint(vb.Field(i))
		if key != "description" && x != y {
			list = append(list, fmt.Sprintf("%s: %s, %s", key, x, y))
		}
	}
	return list
}

// Changes returns the settings that make one recipe of another, as key=value in the order of the keys; a list is written with
// commas, and [Recipe.Set] reads each of them. Descriptions define nothing and are left out.
func Changes(from, to Recipe) (settings []string) {
	for _, key := range Keys() {
		if value := to.Get(key); key != "description" && value != from.Get(key) {
			if list, ok := strings.CutPrefix(value, "["); ok {
				value = strings.ReplaceAll(strings.TrimSuffix(list, "]"), " ", ",")
			}
			settings = append(settings, key+"="+value)
		}
	}
	return settings
}

func unknownKey(key string) error {
	if near := say.DidYouMean(key, Settable()); near != "" {
		return fmt.Errorf("unknown key %q%s", key, near)
	}
	return fmt.Errorf("unknown key %q: the keys are %s", key, strings.Join(Settable(), ", "))
}
