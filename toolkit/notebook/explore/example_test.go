package explore_test

import (
	"stochdepth/toolkit/notebook"
	"stochdepth/toolkit/notebook/explore"
)

// A cell that looks into a network of data/models.
func Example() {
	network := notebook.Must(explore.Open("NAME"))
	notebook.Show(explore.Confusion(notebook.Context(), network))
	notebook.Show(explore.Mistakes(notebook.Context(), network, 16))
	notebook.Show(explore.Lesions(notebook.Context(), explore.Study{}, network))
}
