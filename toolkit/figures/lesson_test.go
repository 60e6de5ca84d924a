package figures_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/figures"
)

// The page holds the numbers and the pictures themselves, escaped where they could end its script, and names no other place to
// load from.
func TestLesson(t *testing.T) {
	red := figures.Picture{Format: dataset.Format{Height: 1, Width: 2, Channels: 3}, Pixels: []byte{255, 0, 0, 0, 0, 255}}
	page := figures.Lesson{Title: "Depth & width", Text: "p_L < 1", Blocks: 2, Classes: []string{"cat", "</script>"}, Pictures: []figures.Picture{red},
		Labels: []int{1}, States: []figures.LessonState{
			{Kept: []int{1, 2}, Error: 12.5, MultiplyAdds: 100, Probabilities: [][]float64{{0.25, 0.75}}},
			{Kept: []int{1}, Error: 40, MultiplyAdds: math.NaN(), Probabilities: [][]float64{{0.7, 0.3}}}}}
	path := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, page.Write(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "<title>Depth &amp; width</title>")
	require.Contains(t, string(text), "<p><i>p<sub>L</sub></i> &lt; 1</p>")
	require.Equal(t, 1, strings.Count(string(text), "</script>"))
	require.Equal(t, strings.Count(string(text), "http"), strings.Count(string(text), "http://www.w3.org/2000/svg"))
	_, after, found := strings.Cut(string(text), "const lesson = ")
	require.True(t, found)
	line, _, _ := strings.Cut(after, ";\n")
	var data struct {
		Blocks  int
		Classes []string
		States  []struct {
			Kept          []int
			Error, Work   float64
			Probabilities [][]float64
		}
		Images []struct {
			PNG   string
			Label int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(line), &data))
	require.Equal(t, page.Classes, data.Classes)
	require.Equal(t, []int{1}, data.States[1].Kept)
	require.Equal(t, [2]float64{40, 0}, [2]float64{data.States[1].Error, data.States[1].Work})
	require.Equal(t, [][]float64{{0.25, 0.75}}, data.States[0].Probabilities)
	require.Equal(t, 1, data.Images[0].Label)
	bytesOf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(data.Images[0].PNG, "data:image/png;base64,"))
	require.NoError(t, err)
	drawn, err := png.Decode(bytes.NewReader(bytesOf))
	require.NoError(t, err)
	r, _, b, _ := drawn.At(1, 0).RGBA()
	require.Equal(t, [2]uint32{0, 0xffff}, [2]uint32{r, b})

	page.States[1].Probabilities = nil
	require.EqualError(t, page.Write(path), "the lesson has 1 pictures, but probabilities of 0")
	page.Labels = nil
	require.ErrorContains(t, page.Write(path), "some pictures with their labels")
}
