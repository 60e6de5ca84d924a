package training

// ahead gives a run's minibatches as Batches does, each prepared while the device computes the one before:
// go-xla waits for the end of a step.
type ahead struct {
	batches *Batches
	steps   int64 // of the whole run

	step int64 // the one that is prepared
	next chan *Batch
}

// At returns the minibatch of a step and begins to prepare that of the next.
func (a *ahead) At(step int64) *Batch {
	var batch *Batch
	if a.next != nil {
		batch = <-a.next // in any case: batches are for one goroutine
		a.next = nil
	}
	if batch == nil || a.step != step {
		batch = a.batches.At(step)
	}
	if step+1 < a.steps {
		next := make(chan *Batch, 1)
		a.step, a.next = step+1, next
		go func() { next <- a.batches.At(step + 1) }()
	}
	return batch
}
