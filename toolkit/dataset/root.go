package dataset

import (
	"os"
	"path/filepath"

	"stochdepth/toolkit/internal/project"
)

// DefaultRoot returns the folder for data that git ignores: <project>/data/cache, or data/cache in the working directory
// outside of the project.
func DefaultRoot() string {
	root, err := project.Root()
	if err != nil {
		root = "."
	}
	return filepath.Join(root, "data", "cache")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
