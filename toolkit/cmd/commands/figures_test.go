package commands

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
)

// The flags of a figure's style arrive in the file.
func TestFiguresForAPaperAndForASlide(t *testing.T) {
	folder := t.TempDir()
	column := filepath.Join(folder, "column.svg")
	out, err := call(t, "figures", "paper/fig3", "--width", "8cm", "--no-title", "--no-caption", "--out", column)
	require.NoError(t, err)
	require.Equal(t, column+"\n", out)
	svg, err := os.ReadFile(column)
	require.NoError(t, err)
	require.Contains(t, string(svg), `<svg width="226.77`) // 8 cm in points
	require.Contains(t, string(svg), ">CIFAR-10+, 110 layers</text>")
	require.NotContains(t, string(svg), "Huang et al. 2016")
	require.NotContains(t, string(svg), "read off")

	slide := filepath.Join(folder, "slide.png")
	_, err = call(t, "figures", "paper/fig5", "--theme", "dark", "--width", "10in", "--out", slide)
	require.NoError(t, err)
	data, err := os.ReadFile(slide)
	require.NoError(t, err)
	picture, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, 10*figures.DPI, picture.Bounds().Dx())
	ground := color.GrayModel.Convert(picture.At(5, 5)).(color.Gray)
	require.Less(t, int(ground.Y), 40)

	// Without names all figures are drawn in the style, without the gallery's page.
	slides := filepath.Join(folder, "slides")
	out, err = call(t, "figures", "--theme", "dark", "--format", "svg", "--out", slides)
	require.NoError(t, err)
	require.Greater(t, strings.Count(out, ".svg\n"), 20)
	require.FileExists(t, filepath.Join(slides, "paper", "fig2.svg"))
	require.NoFileExists(t, filepath.Join(slides, "README.md"))
}
