package training

import (
	"fmt"
	"math"
	"time"

	"stochdepth/toolkit/internal/progress"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/runs"
)

// Progress says how far a run is, for a progress line.
type Progress struct {
	Phase  string // "compiling", "training" or "evaluating"
	Epoch  int    // in progress, from 1
	Epochs int
	Step   int64 // number of steps done in the whole run
	Steps  int64 // of the whole run
	Blocks int   // L

	// Since the last evaluation; NaN before the first step.
	Loss  float64 // mean cross-entropy
	Error float64 // percent
	Open  float64 // mean number of open blocks

	StepsPerSecond float64       // of this session, without evaluation and compilation
	Remaining      time.Duration // estimate for training and evaluation; 0 if unknown yet

	Row *runs.Row // the newest row when Phase is "training" and an evaluation has just ended, else nil
}

// Show shows the progress on a bar of steps.
func (p Progress) Show(bar *progress.Bar) {
	bar.SetTotal(p.Steps)
	bar.Estimate(p.StepsPerSecond, p.Remaining)
	bar.Set(p.Step, p.text())
}

// text puts the state of a run into a few words.
func (p Progress) text() string {
	text := fmt.Sprintf("epoch %d of %d, %s", p.Epoch, p.Epochs, p.Phase)
	if !math.IsNaN(p.Loss) {
		text += fmt.Sprintf(", loss %.3f, error %.1f %%", p.Loss, p.Error)
	}
	if !math.IsNaN(p.Open) {
		text += fmt.Sprintf(", %.1f of %d blocks", p.Open, p.Blocks)
	}
	return text
}

// gathered holds the sums for the next row.
type gathered struct {
	Steps    int64   `json:"steps"`
	Images   int64   `json:"images"`
	Loss     float64 `json:"loss"` // sum over images
	Wrong    float64 `json:"wrong"`
	Gradient float64 `json:"gradient"` // sum over steps
	Open     float64 `json:"open"`     // sum over steps
}

func (g *gathered) add(o network.Outcome) {
	g.Steps++
	g.Images += int64(o.Images)
	g.Loss += o.Loss * float64(o.Images)
	g.Wrong += o.Wrong
	g.Gradient += o.Gradient
	g.Open += o.Open
}

func (g gathered) meanLoss() float64     { return g.Loss / float64(g.Images) }
func (g gathered) errorPercent() float64 { return 100 * g.Wrong / float64(g.Images) }
func (g gathered) meanOpen() float64     { return g.Open / float64(g.Steps) }
func (g gathered) meanGradient() float64 { return g.Gradient / float64(g.Steps) }
