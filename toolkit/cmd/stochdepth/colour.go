package main

import (
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

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
