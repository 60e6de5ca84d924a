package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/dataset/pictures"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs/recipes"
)

// Opened is a network with the data of its recipe.
type Opened struct {
	*Model
	Data *dataset.Data
	Info models.Info // from the network's run or file: run, epoch, errors, commit; only the recipe before the training
}

// Open loads the data of a recipe, splits them as in the paper, fits the normalisation to the training part and builds the
// network with its initial weights. dataRoot is the folder of the data set's files, "" for the project's data/cache. An
// invalid recipe, minibatches larger than the training part, and missing data are errors that say what to do.
func Open(b compute.Backend, asked recipes.Checker, dataRoot string) (*Opened, error) {
	return OpenContext(context.Background(), b, asked, dataRoot)
}

// OpenContext is [Open], but stops packing a folder of pictures when ctx is cancelled.
func OpenContext(ctx context.Context, b compute.Backend, asked recipes.Checker, dataRoot string) (*Opened, error) {
	checked, err := asked.Check()
	if err != nil {
		return nil, err
	}
	recipe := checked.Recipe()
	data, err := LoadData(ctx, recipe, dataRoot)
	if err != nil {
		return nil, err
	}
	if err := recipe.CheckImages(data.Train.Len()); err != nil {
		return nil, err
	}
	return open(b, recipe, data)
}

// open is Open with the data of the recipe.
func open(b compute.Backend, recipe recipes.Recipe, data *dataset.Data) (*Opened, error) {
	normalization, err := fit(recipe, data.Train)
	if err != nil {
		return nil, err
	}
	m, err := NewModel(b, recipe, Input{data.Format(), len(data.Classes), normalization})
	if err != nil {
		return nil, err
	}
	return &Opened{m, data, models.Info{Recipe: recipe}}, nil
}

// LoadData loads the data set of a recipe. If it is a folder whose pictures are not packed yet, they are packed, until ctx is
// cancelled. dataRoot is as in [Open].
func LoadData(ctx context.Context, recipe recipes.Recipe, dataRoot string) (data *dataset.Data, err error) {
	options := recipe.DataOptions(dataRoot)
	err = packing(&options, func() error {
		data, err = dataset.LoadContext(ctx, recipe.Dataset, options)
		return err
	})
	return data, err
}

// PrepareData packs the pictures of a recipe whose data set is a folder, as [LoadData] does, and returns notes about them.
func PrepareData(ctx context.Context, recipe recipes.Recipe, dataRoot string) (notes []string, err error) {
	options := recipe.DataOptions(dataRoot)
	err = packing(&options, func() error {
		notes, err = dataset.Prepare(ctx, recipe.Dataset, options)
		return err
	})
	return notes, err
}

// packing shows how far pictures are packed, while load does so.
func packing(options *dataset.Options, load func() error) error {
	var bar *progress.Bar
	last := ""
	options.Progress = func(done, total int64, what string) {
		if bar == nil {
			bar = progress.New(total, "packing", "pictures")
		}
		bar.SetTotal(total)
		bar.Set(done, what)
		last = what
	}
	err := load()
	var damaged pictures.ErrDamaged
	switch {
	case bar != nil && err == nil:
		bar.Done("packed")
	case bar != nil && errors.As(err, &damaged):
		bar.Done("packed but for " + last)
	case bar != nil:
		bar.Done("not finished")
	}
	return err
}

// fit fits the recipe's normalisation to the training part.
func fit(recipe recipes.Recipe, train dataset.View) (dataset.Normalization, error) {
	if recipe.Normalization == "mean-image" {
		return dataset.FitMeanImage(train)
	}
	return dataset.FitChannels(train)
}

// mostResident is the most bytes of images that a GPU keeps; a set of more may be larger than its memory.
const mostResident = 4 << 30

// Prepare prepares training steps on the given number of devices, see [Model.UseDevices]. A single GPU first gets all training
// images, up to 4 GiB, so that its steps bring only their indices; a CPU already has them in its memory.
func (o *Opened) Prepare(devices int) error {
	if err := o.UseDevices(devices); err != nil {
		return err
	}
	bytes := o.Data.Train.Len() * o.Data.Format().Bytes()
	if devices == 1 && backend.KindOf(o.backend) == backend.CUDA && bytes <= mostResident {
		return o.KeepOnDevice(o.Data.Train)
	}
	return nil
}

// Batches returns the minibatches of the recipe's training, for steps after [Opened.Prepare]. For a GPU each is prepared while
// the previous one is computed; a CPU is busy with its step then.
func (o *Opened) Batches() *Batches { return o.BatchesOf(o.Recipe, o.Network.Survival) }

// BatchesOf is Batches with another recipe and other survival probabilities.
func (o *Opened) BatchesOf(recipe recipes.Recipe, survival depth.Survival) *Batches {
	batches := NewBatches(recipe, survival, o.Data.Train)
	batches.resident = o.resident != nil
	batches.ahead = backend.KindOf(o.backend) == backend.CUDA
	return batches
}

