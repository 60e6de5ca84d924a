// Package claims checks what the project's pages and notebooks say about outcomes against the recorded runs. Sentences with
// outcomes are registered in data/claims.json, each with checks:
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
// The file must contain the sentence, or its part, with any line breaks. All of its checks must hold; "holds" may also be a
// list. See [Check] for the kinds of checks.
//
// A number of percent or points that is neither in a registered sentence nor in the paper (data/published.json) nor in
// "not_outcomes" is an error, so no outcome is stated without its record. Parts that `stochdepth pages` generates are not
// checked.
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

// Claim is a sentence, or a part of one, that states an outcome, with its checks.
type Claim struct {
	Where string `json:"where"` // the file, from the project's folder
	Says  string `json:"says"`
	Holds Checks `json:"holds"`
}

// NotOutcome is a part of a sentence with percentages that are not outcomes of recorded runs.
type NotOutcome struct {
	Where string `json:"where"`
	Says  string `json:"says"`
	Why   string `json:"why"`
}

// Checks are the checks of one claim: in the file a single object, or a list of them.
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

// registry is the file of claims, as errors name it.
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
		if err := checkFragment(c.Where, c.Says); err != nil {
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
		if err := checkFragment(n.Where, n.Says); err != nil {
			return nil, err
		}
		if strings.TrimSpace(n.Why) == "" {
			return nil, fmt.Errorf("%s: %q has no reason: say in \"why\" why it is no outcome", registry, n.Says)
		}
	}
	return file, nil
}

// checkFragment refuses a part of a sentence that is too short to be found in the right place.
func checkFragment(where, says string) error {
	const words = 3
	if where == "" || len(strings.Fields(says)) < words {
		return fmt.Errorf("%s: %q in %q: name the file, and at least %d words of its sentence", registry, says, where, words)
	}
	return nil
}

// Verify checks a project's folder: the claims in data/claims.json against its texts and records, and its texts, which are
// the pages (README.md in each folder) and the notebooks, for unregistered percentages. The error has a line for each
// failure.
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
	var failures []error
	for _, c := range file.Claims {
		text, ok := texts[c.Where]
		if !ok || !text.says(c.Says) {
			failures = append(failures, missing(c.Where, c.Says))
			continue
		}
		for _, check := range c.Holds {
			for _, err := range check.verify(r, text) {
				failures = append(failures, fmt.Errorf("%s says %q, but %w: correct the sentence, or its claim in %s",
					c.Where, c.Says, err, registry))
			}
		}
	}
	for _, n := range file.NotOutcomes {
		if text, ok := texts[n.Where]; !ok || !text.says(n.Says) {
			failures = append(failures, missing(n.Where, n.Says))
		}
	}
	return errors.Join(append(failures, unregistered(texts, file, paper)...)...)
}

func missing(where, says string) error {
	return fmt.Errorf("%s does not say %q: %s registers that sentence, change or remove it there", where, says, registry)
}
