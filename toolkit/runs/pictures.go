package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
)

// Pictures returns what the run's folder of pictures held when it began, or nil if the run does not say so.
func (r *Run) Pictures() (*dataset.Contents, error) {
	return readPictures(filepath.Join(r.Dir, picturesFile))
}

func readPictures(path string) (*dataset.Contents, error) {
	data, err := files.ReadText(path, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	var contents dataset.Contents
	if err := json.Unmarshal(data, &contents); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore it from a copy, or train again under another run name",
			path, say.JSONError(err))
	}
	return &contents, nil
}

// KeepPictures notes what the run's folder of pictures holds, in a run that has not begun. One that has goes on with the same
// pictures only: with others, images that it is tested on could be those that it was trained on. nil is for other data sets.
func (w *Writer) KeepPictures(now *dataset.Contents) error {
	if now == nil {
		return nil
	}
	path := w.path(picturesFile)
	_, err := os.Stat(w.CheckpointDir())
	if len(w.rows) == 0 && errors.Is(err, fs.ErrNotExist) {
		data, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		return files.WriteError(path, files.Write(path, append(data, '\n')))
	}
	before, err := readPictures(path)
	if err != nil {
		return err
	}
	if before == nil {
		return fmt.Errorf("the run %s does not say which pictures it was trained on: restore %s from a copy, "+
			"or choose another run name", w.dir, path)
	}
	if change := before.OtherClasses(now); change != "" {
		return fmt.Errorf("the run %s was trained on other classes: %s; name the folder of its pictures by --data-root, "+
			"or choose another run name", w.dir, change)
	}
	if change := before.OtherPictures(now); change != "" {
		return fmt.Errorf("the folder of pictures has changed since the run %s began: %s; put it back as it was, "+
			"or choose another run name", w.dir, change)
	}
	return nil
}
