package dataset_test

import (
	"fmt"

	"stochdepth/toolkit/dataset"
)

func ExampleLoad() {
	data, err := dataset.Load("shapes", dataset.Options{Seed: 1, Train: 500, Validation: 100, Test: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(data.Train.Len(), "training images of", len(data.Classes), "classes")

	// A batch of two images, [2, 32, 32, 3], and their labels.
	pixels := make([]byte, 2*data.Format().Bytes())
	labels := make([]int32, 2)
	data.Train.Gather([]int32{3, 0}, pixels, labels)
	fmt.Println(data.Classes[labels[0]], data.Classes[labels[1]])

	// Output:
	// 500 training images of 10 classes
	// triangle disc
}
