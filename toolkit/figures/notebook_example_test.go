package figures_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
)

// gradient is a picture of 8x8 pixels that goes from one colour to another.
var eight = dataset.Format{Height: 8, Width: 8, Channels: 3}

func gradient(r, g, b float64) []byte {
	var pixels []byte
	for y := range 8 {
		for x := range 8 {
			t := float64(x+y) / 14
			pixels = append(pixels, byte(255*r*t), byte(255*g*(1-t)), byte(255*b))
		}
	}
	return pixels
}

func ExampleImageGrid() {
	var pictures []figures.Picture
	for i := range 10 {
		pictures = append(pictures, figures.Picture{Format: eight, Pixels: gradient(1, float64(i)/9, 0.5),
			Caption: fmt.Sprint("picture ", i+1), Wrong: i == 6})
	}
	figure, err := figures.ImageGrid(made, "Ten pictures", 7, pictures...)
	save("image-grid.png", figure, err)
}

func ExampleConfusion() {
	figure, err := figures.Confusion(made, []string{"circle", "square", "triangle"}, [][]int{{40, 2, 0}, {1, 35, 6}, {0, 9, 33}})
	save("confusion.png", figure, err)
}

func ExampleGradientsByBlock() {
	var constant, stochastic []float64
	for l := range 18 {
		constant = append(constant, 1e-4*math.Pow(1.15, float64(l)))
		stochastic = append(stochastic, 3e-4*math.Pow(1.05, float64(l)))
	}
	figure, err := figures.GradientsByBlock(made,
		figures.BlockGradients{Title: "Before training", Constant: constant, Stochastic: stochastic},
		figures.BlockGradients{Title: "After training", Stochastic: stochastic})
	save("gradients-by-block.png", figure, err)
}

func ExampleLesions() {
	removed := []int{0, 1, 2, 4}
	figure, err := figures.Lesions(made,
		figures.Lesion{Name: "constant depth", Constant: true, Removed: removed,
			Errors: [][]float64{{8}, {10, 30, 15}, {25, 60, 40}, {70, 85, 80}}},
		figures.Lesion{Name: "stochastic depth", Removed: removed, Errors: [][]float64{{9}, {9.5, 12, 11}, {12, 25, 15}, {25, 45, 30}}})
	save("lesions.png", figure, err)
}

// What cannot be drawn is refused with a sentence.
func TestNotebookFiguresRefuse(t *testing.T) {
	_, err := figures.ImageGrid(made, "x", 3, figures.Picture{Format: eight, Pixels: make([]byte, 10)})
	require.ErrorContains(t, err, "picture 0 has 10 bytes, which are no image of 8 x 8 pixels with 3 channels")
	_, err = figures.ImageGrid(made, "x", 3)
	require.ErrorContains(t, err, "no pictures")
	_, err = figures.Confusion(made, []string{"a", "b"}, [][]int{{1, 2}})
	require.ErrorContains(t, err, "1 rows for 2 classes")
	_, err = figures.Confusion(made, []string{"a"}, [][]int{{0}})
	require.ErrorContains(t, err, "no images")
	_, err = figures.GradientsByBlock(made, figures.BlockGradients{Title: "x", Constant: []float64{0, 0}})
	require.ErrorContains(t, err, "no gradient magnitude")
	_, err = figures.Lesions(made, figures.Lesion{Name: "x", Removed: []int{0, 1}, Errors: [][]float64{{1}}})
	require.ErrorContains(t, err, "x has errors for 1 of 2")
}
