package outcome

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Calibration says how well the probabilities that a network gives agree with how often it is right.
type Calibration struct {
	Images  int
	Error   float64 // percent classified wrongly
	LogLoss float64 // mean of -log of the probability of the true class: negative log likelihood, cross-entropy
	// ECE is the expected calibration error in percent (Guo et al. 2017): the mean, over the images, of the distance between
	// confidence and accuracy in the image's bin. The confidence is the probability of the predicted class.
	ECE  float64
	Bins []ConfidenceBin // of equal width, from 0 to 1

	order []bool // right or wrong, the most confident image first
}

// ConfidenceBin has the images whose confidence is in a range.
type ConfidenceBin struct {
	Images               int
	Confidence, Accuracy float64 // means; 0 without images
}

// ConfidenceBins is the number of bins, as usual in the literature.
const ConfidenceBins = 15

// CalibrationOf compares the class probabilities of images, [images][classes], with their labels. A bin has the confidences
// above its lower and up to its upper end.
func CalibrationOf(labels []int, probabilities [][]float64) (Calibration, error) {
	c := Calibration{Images: len(labels), Bins: make([]ConfidenceBin, ConfidenceBins)}
	if len(labels) == 0 || len(labels) != len(probabilities) {
		return c, fmt.Errorf("%d labels and probabilities of %d images: there must be one label for each image, and one image at least",
			len(labels), len(probabilities))
	}
	type image struct {
		confidence float64
		right      bool
	}
	images := make([]image, len(labels))
	for i, label := range labels {
		p := probabilities[i]
		if label < 0 || label >= len(p) || slices.ContainsFunc(p, math.IsNaN) {
			return c, errors.New("an image has no probability for its class: the network's outputs are not numbers, or of other classes")
		}
		predicted := 0
		for class := range p {
			if p[class] > p[predicted] {
				predicted = class
			}
		}
		images[i] = image{p[predicted], predicted == label}
		c.LogLoss -= math.Log(p[label]) / float64(len(labels))
		bin := &c.Bins[max(0, min(ConfidenceBins-1, int(math.Ceil(p[predicted]*ConfidenceBins))-1))]
		bin.Images++
		bin.Confidence += p[predicted]
		if predicted == label {
			bin.Accuracy++
		} else {
			c.Error += 100 / float64(len(labels))
		}
	}
	for i := range c.Bins {
		if bin := &c.Bins[i]; bin.Images > 0 {
			c.ECE += 100 * math.Abs(bin.Accuracy-bin.Confidence) / float64(len(labels))
			bin.Confidence /= float64(bin.Images)
			bin.Accuracy /= float64(bin.Images)
		}
	}
	slices.SortStableFunc(images, func(a, b image) int { return cmp.Compare(b.confidence, a.confidence) })
	for _, i := range images {
		c.order = append(c.order, i.right)
	}
	return c, nil
}

// ErrorOfConfident is the error in percent on a share of the images, above 0 and up to 1: the rest, those with the lowest
// confidence, is left out.
func (c Calibration) ErrorOfConfident(share float64) float64 {
	kept := max(1, min(len(c.order), int(math.Round(share*float64(len(c.order))))))
	wrong := 0
	for _, right := range c.order[:kept] {
		if !right {
			wrong++
		}
	}
	return 100 * float64(wrong) / float64(kept)
}
