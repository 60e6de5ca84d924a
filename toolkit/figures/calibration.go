package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stochdepth/toolkit/outcome"
)

// CalibrationCurve is one way to classify images, in [Calibration].
type CalibrationCurve struct {
	Name string
	outcome.Calibration
}

// MostCalibrationCurves is the number of curves that [Calibration] can tell apart.
const MostCalibrationCurves = len(stochasticStyles)

// leastInBin is the number of images that a bin must have to be drawn.
const leastInBin = 10

// Calibration draws how far the probabilities of one network or several can be trusted: on the left the reliability diagram,
// the accuracy by the confidence, which for a calibrated network is the dashed diagonal (Guo et al. 2017), without bins of fewer
// than ten images; on the right the error if only a share of the images is classified, the most confident ones.
func Calibration(provenance Provenance, curves ...CalibrationCurve) (*Figure, error) {
	if len(curves) == 0 || len(curves) > MostCalibrationCurves {
		return nil, fmt.Errorf("%d curves: the figure of calibration takes 1 to %d", len(curves), MostCalibrationCurves)
	}
	var styles []seriesStyle
	var reliability, kept []plotter.XYs
	highest := 0.0
	for i, curve := range curves {
		var bins, errorsOf plotter.XYs
		for _, bin := range curve.Bins {
			if bin.Images >= leastInBin {
				bins = append(bins, plotter.XY{X: bin.Confidence, Y: 100 * bin.Accuracy})
			}
		}
		if len(bins) == 0 {
			return nil, fmt.Errorf("no bin of confidences has %d images, fewer are not drawn: take more images", leastInBin)
		}
		const shares = 20
		for k := 1; k <= shares; k++ {
			share := float64(k) / shares
			errorsOf = append(errorsOf, plotter.XY{X: 100 * share, Y: curve.ErrorOfConfident(share)})
		}
		highest = math.Max(highest, errorsOf[shares-1].Y)
		reliability, kept = append(reliability, bins), append(kept, errorsOf)
		styles = append(styles, stochasticStyles[i].named(curve.Name).saying(fmt.Sprintf("%s: ECE %.2f %%", curve.Name, curve.ECE)))
	}
	l := layout{headline: "Confidence and accuracy", styles: styles, provenance: provenance}
	return l.panels(2, 2.6*vg.Inch, func(panel int, c draw.Canvas) {
		p, drawn := newPlot(), reliability
		if panel == 0 {
			c = title(c, "Accuracy (%)")
			p.X.Label.Text, p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = "confidence", 0, 1.02, 0, 102
			frame(c, p)
			addLine(p, draw.LineStyle{Color: grey, Width: 1, Dashes: []vg.Length{3, 3}}, plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 100}})
		} else {
			c, drawn = title(c, "Error of the most confident (%)"), kept
			p.X.Label.Text, p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = "share of the images (%)", 0, 102, 0, math.Max(1, 1.1*highest)
		}
		for i := len(drawn) - 1; i >= 0; i-- {
			addCurve(p, styles[i], drawn[i])
		}
		p.Draw(c)
	}), nil
}
