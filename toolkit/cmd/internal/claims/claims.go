// Package claims checks what the project's pages and notebooks say about outcomes against what was recorded. Sentences with
// outcomes are registered in data/claims.json, each with checks that are evaluated on the recorded runs:
//
//	{
//	  "claims": [
//	    {"where": "README.md", "says": "closing blocks lowers the error by more than a point",
//	     "holds": {"lower": {"runs": ["a-linear-0.5-s*"], "than": ["a-constant-s*"], "by": 1, "clear": true}}}
//	  ],
//	  "not_outcomes": [
//	    {"where": "README.md", "says": "guessing gets 90 % wrong", "why": "nine of ten classes"}
//	  ]
//	}
//
// The sentence, or the part of it, must stand in the file; how lines are broken does not matter. Its checks must hold, all
// of them: "holds" may be a list, too. See [Check] for the kinds there are.
//
// A number of percent or points that is neither in a registered sentence nor one of the paper's (data/published.json)
// nor in "not_outcomes" is an error, so that no outcome is stated without its record. What `stochdepth pages` generates is
// left out here.
package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/outcome/published"
)

// File is data/claims.json.
type File struct {
	Claims      []Claim      `json:"claims"`
	NotOutcomes []NotOutcome `json:"not_outcomes"`
}

// Claim is a sentence, or a part of one, that states an outcome, and what must hold for it.
type Claim struct {
	Where string `json:"where"` // the file, from the project's folder
	Says  string `json:"says"`
	Holds Checks `json:"holds"`
}

// NotOutcome is a part of a sentence with percentages that are no outcomes of recorded runs.
type NotOutcome struct {
	Where string `json:"where"`
	Says  string `json:"says"`
	Why   string `json:"why"`
}

// Checks are those of one claim: in the file a single object, or a list of them.
type Checks []Check

// UnmarshalJSON reads an object or a list of them, and refuses unknown keys.
func (c *Checks) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return decode(data, (*[]Check)(c))
	}
	*c = make(Checks, 1)
	return decode(data, &(*c)[0])
}

func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

// name is how errors call the file of claims.
const registry = "data/claims.json"

// Read reads a data/claims.json.
func Read(path string) (*File, error) {
	data, err := files.ReadText(path, files.LargestText)
	if err != nil {
		return nil, fmt.Errorf("cannot read the registered claims: %w", err)
	}
	file := &File{}
	if err := decode(data, file); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): correct the file", path, err)
	}
	for _, c := range file.Claims {
		if err := fragment(c.Where, c.Says); err != nil {
			return nil, err
		}
		if len(c.Holds) == 0 {
			return nil, fmt.Errorf("%s: %q has no check: say in \"holds\" what must hold", registry, c.Says)
		}
		for _, check := range c.Holds {
			if check == (Check{}) {
				return nil, fmt.Errorf("%s: %q has an empty check: say in \"holds\" what must hold", registry, c.Says)
			}
		}
	}
	for _, n := range file.NotOutcomes {
		if err := fragment(n.Where, n.Says); err != nil {
			return nil, err
		}
		if strings.TrimSpace(n.Why) == "" {
			return nil, fmt.Errorf("%s: %q has no reason: say in \"why\" why it is no outcome", registry, n.Says)
		}
	}
	return file, nil
}

// fragment returns an error for a part of a sentence that is too short to be found where it was meant.
func fragment(where, says string) error {
	const words = 3
	if where == "" || len(strings.Fields(says)) < words {
		return fmt.Errorf("%s: %q in %q: name the file, and at least %d words of its sentence", registry, says, where, words)
	}
	return nil
}

// Verify checks a project's folder: the claims in data/claims.json against its texts and records, and the texts, which are
// the pages (README.md, and those of its folders) and the notebooks, for percentages that nobody registered. All that is
// wrong is in the error, a line each.
func Verify(root string) error {
	data := filepath.Join(root, "data")
	file, err := Read(filepath.Join(data, "claims.json"))
	if err != nil {
		return err
	}
	paper, err := published.Read(filepath.Join(data, "published.json"))
	if err != nil {
		return err
	}
	texts, err := readTexts(root)
	if err != nil {
		return err
	}
	r := records{sources: &gallery.Sources{Folder: data}}
	var wrong []error
	for _, c := range file.Claims {
		text, ok := texts[c.Where]
		if !ok || !text.says(c.Says) {
			wrong = append(wrong, missing(c.Where, c.Says))
			continue
		}
		for _, check := range c.Holds {
			for _, err := range check.verify(r, text) {
				wrong = append(wrong, fmt.Errorf("%s says %q, but %w: correct the sentence, or its claim in %s", c.Where, c.Says, err, registry))
			}
		}
	}
	for _, n := range file.NotOutcomes {
		if text, ok := texts[n.Where]; !ok || !text.says(n.Says) {
			wrong = append(wrong, missing(n.Where, n.Says))
		}
	}
	return errors.Join(append(wrong, unregistered(texts, file, paper)...)...)
}

func missing(where, says string) error {
	return fmt.Errorf("%s does not say %q: %s registers that sentence, change or remove it there", where, says, registry)
}
