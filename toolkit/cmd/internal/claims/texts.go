package claims

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/page"
	"stochdepth/toolkit/outcome/published"
)

// text is a page or a notebook.
type text struct {
	parts   []string // the whole page or a notebook's cells of Markdown, with normal spaces
	outputs string   // of a notebook's cells of code, as text
}

// normal replaces spaces of all kinds and lengths by single spaces.
func normal(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "&nbsp;", " ")), " ")
}

func (t text) says(sentence string) bool {
	sentence = normal(sentence)
	return slices.ContainsFunc(t.parts, func(part string) bool { return strings.Contains(part, sentence) })
}

// readTexts reads the pages, without their generated parts, and the notebooks.
func readTexts(root string) (map[string]text, error) {
	texts := map[string]text{}
	names := page.Names(root)
	for _, pattern := range []string{"notebooks/*.ipynb", "notebooks/solutions/*.ipynb"} {
		found, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("cannot read a text to check its claims: %w", err)
		}
		if strings.HasSuffix(name, ".ipynb") {
			if texts[name], err = notebook(data); err != nil {
				return nil, fmt.Errorf("%s is damaged: %w", name, err)
			}
			continue
		}
		written, err := page.Fill(string(data), func([]string) (string, error) { return "", nil })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts[name] = text{parts: []string{normal(written)}}
	}
	return texts, nil
}

// notebook returns the text of a notebook's file.
func notebook(data []byte) (text, error) {
	var book struct {
		Cells []struct {
			Type    string `json:"cell_type"`
			Source  lines
			Outputs []struct {
				Text lines
				Data map[string]json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(data, &book); err != nil {
		return text{}, err
	}
	var t text
	var outputs []string
	for _, cell := range book.Cells {
		if cell.Type == "markdown" {
			t.parts = append(t.parts, normal(string(cell.Source)))
		}
		for _, output := range cell.Outputs {
			outputs = append(outputs, string(output.Text))
			for _, kind := range []string{"text/plain", "text/markdown", "text/html"} {
				if content, ok := output.Data[kind]; ok {
					var shown lines
					if err := json.Unmarshal(content, &shown); err != nil {
						return text{}, err
					}
					outputs = append(outputs, string(shown))
				}
			}
		}
	}
	t.outputs = normal(strings.Join(outputs, "\n"))
	return t, nil
}

// lines is a text in a notebook's file, a string or a list of them.
type lines string

// UnmarshalJSON reads both.
func (l *lines) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(l))
}

var (
	// percentage is one number, or several in a row ("6.41 and 5.25 %"), with their unit, percent or points.
	percentage = regexp.MustCompile(`(?i)(?:` + number + `(?:\s*(?:,|;|/|±|→|–|-|\b(?:and|or|to|instead of|against|vs)\b))+\s*)*` +
		number + `(?:[\s~$*_-]|\\[,;! ])*(?:((?:(?:percentage|percent|per\s?cent|\\?%)[\s-]*)?\bpoints?\b)|(\\?%|percent\b|per\s?cent\b))`)
	numbers = regexp.MustCompile(number)
)

const number = `\d+(?:,\d{3})*(?:\.\d+)?`

// unregistered finds the percentages and points that are not registered; percentages from the paper need not be.
func unregistered(texts map[string]text, file *File, paper *published.Paper) (failures []error) {
	var ofPaper []float64
	for _, n := range paper.Numbers {
		if paper.Units[n.Quantity] == "%" {
			ofPaper = append(ofPaper, n.Value)
		}
	}
	for _, c := range paper.Contradictions {
		if paper.Units[c.Quantity] == "%" {
			ofPaper = append(ofPaper, c.Values...)
		}
	}
	known := map[string][]string{}
	for _, c := range file.Claims {
		known[c.Where] = append(known[c.Where], normal(c.Says))
	}
	for _, n := range file.NotOutcomes {
		known[n.Where] = append(known[n.Where], normal(n.Says))
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, part := range texts[name].parts {
			registered := places(part, known[name])
			for _, match := range percentage.FindAllStringSubmatchIndex(part, -1) {
				points := match[2] >= 0
				unit := max(match[2], match[4])
				var unknown []string
				for _, at := range numbers.FindAllStringIndex(part[match[0]:unit], -1) {
					from, to := match[0]+at[0], match[0]+at[1]
					value, err := strconv.ParseFloat(strings.ReplaceAll(part[from:to], ",", ""), 64)
					if !slices.ContainsFunc(registered, func(p [2]int) bool { return p[0] <= from && to <= p[1] }) &&
						(err != nil || points || !slices.Contains(ofPaper, value)) {
						unknown = append(unknown, part[from:to])
					}
				}
				if len(unknown) > 0 {
					failures = append(failures, fmt.Errorf("%s has %s, counted in percent or points, in %q, without a source: "+
						"register the sentence in %s with a check of recorded runs, or among its not_outcomes with a reason",
						name, strings.Join(unknown, ", "), sentence(part, match[0], match[1]), registry))
				}
			}
		}
	}
	return failures
}

// places returns where the sentences occur in part, each from a first byte to an end.
func places(part string, sentences []string) (found [][2]int) {
	for _, s := range sentences {
		for from := 0; ; {
			i := strings.Index(part[from:], s)
			if i < 0 {
				break
			}
			found = append(found, [2]int{from + i, from + i + len(s)})
			from += i + 1
		}
	}
	return found
}

// sentence returns the sentence around part[from:to], or only the nearby text if it is long.
func sentence(part string, from, to int) string {
	const near = 100
	start, end := 0, len(part)
	if i := strings.LastIndex(part[:from], ". "); i >= 0 {
		start = i + 2
	}
	if i := strings.Index(part[to:], ". "); i >= 0 {
		end = to + i + 1
	}
	if from-start > near {
		start = from - near + 1 + strings.Index(part[from-near:from]+" ", " ")
	}
	if end-to > near {
		end = to + strings.LastIndex(" "+part[to:to+near], " ")
	}
	return strings.TrimSpace(part[start:max(end, to)])
}
