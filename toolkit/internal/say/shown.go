// Package say makes the words of the toolkit's messages: numbers, spans of time, names that are safe to show, suggestions
// for misspelt words, errors in JSON files, and tables for people and programs.
package say

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown is a name that is safe to show: the name itself, or quoted if it has a character that is invisible or would act on
// a terminal. Anybody can name a folder.
func Shown(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
