package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escaping writes text with those characters escaped that would control a terminal, except ends of lines and tabs: anybody
// may have chosen the names of files and their contents. The escapes are JSON's, so JSON keeps its meaning.
type escaping struct{ to io.Writer }

// Write escapes p and writes it.
func (e escaping) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.to, escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escape replaces control characters and characters that change the direction of writing.
func escape(text string) string {
	acts := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	}
	if strings.IndexFunc(text, acts) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if acts(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			_, size := utf8.DecodeRuneInString(text[i:])
			b.WriteString(text[i : i+size]) // unchanged, even if it is half a character
		}
	}
	return b.String()
}

// printError prints each of the errors on a line, with the further lines of an error indented, so that they are not taken for
// other errors.
func printError(w io.Writer, err error) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	name := "stochdepth:"
	if hasColours(w) {
		name = red + name + plain
	}
	for _, err := range list {
		fmt.Fprintln(w, name, strings.ReplaceAll(escape(err.Error()), "\n", "\n  "))
	}
}
