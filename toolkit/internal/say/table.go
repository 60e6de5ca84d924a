package say

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// TableFormats are the formats of tables: "table" is for people, the others are for programs.
var TableFormats = []string{"table", "tsv", "csv", "json"}

// CheckFormat returns an error for a format that is not in [TableFormats].
func CheckFormat(format string) error {
	if !slices.Contains(TableFormats, format) {
		return fmt.Errorf("unknown format %q: use %s", format, strings.Join(TableFormats, ", "))
	}
	return nil
}

// WriteSeparated writes a head and lines of cells in the format "tsv", with tabs between cells, or "csv", which is RFC 4180
// except for the ends of lines. Each cell is made safe by [Shown], so that a line stays one line.
func WriteSeparated(w io.Writer, format string, head []string, lines [][]string) error {
	out := csv.NewWriter(w)
	for _, line := range append([][]string{head}, lines...) {
		if line = shownAll(line); format == "csv" {
			_ = out.Write(line) // out.Error returns its error at the end
		} else if _, err := io.WriteString(w, strings.Join(line, "\t")+"\n"); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteJSON writes value as JSON that people can read too.
func WriteJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// shownAll applies Shown to all cells.
func shownAll(cells []string) []string {
	shown := make([]string, len(cells))
	for i, cell := range cells {
		shown[i] = Shown(cell)
	}
	return shown
}
