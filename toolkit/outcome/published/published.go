// Package published holds the numbers of "Deep Networks with Stochastic Depth" (Huang, Sun, Liu, Sedra, Weinberger
// 2016, arXiv 1603.09382) as the paper gives them: each with its table or figure, with a mark where it was read off a
// drawing, and the places where the paper contradicts itself. Numbers that a later paper repeats stand beside them, with
// that paper as their source, see Paper.References. They are in data/published.json; Read reads it.
package published

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Quantities of the numbers and curves, in the units of Paper.Units.
const (
	TestError         = "test error"              // percent, at the epoch of the lowest validation error
	ValidationError   = "validation error"        // percent, ImageNet
	TrainingTime      = "training time"           // seconds
	TimeSaved         = "training time saved"     // percent
	TrainingLoss      = "training loss"           // mean cross-entropy
	GradientMagnitude = "mean gradient magnitude" // mean absolute gradient, Fig. 7
	SelectedEpoch     = "selected epoch"          // epoch of the lowest validation error
	SpeedUp           = "speed-up"                // times
	ExpectedOpen      = "expected open blocks"    // blocks, Section 3
)

// Network is the name that Key.Method has for the paper's own networks, constant and stochastic.
const Network = "ResNet"

// Key says what a number describes. Two numbers with equal keys describe the same thing and must agree.
type Key struct {
	Quantity string  `json:"quantity"`           // one of the constants
	Dataset  string  `json:"dataset,omitempty"`  // as the paper writes it: "CIFAR-10+" has the standard augmentation
	Method   string  `json:"method,omitempty"`   // Network, or another paper's with its reference
	Layers   int     `json:"layers,omitempty"`   // 0: not stated
	Rule     string  `json:"rule,omitempty"`     // linear or uniform; empty at constant depth
	Survival float64 `json:"survival,omitempty"` // p_L; 1 at constant depth, 0 for other methods
	Epoch    float64 `json:"epoch,omitempty"`    // where the paper has numbers of several
}

// Constant reports whether the key describes one of the paper's networks at constant depth.
func (k Key) Constant() bool { return k.Method == Network && k.Survival == 1 }

// Number is one number of the paper.
type Number struct {
	Source  string `json:"source"`            // its table or figure, or the section whose text has it; or a key of Paper.References
	Edition string `json:"edition,omitempty"` // "v1": of April 2016 and replaced since; empty: the last
	Key
	Value   float64 `json:"value"`
	Printed string  `json:"printed,omitempty"`  // as the paper writes it, where that differs
	ReadOff bool    `json:"read_off,omitempty"` // read off a drawing, not printed
	Note    string  `json:"note,omitempty"`
}

// Curve is a curve of a figure, read off the paper's vector drawing. The parts outside the frame of the drawing are missing.
type Curve struct {
	Source string `json:"source"`
	Key
	ReadOff bool         `json:"read_off"`
	Points  [][2]float64 `json:"points"` // epoch and value, by epoch
}

// Contradiction is a place where the paper's editions, tables, figures and text differ.
type Contradiction struct {
	About  string    `json:"about"`
	Key              // of the numbers; empty where words, not numbers, differ
	Values []float64 `json:"values,omitempty"` // all values found
	Quote  float64   `json:"quote,omitempty"`  // the one to quote
	Note   string    `json:"note"`
}

// Paper is the whole file.
type Paper struct {
	Title, Authors, Edition string
	Reading                 string            // how exactly the values marked read_off were read
	Units                   map[string]string // of each quantity
	References              map[string]string // sources other than the paper, with what to look up
	Numbers                 []Number
	Contradictions          []Contradiction
	Curves                  []Curve
}

// Read reads data/published.json.
func Read(path string) (*Paper, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the paper's numbers are missing: restore %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the paper's numbers: %w", err)
	}
	paper := &Paper{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(paper); err != nil {
		return nil, fmt.Errorf("the paper's numbers in %s are damaged (%w): restore the file", path, err)
	}
	return paper, nil
}

// Find returns the numbers of the last edition whose source begins with source ("Fig. 8", "Fig. 8 right", "") and whose
// key agrees with k in all fields that k sets.
func (p *Paper) Find(source string, k Key) []Number {
	var found []Number
	for _, n := range p.Numbers {
		if n.Edition == "" && strings.HasPrefix(n.Source, source) && n.Key.matches(k) {
			found = append(found, n)
		}
	}
	return found
}

// Number returns the one number that Find finds; none or several are an error.
func (p *Paper) Number(source string, k Key) (Number, error) {
	found := p.Find(source, k)
	if len(found) != 1 {
		return Number{}, fmt.Errorf("data/published.json has %d numbers of %q for %+v, not one", len(found), source, k)
	}
	return found[0], nil
}

// Curve returns the one curve whose source begins with source and whose key agrees with k.
func (p *Paper) Curve(source string, k Key) (Curve, error) {
	for _, c := range p.Curves {
		if strings.HasPrefix(c.Source, source) && c.Key.matches(k) {
			return c, nil
		}
	}
	return Curve{}, fmt.Errorf("data/published.json has no curve of %q for %+v", source, k)
}

// matches reports whether key agrees with wanted in all fields that wanted sets.
func (k Key) matches(wanted Key) bool {
	return (wanted.Quantity == "" || wanted.Quantity == k.Quantity) &&
		(wanted.Dataset == "" || wanted.Dataset == k.Dataset) &&
		(wanted.Method == "" || wanted.Method == k.Method) &&
		(wanted.Layers == 0 || wanted.Layers == k.Layers) &&
		(wanted.Rule == "" || wanted.Rule == k.Rule) &&
		(wanted.Survival == 0 || wanted.Survival == k.Survival) &&
		(wanted.Epoch == 0 || wanted.Epoch == k.Epoch)
}
