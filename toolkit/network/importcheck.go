package network

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"stochdepth/toolkit/runs/recipes"
)

// checkValues says in one sentence why a network of the type cannot have the values of a file's tensor: all must be finite,
// also when rounded to the type, variances not negative, and deviations above zero.
func checkValues(path, name string, values []float64, dtype dtypes.DType) error {
	for i, v := range values {
		if dtype != dtypes.Float64 || strings.HasPrefix(name, "normalization.") {
			v = float64(float32(v))
		}
		why := ""
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			why = "all must be finite"
		case strings.HasSuffix(name, ".running_var") && v < 0:
			why = "a variance is not negative"
		case name == deviationName && v <= 0:
			why = "a deviation is above zero"
		default:
			continue
		}
		return fmt.Errorf("%s of %s has the value %g at position %d, but %s: import a file of a network that trained well",
			name, path, v, i, why)
	}
	return nil
}

// onUnitScale multiplies a normalisation of pixels from 0 to 1, as in PyTorch, by 255, and reports whether it was one. It was
// if all deviations are below 1, or, in a file from elsewhere, if they are 1 and the means at most 1; deviations of 1 with
// larger means leave bytes unscaled, as in Caffe. Larger means with deviations below 1 are an error.
func onUnitScale(path string, elsewhere bool, mean, deviation []float64) (bool, error) {
	largest, most := slices.Max(deviation), slices.Max(mean)
	if largest > 1 || largest == 1 && (!elsewhere || most > 1) {
		return false, nil
	}
	if most > 1 {
		return false, fmt.Errorf("the normalisation of %s has deviations below 1 (up to %.4g) and means above (up to %.4g): "+
			"give both of pixels from 0 to 255, or both of pixels from 0 to 1", path, largest, most)
	}
	for _, values := range [][]float64{mean, deviation} {
		for i := range values {
			values[i] *= 255
		}
	}
	return true, nil
}

// agree says in one sentence why a run of a recipe cannot go on from the network in a file, which was made by another
// recipe; otherwise it returns notes about the two, a clause each.
func agree(path string, made, recipe recipes.Recipe) (notes []string, err error) {
	for _, key := range []string{"block", "shortcut", "normalization"} {
		if a, b := made.Get(key), recipe.Get(key); a != b {
			return nil, fmt.Errorf("the network in %s has %s %s, and its weights do not fit a network with %s %s: "+
				"leave %s as the file's recipe has it", path, key, a, key, b, key)
		}
	}
	switch drawn := made.Dataset == "shapes"; {
	case made.Dataset != recipe.Dataset:
		return []string{fmt.Sprintf("it was trained on %s and has not seen %s yet; its normalisation stays",
			made.Dataset, recipe.Dataset)}, nil
	case made.Seed != recipe.Seed && drawn:
		return []string{fmt.Sprintf("its shapes were drawn from seed %d; those of seed %d are different",
			made.Seed, recipe.Seed)}, nil
	case made.Seed != recipe.Seed:
		return nil, fmt.Errorf("the network in %s was trained on the images of %s that seed %d leaves for training, "+
			"and most of the validation images of seed %d are among them: keep seed %d",
			path, made.Dataset, made.Seed, recipe.Seed, made.Seed)
	}
	return nil, nil
}
