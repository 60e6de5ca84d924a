package gallery

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stochdepth/toolkit/internal/files"
)

// The results in the project's README.md are the Markdown of one entry, which stands between two comments. SaveAll
// writes it there, so that no number of it is typed by hand.
const (
	ResultsEntry = "results"
	ResultsBegin = "<!-- results: begin (written by stochdepth figures) -->"
	ResultsEnd   = "<!-- results: end -->"
)

// WithResults returns text with what stands between ResultsBegin and ResultsEnd replaced by markdown. A text without the
// two comments is returned as it is, and there is false. One comment without the other, or several, are an error.
func WithResults(text, markdown string) (changed string, there bool, err error) {
	if !strings.Contains(text, ResultsBegin) && !strings.Contains(text, ResultsEnd) {
		return text, false, nil
	}
	before, rest, begun := strings.Cut(text, ResultsBegin)
	_, after, ended := strings.Cut(rest, ResultsEnd)
	if !begun || !ended || strings.Contains(after, ResultsBegin) || strings.Contains(after, ResultsEnd) || strings.Contains(before, ResultsEnd) {
		return "", false, fmt.Errorf("there must be one %s and one %s after it", ResultsBegin, ResultsEnd)
	}
	if markdown = strings.Trim(markdown, "\n"); markdown != "" {
		markdown += "\n\n"
	}
	return before + ResultsBegin + "\n\n" + markdown + ResultsEnd + after, true, nil
}

// saveResults writes the Markdown of the entry of results (nothing, without such an entry) into the README.md that stands
// beside the gallery's folder, if that has a place for it, and returns the file's name, or "".
func saveResults(folder string, drawings []*Drawing) (string, error) {
	markdown := ""
	for _, d := range drawings {
		if d.Name == ResultsEntry {
			markdown = d.Markdown
		}
	}
	file := filepath.Join(folder, "..", "README.md")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("cannot write the results into the README: %w", err)
	}
	changed, there, err := WithResults(string(text), markdown)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if !there {
		return "", nil
	}
	return file, files.Write(file, []byte(changed))
}
