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

// CheckFormat refuses a format that is none of [TableFormats].
func CheckFormat(format string) error {
	if !slices.Contains(TableFormats, format) {
		return fmt.Errorf("unknown format %q: use %s", format, strings.Join(TableFormats, ", "))
	}
	return nil
}

// WriteSeparated writes a head and lines of cells in the format "tsv", tabs between cells, or "csv", as RFC 4180 has it
// but for the ends of lines. Cells that are not fit to be shown are quoted as [Shown] does, so that a line stays one.
func WriteSeparated(w io.Writer, format string, head []string, lines [][]string) error {
	out := csv.NewWriter(w)
	for _, line := range append([][]string{head}, lines...) {
		if line = shownAll(line); format == "csv" {
			_ = out.Write(line) // an error stays, and is that of the end
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

// shownAll makes texts fit to be shown; a run folder may be anybody's.
func shownAll(cells []string) []string {
	shown := make([]string, len(cells))
	for i, cell := range cells {
		shown[i] = Shown(cell)
	}
	return shown
}
