package say

import (
	"fmt"
	"strconv"
)

// CheckRange says in one sentence that a number is not in [least, most], or returns nil. what is the number's name, such as
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

// Exact writes x in the fewest digits that read back exactly.
func Exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
