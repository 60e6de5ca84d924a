package notebook

import (
	"slices"
	"strings"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
)

// Examples returns the first n images of each class with the class as their caption, class by class in alphabetical
// order, for [figures.ImageGrid].
func Examples(images dataset.View, classes []string, n int) []figures.Picture {
	var pictures []figures.Picture
	found := make([]int, len(classes))
	for i := range images.Len() {
		class := images.Label(i)
		if found[class] == n {
			continue
		}
		found[class]++
		pictures = append(pictures, figures.Picture{Format: images.Format(), Pixels: images.Image(i), Caption: classes[class]})
	}
	slices.SortStableFunc(pictures, func(a, b figures.Picture) int { return strings.Compare(a.Caption, b.Caption) })
	return pictures
}
