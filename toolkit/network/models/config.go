package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// Config is what a config.json beside a network's file says of it, in timm's format. What it does not say is zero.
type Config struct {
	Architecture string
	Classes      int
	InputSize    int       // side of the images that the network gets
	CropShare    float64   // that side divided by the one of the images from which it is cut out
	Mean, Std    []float64 // of pixels from 0 to 1
}

// ReadConfig reads the config.json beside a network's file; without one all of the Config is zero. One that is no such file,
// or has numbers that no network has, is an error.
func ReadConfig(path string) (c Config, err error) {
	beside := filepath.Join(filepath.Dir(path), "config.json")
	data, err := files.ReadText(beside, files.LargestText)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("cannot read the description of the network: %w", err)
	}
	type about struct {
		Architecture string    `json:"architecture"`
		Classes      int       `json:"num_classes"`
		InputSize    []int     `json:"input_size"` // channels, height, width
		CropShare    float64   `json:"crop_pct"`
		Mean         []float64 `json:"mean"`
		Std          []float64 `json:"std"`
	}
	var file struct {
		about
		Pretrained about `json:"pretrained_cfg"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return c, fmt.Errorf("%s beside the network: %w; correct it, or move it away and give --mean and --std", beside, say.JSONError(err))
	}
	a := file.Pretrained
	if a.InputSize == nil && a.Mean == nil {
		a = file.about
	}
	c = Config{Architecture: file.Architecture, Classes: file.Classes, CropShare: a.CropShare, Mean: a.Mean, Std: a.Std}
	wrong := ""
	if a.InputSize != nil {
		if len(a.InputSize) != 3 || a.InputSize[0] != 3 || a.InputSize[1] != a.InputSize[2] || a.InputSize[1] < recipes.MinImageSize {
			wrong = fmt.Sprintf("input_size %v", a.InputSize)
		} else {
			c.InputSize = a.InputSize[1]
		}
	}
	if (c.Mean == nil) != (c.Std == nil) || c.Mean != nil && CheckNormalization(c.Mean, c.Std) != nil {
		wrong = fmt.Sprintf("mean %v and std %v", c.Mean, c.Std)
	}
	if c.CropShare != 0 && !(c.CropShare > 0 && c.CropShare <= 1) {
		wrong = fmt.Sprintf("crop_pct %v", c.CropShare)
	}
	if wrong != "" {
		return Config{}, fmt.Errorf("%s beside the network has %s, which fits no network of square images of three colours: "+
			"correct it, or move it away and give --mean and --std", beside, wrong)
	}
	return c, nil
}

// CheckNormalization is an error unless there are a mean and a deviation for each of three colours, of pixels from 0 to 1.
func CheckNormalization(mean, deviation []float64) error {
	if len(mean) != 3 || len(deviation) != 3 {
		return fmt.Errorf("mean %v and std %v must have a number for each of red, green and blue", mean, deviation)
	}
	outside := func(least float64) func(float64) bool {
		return func(x float64) bool { return math.IsNaN(x) || x < least || x > 1 }
	}
	if slices.ContainsFunc(mean, outside(0)) || slices.ContainsFunc(deviation, outside(1e-3)) {
		return fmt.Errorf("mean %v and std %v must be of pixels from 0 to 1, such as 0.485,0.456,0.406 and 0.229,0.224,0.225", mean, deviation)
	}
	return nil
}

// Sizes sets the sides of the images that a large network gets, if the recipe has none and its data set allows it: those of
// the description (or 224 pixels, cut out of 256) for pictures, 64 for shapes.
func (c Config) Sizes(r *recipes.Recipe) {
	switch {
	case r.ImageSize != 0:
	case r.Dataset == "shapes":
		r.ImageSize = 64
	case dataset.IsFolder(r.Dataset):
		side, share := c.InputSize, c.CropShare
		if side == 0 {
			side = 224
		}
		if share == 0 {
			share = 0.875
		}
		side = min(side, recipes.MaxImageSize)
		r.ImageSize, r.ResizeSize = side, min(int(math.Floor(float64(side)/share)), recipes.MaxResizeSize)
	}
}
