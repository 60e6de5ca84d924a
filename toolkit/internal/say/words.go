package say

import (
	"fmt"
	"strconv"
	"strings"
)

// Decimal writes x with up to six digits, without the noise of binary fractions and with a true minus sign.
func Decimal(x float64) string {
	return strings.Replace(strconv.FormatFloat(x+0, 'g', 6, 64), "-", "−", 1) // + 0: no negative zero
}

// Enumerate lists items as in a sentence: "1, 2 and 3".
func Enumerate[T any](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = fmt.Sprint(item)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// Plural is the "s" at the end of a noun for n things, "" for one.
func Plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// ShortCommit is a commit's first seven digits, with the plus sign that marks a changed source. In a list of commits, as in
// the files of networks, it shortens each.
func ShortCommit(commit string) string {
	list := strings.Split(commit, ", ")
	for i, one := range list {
		hash, changed := strings.CutSuffix(one, "+")
		list[i] = hash[:min(7, len(hash))]
		if changed {
			list[i] += "+"
		}
	}
	return strings.Join(list, ", ")
}

// Markdown is a text for a page in Markdown, where p_L gets its index below the line.
func Markdown(text string) string { return strings.ReplaceAll(text, "p_L", "*p<sub>L</sub>*") }
