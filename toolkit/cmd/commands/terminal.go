package commands

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
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

// The colours, which are too few for a library.
const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// statusColours are the colours of the words of a status, or of a sweep's state, that readers look for.
var statusColours = map[string]string{"failed": red, "diverged": red, "done": green, "finished": green}

// hasColours reports whether w is a terminal with colours whose user has not switched them off (https://no-color.org).
func hasColours(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// writeStatusTable writes the table that write makes. On a terminal the words of the named column are coloured; "" colours
// none.
func writeStatusTable(cmd *cobra.Command, column string, write func(io.Writer) error) error {
	out := cmd.OutOrStdout()
	screen, ok := out.(escaping)
	if !ok || column == "" || !hasColours(screen.to) {
		return write(out)
	}
	var table bytes.Buffer
	if err := write(&table); err != nil {
		return err
	}
	// Colours are added after escaping, since they are escape sequences themselves.
	_, err := io.WriteString(screen.to, paint(escape(table.String()), column))
	return err
}

// paint colours the words of an aligned table that begin below the head of the named column.
func paint(table, column string) string {
	head, _, _ := strings.Cut(table, "\n")
	before, _, found := strings.Cut(head, column)
	if !found {
		return table
	}
	at := len([]rune(before))
	lines := strings.Split(table, "\n")
	for i, line := range lines {
		runes := []rune(line)
		if len(runes) < at {
			continue
		}
		rest := string(runes[at:])
		word, _, _ := strings.Cut(rest, " ")
		if colour, ok := statusColours[word]; ok {
			lines[i] = string(runes[:at]) + colour + word + plain + strings.TrimPrefix(rest, word)
		}
	}
	return strings.Join(lines, "\n")
}
