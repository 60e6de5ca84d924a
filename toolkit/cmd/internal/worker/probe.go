package worker

import (
	"context"
	"time"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs/sweep"
)

// probeSteps is the number of steps that are timed with all blocks closed, and again with all open.
const probeSteps = 3

// Probe times training steps of an order's run with every block closed and with every block open, and an evaluation. It
// writes nothing.
func Probe(ctx context.Context, o sweep.Order) (p sweep.Probe, err error) {
	clock := time.Now()
	lap := func() float64 {
		seconds := time.Since(clock).Seconds()
		clock = time.Now()
		return seconds
	}
	b, err := backend.Open()
	if err != nil {
		return p, err
	}
	net, err := network.Open(b, o.Recipe, o.DataRoot)
	if err != nil {
		return p, err
	}
	if err := net.Prepare(1); err != nil {
		return p, err
	}
	p.StartSeconds = lap()
	if err := net.SetLearningRate(o.Recipe.LearningRate); err != nil {
		return p, err
	}
	open, closed := extremes(net)
	p.StepsPerEpoch = open.PerEpoch()
	if err := steps(ctx, net.Model, open, 1); err != nil { // compiles
		return p, err
	}
	first := lap()
	if err := steps(ctx, net.Model, open, probeSteps); err != nil {
		return p, err
	}
	p.OpenSeconds = lap() / probeSteps
	if err := steps(ctx, net.Model, closed, probeSteps); err != nil {
		return p, err
	}
	p.ClosedSeconds = lap() / probeSteps
	compile, each, err := evaluation(ctx, net.Model, net.Data.Test)
	p.CompileSeconds = first - p.OpenSeconds + compile
	p.EvaluateSeconds, p.TestSeconds = each*float64(net.Data.Validation.Len()), each*float64(net.Data.Test.Len())
	return p, err
}

// extremes returns minibatches for which every block is open, and others for which every block is closed. With sub-batches
// every step computes the same, so both are those of the run.
func extremes(net *network.Opened) (open, closed *network.Batches) {
	recipe, blocks := net.Recipe, len(net.Network.Survival)
	if recipe.SubBatches() {
		return net.Batches(), net.Batches()
	}
	recipe.SurvivalSchedule = string(depth.Steady) // other schedules close no block in the first steps, or in the last
	return net.BatchesOf(recipe, depth.Constant(blocks)), net.BatchesOf(recipe, depth.Uniform(blocks, 1-1e-12))
}

// steps takes the first count steps and waits for each.
func steps(ctx context.Context, model *network.Model, batches *network.Batches, count int64) error {
	for step := range count {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait, err := model.Step(batches.At(step % max(1, batches.PerEpoch()-1))) // without the last, which may be smaller
		if err != nil {
			return err
		}
		if _, err := wait(); err != nil {
			return err
		}
	}
	return nil
}

// evaluation times the evaluation of a batch of images: the seconds to compile it, and the seconds per image.
func evaluation(ctx context.Context, model *network.Model, part dataset.View) (compile, each float64, err error) {
	part = part.First(network.EvaluationBatch(part.Format()))
	var seconds [2]float64
	for i := range seconds {
		clock := time.Now()
		if _, err := model.Evaluate(ctx, part); err != nil {
			return 0, 0, err
		}
		seconds[i] = time.Since(clock).Seconds()
	}
	return max(0, seconds[0]-seconds[1]), seconds[1] / float64(part.Len()), nil
}
