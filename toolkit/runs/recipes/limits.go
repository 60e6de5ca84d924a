package recipes

import (
	"fmt"
)

// The largest values of a recipe's whole numbers. They are far above what anybody trains, and low enough that no sum
// or product of them overflows and nothing absurd takes memory. The seed may be any whole number of 64 bits.
const (
	MaxDepth     = 10_000        // layers; the paper's deepest network has 1202
	MaxEpochs    = 1_000_000     // the paper: 500
	MaxBatchSize = 100_000       // images
	MaxImages    = 1_000_000     // in a part; the largest set, SVHN, trains on 598,388
	MaxEvery     = 1_000_000_000 // steps between evaluations, or evaluations for each test
)

// CheckImages says in one sentence that the recipe's minibatches are larger than the training part, or returns nil.
// Validate calls it if train_images gives the number of images; otherwise this is known when the data is loaded.
func (r Recipe) CheckImages(training int) error {
	if r.BatchSize > training {
		return fmt.Errorf("batch_size is %d, but there are %d training images: make it %d at most", r.BatchSize, training, training)
	}
	return nil
}
