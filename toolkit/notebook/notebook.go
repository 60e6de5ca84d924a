// Package notebook is what a cell calls: it shows figures, tables, text and
// progress in the cell's output. The same calls work outside of a notebook, where
// progress goes to the terminal or to a log, and figures are left in their files.
//
// Every function waits until the notebook has what it was given (GoNB may
// otherwise lose the end of it when the cell's process ends), so that a cell
// needs nothing at its end. Relative paths start at the project's folder.
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
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/project"
	"stochdepth/toolkit/runs"
)

// Check ends the cell with the sentence of err, and does nothing for nil.
func Check(err error) {
	if err != nil {
		flush()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Must is [Check] for a function that returns a value too.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Context ends when the cell is interrupted. Pass it to training, which then
// saves what it has: GoNB gives a cell five seconds before it ends it.
func Context() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}

// Show shows a figure.
func Show(figure *figures.Figure) error {
	if !gonbui.IsNotebook {
		return nil
	}
	picture, err := figure.Bytes("png")
	if err != nil {
		return err
	}
	displayPNG(picture, "")
	return nil
}

// ShowPNG shows a picture that lies in a file.
func ShowPNG(path string) error {
	path, err := inProject(path)
	if err != nil {
		return err
	}
	picture, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no picture %s: run the cell that draws it first", path)
	case err != nil:
		return err
	}
	if _, err := png.DecodeConfig(bytes.NewReader(picture)); err != nil {
		return fmt.Errorf("%s is not a PNG: %w", path, err)
	}
	if gonbui.IsNotebook {
		displayPNG(picture, "")
	}
	return nil
}

// displayPNG shows a picture in the size that it is printed in, in a new output or
// in the one of that id.
func displayPNG(data []byte, id string) {
	display := protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMEImagePNG: data}, DisplayID: id}
	if picture, err := png.DecodeConfig(bytes.NewReader(data)); err == nil {
		const screenDPI = 96
		display.Metadata = map[string]any{"image/png": map[string]int{"width": picture.Width * screenDPI / figures.DPI}}
	}
	gonbui.SendData(&display)
	flush()
}

// Markdown shows text with Markdown's markup and LaTeX's formulas. Outside of a
// notebook it is printed as it stands.
func Markdown(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	if !gonbui.IsNotebook {
		fmt.Println(text)
		return
	}
	gonbui.DisplayMarkdown(text)
	flush()
}

// Table shows a line a run: what it is, how far it got, its errors in percent.
func Table(list ...*runs.Run) error {
	var table bytes.Buffer
	if err := runs.Table(&table, list, "table"); err != nil {
		return err
	}
	_, err := table.WriteTo(os.Stdout)
	return err
}

// inProject makes a path absolute, a relative one from the project's folder.
func inProject(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	root, err := project.Root()
	return filepath.Join(root, path), err
}

// flush waits until the notebook has what it was given. Should the kernel go away
// meanwhile, its answer never comes: a cell must end all the same.
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
	case <-time.After(5 * time.Second):
	}
}
