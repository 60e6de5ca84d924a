package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escaping writes text on with the characters escaped that would act on a terminal, but for the ends of lines: names of
// files and what stands in them may be anybody's. The escapes are JSON's, so that JSON stays what it is.
type escaping struct{ to io.Writer }

// Write escapes p and writes it.
func (e escaping) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.to, escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escape replaces control characters and those that turn the direction of writing.
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
			b.WriteString(text[i : i+size]) // as it is, also if it is half a character
		}
	}
	return b.String()
}

// printError says what went wrong: a line an error, with what follows in it set in, so that it is not taken for another.
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
