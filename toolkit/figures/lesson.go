package figures

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"math"
	"strings"

	"stochdepth/toolkit/internal/files"
)

// LessonState is a network with some of its blocks, in a [Lesson].
type LessonState struct {
	Kept          []int       // blocks that are left, counted from 1
	Error         float64     // percent of all test images
	MultiplyAdds  float64     // percent of the whole network's; NaN if not known
	Probabilities [][]float64 // of the page's images: [images][classes]
}

// Lesson is a page for a lecture: a slider takes blocks out of a trained network, and shows which images it still gets right. The
// page is one file, needs no kernel and loads nothing from a network.
type Lesson struct {
	Title, Text, Caption string
	Blocks               int           // of the whole network
	States               []LessonState // the whole network first, the smallest last
	Classes              []string      // names
	Pictures             []Picture
	Labels               []int // of the pictures
}

//go:embed lesson.html
var lessonSource string

var lessonPage = template.Must(template.New("lesson").Parse(lessonSource))

// Write writes the page to a file. There must be probabilities for each picture, and a label.
func (p Lesson) Write(path string) error {
	type state struct {
		Kept          []int       `json:"kept"`
		Error         float64     `json:"error"`
		Work          float64     `json:"work"`
		Probabilities [][]float64 `json:"probabilities"`
	}
	type picture struct {
		PNG   string `json:"png"`
		Label int    `json:"label"`
	}
	data := struct {
		Blocks  int       `json:"blocks"`
		Classes []string  `json:"classes"`
		States  []state   `json:"states"`
		Images  []picture `json:"images"`
	}{Blocks: p.Blocks, Classes: p.Classes}
	if len(p.States) == 0 || len(p.Pictures) == 0 || len(p.Labels) != len(p.Pictures) {
		return errors.New("a lesson needs a network, and some pictures with their labels")
	}
	for _, s := range p.States {
		if len(s.Probabilities) != len(p.Pictures) {
			return fmt.Errorf("the lesson has %d pictures, but probabilities of %d", len(p.Pictures), len(s.Probabilities))
		}
		rounded := make([][]float64, len(s.Probabilities))
		for i, list := range s.Probabilities {
			for _, x := range list {
				rounded[i] = append(rounded[i], math.Round(x*1e4)/1e4)
			}
		}
		if math.IsNaN(s.MultiplyAdds) {
			s.MultiplyAdds = 0
		}
		data.States = append(data.States, state{s.Kept, s.Error, s.MultiplyAdds, rounded})
	}
	for i, shown := range p.Pictures {
		var b bytes.Buffer
		if err := png.Encode(&b, enlarge(shown, 1)); err != nil {
			return err
		}
		data.Images = append(data.Images, picture{"data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), p.Labels[i]})
	}
	var out bytes.Buffer
	err := lessonPage.Execute(&out, map[string]any{"Title": p.Title, "Caption": p.Caption, "Last": len(p.States) - 1, "Data": data,
		"Text": template.HTML(strings.ReplaceAll(template.HTMLEscapeString(p.Text), "p_L", "<i>p<sub>L</sub></i>"))})
	if err != nil {
		return err
	}
	return files.Write(path, out.Bytes())
}
