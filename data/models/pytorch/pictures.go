// Command pictures writes the pictures on which resnet20_shapes.py trains: go run ./data/models/pytorch FOLDER, where FOLDER is
// below the project's.
package main

import (
	"os"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/notebook"
)

func main() {
	shapes := notebook.Must(dataset.Load("shapes", dataset.Options{Seed: 1000, Train: 2500, Validation: 500, Test: 1000}))
	notebook.Check(notebook.WritePictures(os.Args[1], shapes))
}
