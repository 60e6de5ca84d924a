package notebook

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
)

func TestControls(t *testing.T) {
	slider, list, box := Slider("p_L", 0.1, 1, 0.05, 0.5), DropDown("rule", "linear", "uniform"), CheckBox("5", true)
	require.Equal(t, 0.5, slider.Number())
	require.Equal(t, "linear", list.Text())
	require.True(t, box.On())
	require.Equal(t, `<label><input type="checkbox" data-control="2" checked> 5</label>`, box.html("2"))
	for _, c := range []struct {
		control     *Control
		value, want string
	}{
		{slider, "0.35", "0.35"}, {slider, "2", "0.35"}, {slider, "x", "0.35"}, {slider, "1", "1"},
		{list, "uniform", "uniform"}, {list, "list", "uniform"},
		{box, "false", "false"}, {box, "on", "false"},
	} {
		c.control.set(c.value)
		require.Equal(t, c.want, c.control.Text(), "after %q", c.value)
	}
	require.False(t, box.On())
	require.Equal(t, `<label><input type="checkbox" data-control="2"> 5</label>`, box.html("2"))
	require.Contains(t, slider.html("0"), `data-control="0" min="0.1" max="1" step="0.05" value="1"`)
	require.Contains(t, DropDown("<b>", "a<c").html("1"),
		`<label>&lt;b&gt; <select data-control="1"><option>a&lt;c</option></select>`)
}

// Where nobody can move anything the figure is drawn at most once, and the cell goes on.
func TestInteractWithoutReader(t *testing.T) {
	drawn := 0
	require.NoError(t, Interact(func() (*figures.Figure, error) {
		drawn++
		return figures.LiveCurve(&runs.Run{Name: "x"})
	}, Slider("p_L", 0, 1, 0.1, 0.5)))
	require.LessOrEqual(t, drawn, 1)
	ctx, remove := StopButton(context.Background(), "Stop")
	require.NoError(t, ctx.Err())
	remove()
	require.Error(t, ctx.Err())
}

func TestTables(t *testing.T) {
	lines := tableText([]string{"depth", "error"}, [][]any{{110, 40.25000000000002}, {20, "–"}})
	require.Equal(t, "| depth | error |\n| --- | --- |\n| 110 | 40.25 |\n| 20 | – |\n", say.MarkdownTable(lines))
	require.Equal(t, "depth  error\n110    40.25\n20     –\n", say.Aligned(lines, nil))
}

func TestPresetTakesSettings(t *testing.T) {
	t.Setenv(EnvTiny, "")
	recipe, err := Preset("shapes", "depth=14", "death_rate=0.5")
	require.NoError(t, err)
	require.Equal(t, 14, recipe.Depth)
	require.Equal(t, 0.5, recipe.DeathRate)
	_, err = Preset("shapes", "deptt=14")
	require.ErrorContains(t, err, "depth")
}
