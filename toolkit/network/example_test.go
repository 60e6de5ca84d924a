package network_test

import (
	"context"
	"fmt"

	"stochdepth/toolkit/network"
	"stochdepth/toolkit/network/backend"
	"stochdepth/toolkit/runs/recipes"
)

// Five training steps of a small network, and its error on the validation images.
func ExampleOpen() {
	recipe, err := recipes.Preset("shapes")
	check(err)
	recipe.Depth, recipe.TrainImages, recipe.ValidationImages, recipe.BatchSize = 8, 64, 32, 16
	b, err := backend.Open()
	check(err)
	net, err := network.Open(b, recipe, "")
	check(err)
	check(net.Prepare(1))                           // one device
	check(net.SetLearningRate(recipe.LearningRate)) // 0 before
	for step, batches := int64(0), net.Batches(); step < 5; step++ {
		wait, err := net.Step(batches.At(step))
		check(err)
		outcome, err := wait()
		check(err)
		fmt.Printf("step %d: %v of 3 blocks, %d images\n", step, outcome.Open, outcome.Images)
	}
	score, err := net.Evaluate(context.Background(), net.Data.Validation)
	check(err)
	fmt.Println("an error from 0 to 100 %:", score.Error >= 0 && score.Error <= 100)

	// Output:
	// step 0: 1 of 3 blocks, 16 images
	// step 1: 1 of 3 blocks, 16 images
	// step 2: 2 of 3 blocks, 16 images
	// step 3: 2 of 3 blocks, 16 images
	// step 4: 2 of 3 blocks, 16 images
	// an error from 0 to 100 %: true
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
