package watch

import (
	"context"

	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/recipes"
)

// TrainAnew is Train, but it first deletes an earlier run in the folder instead of continuing it. Use it where a recipe
// does not show a change, such as an edited block of your own.
func TrainAnew(ctx context.Context, dir string, recipe recipes.Recipe, others ...string) (*runs.Run, error) {
	if err := runs.Remove(dir); err != nil {
		return nil, err
	}
	return Train(ctx, dir, recipe, others...)
}
