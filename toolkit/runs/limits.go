package runs

import (
	"fmt"
	"strconv"
	"strings"
)

// The largest values of a recipe's whole numbers. They are far above what anybody trains, and low enough that no sum
// or product of them overflows and nothing absurd takes memory. The seed may be any whole number of 64 bits.
const (
	MaxDepth     = 10_000        // layers; the paper's deepest network has 1202
	MaxEpochs    = 1_000_000     // the paper: 500
	MaxBatchSize = 100_000       // images
	MaxImages    = 1_000_000     // of a part; the largest set, SVHN, trains on 598,388
	MaxEvery     = 1_000_000_000 // steps between evaluations, evaluations for a test
)

// CheckRange says in one sentence that a number is not in [least, most], or returns nil. what names the number, as
// "epochs" or "--workers".
func CheckRange(what string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s is %d: it must be from %s to %s", what, n, Grouped(least), Grouped(most))
	}
	return nil
}

// Grouped writes n with commas: 100,000.
func Grouped[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// CheckImages says in one sentence that the recipe's minibatches are larger than the training part, or returns nil.
// Validate asks where train_images tells how many there are; else it is known when the data is loaded.
func (r Recipe) CheckImages(training int) error {
	if r.BatchSize > training {
		return fmt.Errorf("batch_size is %d, but there are %d training images: make it %d at most", r.BatchSize, training, training)
	}
	return nil
}

// isWhole reports whether text is a whole number, however large.
func isWhole(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return digits != "" && len(text)-len(digits) <= 1 && strings.Trim(digits, "0123456789") == ""
}

// tooLarge is the error of a whole number that does not fit.
func tooLarge(key, value string) error {
	if len(value) > 40 {
		value = value[:40] + "..."
	}
	return fmt.Errorf("%s %s is out of range: whole numbers have up to 64 bits here", key, value)
}
