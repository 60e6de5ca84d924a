package training

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
)

// checkValues says in one sentence why the values of a tensor of a file do not do for a network of the type: all must
// be finite, also when rounded to the type, variances not negative, and deviations above zero.
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
		case name == "normalization.deviation" && v <= 0:
			why = "a deviation is above zero"
		default:
			continue
		}
		return fmt.Errorf("%s of %s has the value %g at position %d, but %s: import a file of a network that trained well", name, path, v, i, why)
	}
	return nil
}
