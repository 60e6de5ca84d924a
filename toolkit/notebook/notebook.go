// Package notebook is for the cells of notebooks: it shows figures, tables, text
// and progress in the cell's output. The same calls work outside of a notebook,
// where progress goes to the terminal or to a log, and figures are only saved.
//
// Every function waits until the notebook has received its output (otherwise GoNB
// may lose the last of it when the cell's process ends), so a cell needs no call at
// its end. A function that returns no error ends the cell with a sentence when it
// fails; for functions that do return one there are [Must] and [Check]. Relative
// paths start at the project's folder.
package notebook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/stopping"
)

// Check ends the cell with the sentence of err, and does nothing for nil.
func Check(err error) {
	if err != nil {
		flush()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Must is [Check] for a function that returns a value and an error.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Context returns a context that ends when the cell is interrupted, and when its
// kernel is gone. Pass it to training, which then saves what it has: GoNB kills an
// interrupted cell after five seconds.
func Context() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx = stopping.Unread(stopping.Hangup(ctx))
	if gonbui.IsNotebook {
		ctx = stopping.Orphaned(ctx)
	}
	return ctx
}

// Show shows a figure, or ends the cell if there is an error: notebook.Show(figures.Block(survival, 5)), or
// notebook.Show(figure) for a figure that is drawn already. Outside of a notebook it shows nothing.
func Show(figure *figures.Figure, err ...error) {
	Check(errors.Join(err...))
	if gonbui.IsNotebook {
		displayPNG(Must(figure.PNG(resolution)), "", resolution)
	}
}

// Hover shows a figure whose values can be read: the name of a series and its value appear where the mouse points at one. It is
// an SVG, whose letters depend on the fonts of the reader, and pages such as GitHub's do not show it: save it too, or use [Show].
func Hover(figure *figures.Figure, err ...error) {
	Check(errors.Join(err...))
	if gonbui.IsNotebook {
		gonbui.DisplayHTML(Must(inline(figure)))
		flush()
	}
}

// inline is a figure as a part of a page, as wide as it is printed or as the page.
func inline(figure *figures.Figure) (string, error) {
	svg, err := figure.Bytes("svg")
	if err != nil {
		return "", err
	}
	_, svg, _ = bytes.Cut(svg, []byte("<svg "))
	return `<svg style="max-width:100%;height:auto;background:white" ` + string(svg), nil
}

// Figure shows figures and tables of the gallery by their names, such as "fig1" or "paper/table2", one below the other:
// the paper's own numbers, or the runs that data/figures.json names. It ends the cell if one cannot be drawn.
func Figure(names ...string) {
	sources := Must(gallery.Read(Must(inProject("data"))))
	for _, name := range names {
		drawing := Must(sources.Draw(Must(gallery.Find(name)), gallery.Network{}))
		if drawing.LeftOut != "" {
			fmt.Println(drawing.LeftOut)
		}
		if drawing.Markdown != "" {
			Markdown("%s", drawing.Markdown)
			continue
		}
		Show(drawing.Figure)
	}
}

// Save writes a figure into the file [FigurePath](name), or ends the cell.
func Save(figure *figures.Figure, name string) { Check(figures.Save(FigurePath(name), figure)) }

// resolution is the resolution of figures in notebooks, in dots per inch: sharp on most screens, and the notebook's file
// stays small enough.
const resolution = 144

// displayPNG shows a picture of dpi dots per inch at its printed size, in the output with this id, or in a new one if id is
// empty.
func displayPNG(data []byte, id string, dpi int) {
	display := protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMEImagePNG: data}, DisplayID: id}
	if picture, err := png.DecodeConfig(bytes.NewReader(data)); err == nil {
		const screenDPI = 96
		display.Metadata = map[string]any{"image/png": map[string]int{"width": picture.Width * screenDPI / dpi}}
	}
	gonbui.SendData(&display)
	flush()
}

// Markdown shows a text in Markdown, with formulas in LaTeX. Outside of a
// notebook the text is printed as it is.
func Markdown(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	if !gonbui.IsNotebook {
		fmt.Println(text)
		return
	}
	gonbui.DisplayMarkdown(text)
	flush()
}

// inProject makes a path absolute; a relative one starts at the project's folder.
func inProject(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	root, err := project.Root()
	return filepath.Join(root, path), err
}

// flush waits until the notebook has received its output, but not forever: if the
// kernel is gone, no answer comes, and the cell must still end.
func flush() {
	if !gonbui.IsNotebook {
		return
	}
	done := make(chan struct{})
	go func() {
		gonbui.Sync()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second): // longer than a busy machine takes
	}
}

// EndCell ends the cell without an error, where the reason is no failure, such as a training that its reader stopped. Print
// the reason before. It is meant for notebooks with a reader ([HasReader]); elsewhere return an error.
func EndCell() {
	flush()
	os.Exit(0)
}

// Examples returns the first n images of each class with the class as their caption, class by class in alphabetical
// order, for [figures.ImageGrid].
func Examples(images dataset.View, classes []string, n int) []figures.Picture {
	var pictures []figures.Picture
	found := make([]int, len(classes))
	for i := range images.Len() {
		class := images.Label(i)
		if found[class] == n {
			continue
		}
		found[class]++
		pictures = append(pictures, figures.Picture{Format: images.Format(), Pixels: images.Image(i), Caption: classes[class]})
	}
	slices.SortStableFunc(pictures, func(a, b figures.Picture) int { return strings.Compare(a.Caption, b.Caption) })
	return pictures
}