// OpenFile opens a network that [Model.Export] wrote, to be evaluated and explored. It has the file's normalisation and
// survival probabilities, and the data of its recipe in the same split. dataRoot is as in [Open]. A missing or damaged file,
// one without a recipe, tensors that do not fit the recipe, and missing data are errors that say what to do.
func OpenFile(b compute.Backend, path, dataRoot string) (*Opened, error) {
	info, err := models.Read(path)
	if err != nil {
		return nil, err
	}
	data, err := LoadData(context.Background(), info.Recipe, dataRoot)
	if err != nil {
		return nil, err
	}
	m, err := openModel(b, info)
	if err != nil {
		return nil, err
	}
	o := &Opened{m, data, info}
	if err := o.ComparePictures(info.Pictures); err != nil {
		return nil, fmt.Errorf("the network in %s %w", path, err)
	}
	if m.Network.Classes != len(data.Classes) {
		return nil, fmt.Errorf("the network in %s has %d classes, but %s has %d: it does not fit its recipe, export it again",
			path, m.Network.Classes, data.Name, len(data.Classes))
	}
	if len(m.Normalization.Mean) == 0 {
		if m.Normalization, err = fit(info.Recipe, data.Train); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// ComparePictures compares the folder of pictures with what it held when the network was trained, which is nil if that is not
// known: other classes are an error, whose clause is about the network, and a note says that other pictures are there.
func (o *Opened) ComparePictures(trained *dataset.Contents) error {
	now := o.Data.Contents
	switch {
	case now == nil:
	case trained == nil:
		o.Notes = append(o.Notes, "it does not say which pictures it was trained on: the test images may be among them")
	case trained.OtherClasses(now) != "":
		return fmt.Errorf("was trained on other classes: %s; name the folder of its pictures by --data-root", trained.OtherClasses(now))
	case trained.OtherPictures(now) != "":
		o.Notes = append(o.Notes, changedSince(trained.OtherPictures(now)))
	}
	return nil
}

func changedSince(what string) string {
	return "the folder of pictures has changed since the training: " + what
}

// OpenImported opens the network of a recipe with the weights of a safetensors file (see [Model.Import]), to be trained
// further. A recipe that does not fit the network in the file, or that would validate it on its own training images, is an
// error. [Model.Notes] say what the user should know about the file and the recipe.
func OpenImported(b compute.Backend, path string, asked recipes.Checker, dataRoot string) (*Opened, error) {
	checked, err := asked.Check()
	if err != nil {
		return nil, err
	}
	file, err := ReadWeights(path, Reading{})
	if err != nil {
		return nil, err
	}
	return OpenWith(b, file, checked, dataRoot)
}

// OpenWith is [OpenImported] with weights that were read.
func OpenWith(b compute.Backend, file *Weights, checked recipes.Checked, dataRoot string) (*Opened, error) {
	notes := []string{"it does not say which images it was trained on: the validation images may be among them"}
	if file.recipe != nil {
		var err error
		if notes, err = agree(file.path, *file.recipe, checked.Recipe(), file.reading.Classes != 0 || file.reading.Adapt); err != nil {
			return nil, err
		}
	}
	o, err := Open(b, checked, dataRoot)
	if err != nil {
		return nil, err
	}
	if err := o.take(file); err != nil {
		return nil, err
	}
	o.Notes = append(notes, o.Notes...)
	if trained, now := file.pictures, o.Data.Contents; trained != nil && now != nil {
		if change := cmp.Or(trained.OtherClasses(now), trained.OtherPictures(now)); change != "" {
			o.Notes = append(o.Notes, changedSince(change))
		}
	}
	return o, nil
}

// Untrained returns the same network with its initial weights, which follow from the recipe's seed.
func (o *Opened) Untrained() (*Model, error) {
	return NewModel(o.backend, o.Recipe, Input{o.Data.Format(), o.Network.Classes, o.Normalization})
}

// openModel makes the model of a file, without data: the file has the number of classes and the normalisation. If the file
// has no normalisation, the model's is empty.
func openModel(b compute.Backend, info models.Info) (*Model, error) {
	file, err := ReadWeights(info.Path, Reading{})
	if err != nil {
		return nil, err
	}
	stored := info.Recipe.Stored()
	length := func(name string, allowed ...int) int {
		if shape := file.tensors[name].Shape; len(shape) == 1 && (len(allowed) == 0 || slices.Contains(allowed, shape[0])) {
			return shape[0]
		}
		return 0
	}
	classes := length("fc.bias")
	if classes == 0 {
		return nil, fmt.Errorf("%s has no tensor fc.bias, so it is no network of this project: export it again", info.Path)
	}
	m, err := NewModel(b, info.Recipe, Input{stored, classes, dataset.Normalization{
		Mean:      make([]float32, length(meanName, stored.Channels, stored.Bytes())),
		Deviation: make([]float32, length(deviationName, stored.Channels, 1)),
	}})
	if err != nil {
		return nil, fmt.Errorf("the recipe in %s: %w", info.Path, err)
	}
	return m, m.take(file)
}
