package watch

import (
	"context"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// TrainAnew is Train that does not go on with an earlier run in the folder but deletes it first: for what a recipe does
// not tell, such as a block of one's own that may have been edited since.
func TrainAnew(ctx context.Context, dir string, recipe recipes.Recipe, others ...string) (*runs.Run, error) {
	if err := runs.Remove(dir); err != nil {
		return nil, err
	}
	return Train(ctx, dir, recipe, others...)
}
