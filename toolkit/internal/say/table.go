package say

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// TableFormats are the formats of tables: "table" is for people, the others are for programs.
var TableFormats = []string{"table", "tsv", "csv", "json"}

// Column is a column of a table that has a line for each T.
type Column[T any] struct {
	Key    string         // its name for programs
	Head   string         // its name for people; "" hides it from them
	Value  func(T) any    // a string, a whole number, or a float64, which is NaN where it is not known
	Format string         // how people see the value, such as "%.2f"; "": as programs do
	Shown  func(T) string // what people see instead; may be nil
	Right  bool           // people see it at the right of its column
}

// CheckFormat refuses what is not among [TableFormats].
func CheckFormat(format string) error {
	if slices.Contains(TableFormats, format) {
		return nil
	}
	return fmt.Errorf("unknown format %q: use %s", format, strings.Join(TableFormats, ", "))
}

// WriteTable writes a line for each row in one of the [TableFormats]. For people numbers are rounded and a dash stands for an
// unknown one; for programs they are exact, and an unknown one is NaN, or null in JSON. "tsv" has tabs between cells, and "csv"
// is RFC 4180 except for the ends of lines; cells are made safe by [Shown], so that a line stays one line.
func WriteTable[T any](w io.Writer, format string, columns []Column[T], rows []T) error {
	if format == "json" {
		objects := make([]json.RawMessage, len(rows)) // not nil: no rows are [] in JSON
		for i, row := range rows {
			var members []string
			for _, c := range columns {
				member, err := c.member(row)
				if err != nil {
					return err
				}
				members = append(members, member)
			}
			objects[i] = json.RawMessage("{" + strings.Join(members, ",") + "}")
		}
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ") // people can read it too
		return encoder.Encode(objects)
	}
	if err := CheckFormat(format); err != nil {
		return err
	}
	forPeople := format == "table"
	if forPeople {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c Column[T]) bool { return c.Head == "" })
	}
	lines := make([][]string, 1+len(rows))
	for _, c := range columns {
		head := c.Key
		if forPeople {
			head = c.Head
		}
		lines[0] = append(lines[0], Shown(head))
		for i, row := range rows {
			lines[1+i] = append(lines[1+i], Shown(c.cell(row, forPeople)))
		}
	}
	switch format {
	case "csv":
		return csv.NewWriter(w).WriteAll(lines)
	case "table":
		_, err := io.WriteString(w, Aligned(lines, func(i int) bool { return columns[i].Right }))
		return err
	}
	for _, line := range lines {
		if _, err := io.WriteString(w, strings.Join(line, "\t")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// member is the column's member of a JSON object.
func (c Column[T]) member(row T) (string, error) {
	value := c.Value(row)
	if x, isFloat := value.(float64); isFloat && (math.IsNaN(x) || math.IsInf(x, 0)) {
		value = nil // JSON has no NaN
	}
	text, err := json.Marshal(value)
	return fmt.Sprintf("%q:%s", c.Key, text), err
}

// cell is the column's cell in other formats.
func (c Column[T]) cell(row T, forPeople bool) string {
	if forPeople && c.Shown != nil {
		return c.Shown(row)
	}
	value := c.Value(row)
	x, isFloat := value.(float64)
	switch {
	case forPeople && isFloat && math.IsNaN(x):
		return "-"
	case forPeople && c.Format != "":
		return fmt.Sprintf(c.Format, value)
	case isFloat:
		return Exact(x)
	}
	return fmt.Sprint(value)
}

// Aligned writes lines of cells with their columns aligned, two spaces apart: to the right where right says so, which may
// be nil.
func Aligned(lines [][]string, right func(column int) bool) string {
	widths := map[int]int{}
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var table strings.Builder
	for _, line := range lines {
		text := ""
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right != nil && right(i) {
				text += padding + cell + "  "
			} else {
				text += cell + padding + "  "
			}
		}
		table.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	return table.String()
}

// MarkdownTable writes lines of cells as a table in Markdown; the first line is its head.
func MarkdownTable(lines [][]string) string {
	var table strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&table, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			table.WriteString(strings.Repeat("| --- ", len(line)) + "|\n")
		}
	}
	return table.String()
}
