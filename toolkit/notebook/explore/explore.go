// Package explore opens trained networks for a notebook's cell, and draws what package analysis finds in them: which
// classes they confuse, their worst mistakes, and how they bear the loss of blocks. It is separate from package notebook
// so that cells which only look at results need not link GoMLX.
package explore

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/network/training"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs"
)

// shared opens the backend, once, for all networks of a cell.
var shared = sync.OnceValues(backend.Open)

// Open opens a network of data/models by its name, with the data of its recipe. In a trial it takes only 100 images of each part.
func Open(name string) (*network.Opened, error) {
	b, err := shared()
	if err != nil {
		return nil, err
	}
	net, err := network.OpenFile(b, notebook.ModelPath(name), "")
	if err != nil {
		return nil, err
	}
	printNotes(net)
	if notebook.Tiny() {
		for _, part := range []*dataset.View{&net.Data.Train, &net.Data.Validation, &net.Data.Test} {
			*part = part.First(100)
		}
	}
	return net, nil
}

// OpenRun opens the network of a notebook's run, by the run's name, as it was at the epoch of its lowest validation error.
func OpenRun(name string) (*network.Opened, error) {
	b, err := shared()
	if err != nil {
		return nil, err
	}
	net, err := training.Restore(b, notebook.Run(name), training.Best, "")
	if err != nil {
		return nil, err
	}
	printNotes(net)
	return net, nil
}

func printNotes(net *network.Opened) {
	for _, note := range net.Notes {
		fmt.Println("note:", note)
	}
}

// Confusion draws the confusion matrix of a network on the test images.
func Confusion(ctx context.Context, net *network.Opened) (*figures.Figure, error) {
	predictions, err := analysis.Classify(ctx, net.Model, net.Data.Test)
	if err != nil {
		return nil, err
	}
	classes := net.Data.Classes
	return figures.Confusion(provenance(net), classes, analysis.Confusion(predictions, len(classes)))
}

// CommonMistake names the two classes that a network confuses most often on the test images, the true one first:
// "cat for dog, 216 times".
func CommonMistake(ctx context.Context, net *network.Opened) (string, error) {
	predictions, err := analysis.Classify(ctx, net.Model, net.Data.Test)
	if err != nil {
		return "", err
	}
	classes := net.Data.Classes
	most, from, to := 0, 0, 0
	for label, row := range analysis.Confusion(predictions, len(classes)) {
		for predicted, n := range row {
			if label != predicted && n > most {
				most, from, to = n, label, predicted
			}
		}
	}
	if most == 0 {
		return "", noMistakes(net, predictions)
	}
	return fmt.Sprintf("%s for %s, %d times", classes[from], classes[to], most), nil
}

// Differ counts the test images that only one of two networks classifies wrongly: the others say nothing about which of the two
// is better. The networks must have the same test images.
func Differ(ctx context.Context, a, b *network.Opened) (onlyA, onlyB int, err error) {
	first, err := analysis.Classify(ctx, a.Model, a.Data.Test)
	if err != nil {
		return 0, 0, err
	}
	second, err := analysis.Classify(ctx, b.Model, b.Data.Test)
	if err != nil {
		return 0, 0, err
	}
	if len(first) != len(second) {
		return 0, 0, fmt.Errorf("the networks have %d and %d test images: compare networks with the same ones", len(first), len(second))
	}
	for i := range first {
		switch {
		case first[i].Wrong() && !second[i].Wrong():
			onlyA++
		case second[i].Wrong() && !first[i].Wrong():
			onlyB++
		}
	}
	return onlyA, onlyB, nil
}

func noMistakes(net *network.Opened, predictions []analysis.Prediction) error {
	return fmt.Errorf("the network %s classifies all %d test images correctly: there are no mistakes to show",
		net.Info.Name(), len(predictions))
}

// Mistakes draws up to n test images that the network got wrong, those with the highest cross-entropy, each with the
// predicted class and, in brackets, the true one. A network that makes no mistake is an error.
func Mistakes(ctx context.Context, net *network.Opened, n int) (*figures.Figure, error) {
	predictions, err := analysis.Classify(ctx, net.Model, net.Data.Test)
	if err != nil {
		return nil, err
	}
	var pictures []figures.Picture
	for _, p := range analysis.Worst(predictions, n) {
		pictures = append(pictures, figures.Picture{
			Format: net.Data.Format(), Pixels: net.Data.Test.Image(p.Index), Wrong: true,
			Caption: fmt.Sprintf("%s (%s)", net.Data.Classes[p.Predicted], net.Data.Classes[p.Label]),
		})
	}
	if len(pictures) == 0 {
		return nil, noMistakes(net, predictions)
	}
	return figures.ImageGrid(provenance(net), "The worst mistakes", 8, pictures...)
}

// Study says how a lesion study is made. Fields that are zero have the defaults given here.
type Study struct {
	Removed []int // numbers of blocks to remove; none: 0 to 6, fewer in a network of fewer blocks
	Choices int   // random choices of blocks for each number; 0: 8
	Images  int   // number of test images, from the first on; 0: 500
	Seed    int64 // of the choices, which are the same for networks of equal depth
}

// Lesions removes randomly chosen blocks from networks, and draws their test errors by the number of removed blocks (see
// [analysis.Lesions]).
func Lesions(ctx context.Context, study Study, networks ...*network.Opened) (*figures.Figure, error) {
	study = study.filled(networks)
	var lesions []figures.Lesion
	for _, net := range networks {
		images := net.Data.Test.First(study.Images)
		percent, err := analysis.Lesions(ctx, net.Model, images, study.Removed, study.Choices, study.Seed)
		if err != nil {
			return nil, err
		}
		lesions = append(lesions, figures.Lesion{
			Name: net.Info.Name(), Constant: net.Recipe.IsConstant(), Removed: study.Removed, Errors: percent,
		})
	}
	note := fmt.Sprintf("Points: mean over up to %d random choices; bars: their range; the first %d test images.",
		study.Choices, study.Images)
	return figures.Lesions(provenance(networks...).With(note), lesions...)
}

// filled is the study with its zero fields replaced.
func (s Study) filled(networks []*network.Opened) Study {
	s.Choices, s.Images = cmp.Or(s.Choices, 8), cmp.Or(s.Images, 500)
	most := 6
	for _, net := range networks {
		most = min(most, len(net.Network.Survival))
		s.Images = min(s.Images, net.Data.Test.Len())
	}
	if len(s.Removed) == 0 {
		for n := range most + 1 {
			s.Removed = append(s.Removed, n)
		}
	}
	return s
}

// provenance is the caption that describes the networks.
func provenance(networks ...*network.Opened) figures.Provenance {
	list := make([]*runs.Run, len(networks))
	for i, net := range networks {
		list[i] = net.Info.Record()
	}
	return figures.OfRuns(list)
}
