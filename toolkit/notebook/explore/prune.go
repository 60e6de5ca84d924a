package explore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/runs/pruned"
)

// Pruned is what a trained network becomes by losing one block after the other.
type Pruned struct {
	*pruned.Record // the errors, for [figures.Fronts]
	net            *network.Opened
	list           []analysis.Pruned
	shown          int // test images with probabilities
}

// shownImages is the number of test images that [Pruned.Images] can show.
const shownImages = 24

// Prune removes one block of a network after the other, in an order of [analysis.PruneOrders], with a bar. In the end the
// network is as before.
func Prune(ctx context.Context, net *network.Opened, order string) (*Pruned, error) {
	bar := notebook.NewBar(0, net.Info.Name(), "networks")
	p := &Pruned{net: net, shown: min(shownImages, net.Data.Test.Len())}
	options := analysis.PruneOptions{Order: order, Show: p.shown,
		Done: func(done, total int) { bar.SetTotal(int64(total)); bar.Set(int64(done), order) }}
	var err error
	if p.list, err = analysis.Prune(ctx, net, options); err != nil {
		bar.Done("not finished")
		return nil, err
	}
	bar.Done("")
	p.Record = analysis.RecordOf(net, options, p.list)
	return p, nil
}

// Least and Most are the numbers of blocks of the smallest network and of the whole one.
func (p *Pruned) Least() int { return len(p.list[len(p.list)-1].Kept) }
func (p *Pruned) Most() int  { return len(p.list[0].Kept) }

// Images draws the first test images with the classes that the network predicts with this number of blocks left, wrong ones
// red.
func (p *Pruned) Images(blocks int) (*figures.Figure, error) {
	i, err := p.At(blocks)
	if err != nil {
		return nil, err
	}
	images := p.net.Data.Test.First(p.shown)
	var pictures []figures.Picture
	for image, probabilities := range p.list[i].Probabilities {
		best := slices.Index(probabilities, slices.Max(probabilities))
		pictures = append(pictures, figures.Picture{Format: images.Format(), Pixels: images.Image(image),
			Caption: p.net.Data.Classes[best], Wrong: best != images.Label(image)})
	}
	state := p.States[i]
	headline := fmt.Sprintf("%d of %d blocks, %.0f %% of the multiply-adds: test error %.1f %%", blocks, p.Most(),
		100*float64(state.MultiplyAdds)/float64(p.States[0].MultiplyAdds), state.TestError)
	left := fmt.Sprintf("Blocks left: %s.", say.Enumerate(state.Kept))
	return figures.ImageGrid(provenance(p.net).With(left), headline, 8, pictures...)
}

// Smaller returns the network with this number of blocks left: one of its own, which takes the time of its blocks.
func (p *Pruned) Smaller(ctx context.Context, blocks int) (*network.Opened, error) {
	i, err := p.At(blocks)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pruned")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, fmt.Sprintf("%s, %d blocks.safetensors", filepath.Base(p.net.Info.Name()), blocks))
	if err := analysis.WritePruned(ctx, p.net, path, p.list[i]); err != nil {
		return nil, err
	}
	b, err := shared()
	if err != nil {
		return nil, err
	}
	return network.OpenFile(b, path, "")
}
