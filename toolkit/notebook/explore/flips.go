package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/analysis"
)

// Flips draws the first n test images with the classes that a network predicts without some of its blocks, counted from 1. Where
// these blocks make a difference, the class that the whole network predicts stands before: "ring → star". Wrong classes are red.
func Flips(ctx context.Context, net *network.Opened, n int, removed ...int) (*figures.Figure, error) {
	images := net.Data.Test.First(min(n, net.Data.Test.Len()))
	whole, err := analysis.Classify(ctx, net.Model, images)
	if err != nil {
		return nil, err
	}
	putBack, err := analysis.Remove(net.Model, removed...)
	if err != nil {
		return nil, err
	}
	without, err := analysis.Classify(ctx, net.Model, images)
	if err := errors.Join(err, putBack()); err != nil {
		return nil, err
	}

	var pictures []figures.Picture
	changed, wrong, classes := 0, 0, net.Data.Classes
	for i, p := range without {
		picture := figures.Picture{Format: images.Format(), Pixels: images.Image(i), Caption: classes[p.Predicted], Wrong: p.Wrong()}
		if before := whole[i].Predicted; before != p.Predicted {
			picture.Caption = classes[before] + " → " + picture.Caption
			changed++
		}
		if p.Wrong() {
			wrong++
		}
		pictures = append(pictures, picture)
	}
	headline := fmt.Sprintf("All blocks: %d of %d classes wrong", wrong, len(pictures))
	if len(removed) > 0 {
		list := slices.Sorted(slices.Values(removed))
		headline = fmt.Sprintf("Without block%s %s: %d of %d classes change, %d %s wrong", say.Plural(len(list)), say.Enumerate(list),
			changed, len(pictures), wrong, say.IsOrAre(wrong))
	}
	return figures.ImageGrid(provenance(net), headline, 8, pictures...)
}
