// Package page writes the generated parts of the project's pages. A part stands between two comments; the first says
// what the part is:
//
//	<!-- begin speed peers-*, written by `stochdepth pages` -->
//
//	<!-- end -->
package page

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// What the comments are made of.
const (
	begin   = "<!-- begin "
	written = ", written by `stochdepth pages` -->\n"
	end     = "<!-- end -->"
)

// Written are the pages that have generated parts.
var Written = []string{"README.md", "data/README.md", "data/models/README.md", "toolkit/network/backend/README.md",
	"toolkit/network/bench/README.md", "toolkit/network/models/README.md"}

// Missing lists those of the pages with generated parts that the project's folder root lacks.
func Missing(root string) (names []string) {
	for _, name := range Written {
		if _, err := fs.Stat(os.DirFS(root), name); errors.Is(err, fs.ErrNotExist) {
			names = append(names, name)
		}
	}
	return names
}

// Names lists the project's pages, relative to its folder root, except those that are generated as a whole.
func Names(root string) (names []string) {
	for _, pattern := range []string{"README.md", "CHANGELOG.md", "data/README.md", "data/models/README.md",
		"notebooks/*.md", "toolkit/README.md", "toolkit/*/README.md", "toolkit/network/*/README.md", "findings/README.md"} {
		found, _ := fs.Glob(os.DirFS(root), pattern) // the patterns are right
		names = append(names, found...)
	}
	return names
}

// Fill returns the text of a page with its generated parts replaced: write gets the words that say what a part is, such as
// "speed" and "peers-*", and returns its Markdown. A first comment without a second one, or the reverse, is an error.
func Fill(text string, write func(words []string) (string, error)) (string, error) {
	var filled strings.Builder
	for {
		before, part, found := strings.Cut(text, begin)
		if strings.Contains(before, end) {
			return "", fmt.Errorf("there is %q without %q before it", end, begin)
		}
		filled.WriteString(before)
		if !found {
			return filled.String(), nil
		}
		head, rest, complete := strings.Cut(part, written)
		old, after, ended := strings.Cut(rest, end)
		if !complete || !ended || strings.Contains(head, "\n") || strings.Contains(old, begin) {
			line, _, _ := strings.Cut(part, "\n")
			return "", fmt.Errorf("the part that begins with %q must end its line with %q, and have %q after it",
				begin+line, strings.TrimSpace(written), end)
		}
		markdown, err := write(strings.Fields(head))
		if err != nil {
			return "", err
		}
		if markdown = strings.Trim(markdown, "\n"); markdown != "" {
			markdown += "\n\n"
		}
		filled.WriteString(begin + head + written + "\n" + markdown + end)
		text = after
	}
}
