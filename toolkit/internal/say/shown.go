// Package say has the words in which the toolkit speaks: numbers, spans of time and names fit to be shown, near words,
// what is wrong with JSON, and tables for people and programs.
package say

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown is a name as it may be shown: as it is, or quoted if it has a character that would act on a terminal or could
// not be seen. Names of folders are anybody's.
func Shown(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
