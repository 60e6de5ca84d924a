package network

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs/recipes"
)

// Opened is a network with the data of its recipe.
type Opened struct {
	*Model
	Data *dataset.Data
	Info models.Info // what a run or a file says of the network: run, epoch, errors, commit; its recipe alone before the training
}

// Open loads the data of a recipe, split as the paper does, fits the normalisation to the training part and builds the
// network with its initial weights. dataRoot is the folder of the data set's files, "" for the project's data/cache. A
// recipe that is not valid, minibatches larger than the training part, and data that are not there are errors that say
// what to do.
func Open(b compute.Backend, asked recipes.Checker, dataRoot string) (*Opened, error) {
	checked, err := asked.Check()
	if err != nil {
		return nil, err
	}
	recipe := checked.Recipe()
	data, err := load(recipe, dataRoot)
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
	m, err := NewModel(b, recipe, Input{data.Format(), len(data.Classes), fit(recipe, data.Train)})
	if err != nil {
		return nil, err
	}
	return &Opened{m, data, models.Info{Recipe: recipe}}, nil
}

// load loads the data set of a recipe.
func load(recipe recipes.Recipe, root string) (*dataset.Data, error) {
	return dataset.Load(recipe.Dataset, dataset.Options{Root: root, Seed: recipe.Seed,
		Train: recipe.TrainImages, Validation: recipe.ValidationImages, Test: recipe.TestImages})
}

// fit fits the recipe's normalisation to the training part.
func fit(recipe recipes.Recipe, train dataset.View) dataset.Normalization {
	if recipe.Normalization == "mean-image" {
		return dataset.FitMeanImage(train)
	}
	return dataset.FitChannels(train)
}

// Prepare readies training steps on the backend's first so many devices, see [Model.UseDevices]. A single GPU takes all
// training images, so that its steps bring their indices only; a CPU has them in its memory already.
func (o *Opened) Prepare(devices int) error {
	if err := o.UseDevices(devices); err != nil {
		return err
	}
	if devices == 1 && backend.KindOf(o.backend) == backend.CUDA {
		return o.KeepOnDevice(o.Data.Train)
	}
	return nil
}

// Batches returns the minibatches of the recipe's training, as steps take them after [Opened.Prepare]. For a GPU each is
// prepared while the one before is computed; a CPU has no time to spare meanwhile.
func (o *Opened) Batches() *Batches { return o.BatchesOf(o.Recipe, o.Network.Survival) }

// BatchesOf is Batches by another recipe and other survival probabilities.
func (o *Opened) BatchesOf(recipe recipes.Recipe, survival depth.Survival) *Batches {
	batches := NewBatches(recipe, survival, o.Data.Train)
	batches.resident = o.resident != nil
	batches.ahead = backend.KindOf(o.backend) == backend.CUDA
	return batches
}

// OpenFile opens a network that [Model.Export] wrote, to be evaluated and explored: the file's normalisation and
// survival probabilities are in force, and the data are those of its recipe, split as they were.
// dataRoot is as in [Open]. A missing or damaged file, one without a recipe, one whose tensors
// are not those of its recipe, and data that are not there are errors that say what to do.
func OpenFile(b compute.Backend, path, dataRoot string) (*Opened, error) {
	info, err := models.Read(path)
	if err != nil {
		return nil, err
	}
	data, err := load(info.Recipe, dataRoot)
	if err != nil {
		return nil, err
	}
	m, err := openModel(b, info)
	if err != nil {
		return nil, err
	}
	if m.Network.Classes != len(data.Classes) {
		return nil, fmt.Errorf("the network in %s has %d classes, but %s has %d: it is not of its recipe, export it again",
			path, m.Network.Classes, data.Name, len(data.Classes))
	}
	if len(m.Normalization.Mean) == 0 {
		m.Normalization = fit(info.Recipe, data.Train)
	}
	return &Opened{m, data, info}, nil
}

// OpenImported opens the network of a recipe with the weights of a safetensors file (see [Model.Import]), to be trained
// on. A recipe that the network in the file cannot be of, or that would validate it on its own training images, is an
// error. [Model.Notes] say what is to be known of the file and of the recipe with it.
func OpenImported(b compute.Backend, path string, asked recipes.Checker, dataRoot string) (*Opened, error) {
	checked, err := asked.Check()
	if err != nil {
		return nil, err
	}
	file, err := readNetwork(path)
	if err != nil {
		return nil, err
	}
	notes := []string{"it does not say which images it was trained on: the validation images may be among them"}
	if file.recipe != nil {
		if notes, err = agree(path, *file.recipe, checked.Recipe()); err != nil {
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
	return o, nil
}

// Untrained returns the same network with the weights from before its training, which follow from the recipe's seed.
func (o *Opened) Untrained() (*Model, error) {
	return NewModel(o.backend, o.Recipe, Input{o.Network.Image, o.Network.Classes, o.Normalization})
}

// openModel makes the model of a file, which needs no data: the number of classes and the normalisation are the file's.
// A file without a normalisation leaves the model's empty.
func openModel(b compute.Backend, info models.Info) (*Model, error) {
	file, err := readNetwork(info.Path)
	if err != nil {
		return nil, err
	}
	set, err := dataset.Find(info.Recipe.Dataset)
	if err != nil {
		return nil, err
	}
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
	m, err := NewModel(b, info.Recipe, Input{set.Format, classes, dataset.Normalization{
		Mean:      make([]float32, length(meanName, set.Format.Channels, set.Format.Bytes())),
		Deviation: make([]float32, length(deviationName, set.Format.Channels, 1)),
	}})
	if err != nil {
		return nil, fmt.Errorf("the recipe in %s: %w", info.Path, err)
	}
	return m, m.take(file)
}
