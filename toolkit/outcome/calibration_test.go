package outcome_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/outcome"
)

// The numbers are those of scikit-learn 1.9.1 (log_loss) and torchmetrics 1.9.0 (MulticlassCalibrationError with 15 bins) for
// the same probabilities.
func TestCalibration(t *testing.T) {
	const images, classes = 200, 4
	labels, probabilities := make([]int, images), make([][]float64, images)
	for i := range labels {
		labels[i] = (i*i + i/3) % classes
		p, sum := make([]float64, classes), 0.0
		for c := range p {
			w := float64(1 + (7*i+5*c*c+3*i*c)%23)
			p[c] = w * w
			sum += p[c]
		}
		for c := range p {
			p[c] /= sum
		}
		probabilities[i] = p
	}
	got, err := outcome.CalibrationOf(labels, probabilities)
	require.NoError(t, err)
	require.InDelta(t, 73, got.Error, 1e-9)
	require.InDelta(t, 2.065083930056037, got.LogLoss, 1e-12)
	require.InDelta(t, 23.560619354248047, got.ECE, 1e-5, "torchmetrics computes in float32")
	for share, want := range map[float64]float64{1: 73, 0.9: 72.22222222222221, 0.5: 71, 0.1: 65} {
		require.InDelta(t, want, got.ErrorOfConfident(share), 1e-9)
	}
	all := 0
	for i, bin := range got.Bins {
		all += bin.Images
		if bin.Images > 0 {
			require.InDelta(t, (float64(i)+0.5)/outcome.ConfidenceBins, bin.Confidence, 0.5/outcome.ConfidenceBins)
		}
	}
	require.Equal(t, images, all)

	sure, err := outcome.CalibrationOf([]int{0, 1}, [][]float64{{1, 0}, {0, 1}})
	require.NoError(t, err)
	require.Zero(t, sure.Error+sure.LogLoss+sure.ECE)
	for _, wrong := range [][][]float64{nil, {{1, 0}}, {{1, 0}, {1}}, {{1, 0}, {math.NaN(), 1}}} {
		_, err := outcome.CalibrationOf([]int{0, 1}, wrong)
		require.Error(t, err)
	}
}
