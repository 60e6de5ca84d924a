package say

import (
	"fmt"
	"strconv"
	"strings"
)

// DidYouMean suggests the known words nearest to word: ` (did you mean "depth"?)`, or nothing if none is near.
func DidYouMean(word string, known []string) string {
	near := Nearest(word, known)
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = strconv.Quote(near[i])
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
}

// Nearest returns the up to three known words that are nearest to word, or none if none is near, or too many are.
func Nearest(word string, known []string) (near []string) {
	best := len(word)/3 + 2 // with this many edits or more it is another word
	if len(word) <= 3 {
		best = 2
	}
	for _, candidate := range known {
		d := editDistance(strings.ToLower(word), candidate)
		// A word that is part of a key is near too: "rate" for "death_rate".
		if len(word) >= 3 && strings.Contains(candidate, strings.ToLower(word)) {
			d = min(d, 1)
		}
		switch {
		case d < best:
			best, near = d, []string{candidate}
		case d == best && len(near) > 0:
			near = append(near, candidate)
		}
	}
	if len(near) > 3 {
		return nil
	}
	return near
}

// editDistance is Levenshtein's: the fewest insertions, deletions and replacements that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
