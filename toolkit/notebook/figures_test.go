package notebook

import (
	"encoding/base64"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures/gallery"
	"stochdepth/toolkit/internal/project"
)

// What a cell shows by Figure is what the gallery draws today, byte for byte: else the figure's runs or its drawing have changed
// since the notebook was executed, and the text beside it may speak of another picture.
func TestNotebooksShowTheFiguresOfToday(t *testing.T) {
	root, err := project.Root()
	require.NoError(t, err)
	sources, err := gallery.Read(filepath.Join(root, "data"))
	require.NoError(t, err)
	drawn := map[string]string{} // a picture's file, or a table's Markdown
	draw := func(name string) string {
		if drawn[name] == "" {
			entry, err := gallery.Find(name)
			require.NoError(t, err)
			drawing, err := sources.Draw(entry, gallery.Network{})
			require.NoError(t, err)
			if drawn[name] = strings.TrimSpace(drawing.Markdown); drawn[name] == "" {
				picture, err := drawing.Figure.PNG(resolution)
				require.NoError(t, err)
				drawn[name] = string(picture)
			}
		}
		return drawn[name]
	}
	call, word := regexp.MustCompile(`notebook\.Figure\(([^)]*)\)`), regexp.MustCompile(`"([^"]+)"`)
	for _, file := range slices.Concat(books(t, "notebooks"), books(t, solutions)) {
		for i, cell := range read(t, filepath.Join(root, file)).Cells {
			if cell.Type != "code" {
				continue
			}
			shown := cell.shown(t)
			for _, m := range call.FindAllStringSubmatch(string(cell.Source), -1) {
				for _, name := range word.FindAllStringSubmatch(m[1], -1) {
					require.NotEmpty(t, shown, "%s, cell %d, does not show %s", file, i, name[1])
					// Not require.Equal, which would print the pictures. Figure comes first in its cell.
					require.True(t, draw(name[1]) == shown[0], "%s, cell %d, shows %s as it was: make notebooks NOTEBOOKS=%s, and read what "+
						"the text says of it", file, i, name[1], file)
					shown = shown[1:]
				}
			}
		}
	}
	require.Greater(t, len(drawn), 20)
}

// shown lists the pictures and tables of a cell's outputs in order.
func (c cell) shown(t *testing.T) (list []string) {
	for _, output := range c.Outputs {
		if picture, ok := output.Data["image/png"]; ok {
			file, err := base64.StdEncoding.DecodeString(string(picture))
			require.NoError(t, err)
			list = append(list, string(file))
		} else if table, ok := output.Data["text/markdown"]; ok {
			list = append(list, strings.TrimSpace(string(table)))
		}
	}
	return list
}
