package figures

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"stochdepth/toolkit/runs"
)

func labels(ticks []plot.Tick) []string {
	var list []string
	for _, t := range ticks {
		list = append(list, t.Label)
	}
	return list
}

func TestTicks(t *testing.T) {
	require.Equal(t, []string{"0", "10", "20", "30"}, labels(niceTicks{}.Ticks(0, 34)))
	require.Equal(t, []string{"−0.2", "0", "0.2", "0.4"}, labels(niceTicks{}.Ticks(-0.3, 0.4)))
	require.Equal(t, []string{"0", "1"}, labels(niceTicks{whole: true}.Ticks(0, 1)))
	require.Equal(t, []string{"0.001", "0.01", "0.1", "1"}, labels(logTicks{}.Ticks(0.0005, 3)))
	require.Equal(t, []string{"0.1", "0.2", "0.5", "1", "2"}, labels(logTicks{}.Ticks(0.1, 3)))
	require.Equal(t, []string{"1", "1.2", "1.4", "1.6", "1.8", "2"}, labels(logTicks{}.Ticks(1, 2)))
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{
		41.23: "41.2 s", 59.96: "1 min 0 s", 200: "3 min 20 s", 3599.6: "1 h 0 min", 54420: "15 h 7 min",
	} {
		require.Equal(t, want, duration(seconds))
	}
}

func TestSpreadTags(t *testing.T) {
	for name, test := range map[string]struct{ y, want []vg.Length }{
		"far apart stay": {[]vg.Length{10, 50}, []vg.Length{10, 50}},
		"near are moved": {[]vg.Length{10, 12, 13}, []vg.Length{10, 20, 30}},
		"at the foot":    {[]vg.Length{-5, 0}, []vg.Length{0, 10}},
		"at the head":    {[]vg.Length{99, 105}, []vg.Length{90, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			tags := make([]tag, len(test.y))
			for i, y := range test.y {
				tags[i].y = y
			}
			spreadTags(tags, 10, 0, 100)
			for i, want := range test.want {
				require.Equal(t, want, tags[i].y)
			}
		})
	}
}

// The headline is computed, and must not flatter.
func TestHeadline(t *testing.T) {
	for name, test := range map[string]struct {
		errors, seconds [2]float64
		images          int
		machine         string // of the constant run; the other has none
		want            string
	}{
		"the paper's numbers": {[2]float64{6.41, 5.25}, [2]float64{74520, 54420}, 0, "", "Stochastic depth: test error 5.25 % instead of 6.41 %, in 27 % less training time"},
		"worse and slower":    {[2]float64{6, 7.06}, [2]float64{100, 110}, 500, "", "Stochastic depth: test error 7.1 % instead of 6.0 %, in 10 % more training time"},
		"equal":               {[2]float64{6, 6.001}, [2]float64{100, 100.1}, 0, "", "Stochastic depth: the same test error, 6.00 %, in the same training time"},
		"no times":            {[2]float64{6, 5}, [2]float64{0, 0}, 0, "", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
		"two machines":        {[2]float64{6, 5}, [2]float64{100, 50}, 0, "another", "Stochastic depth: test error 5.00 % instead of 6.00 %"},
	} {
		t.Run(name, func(t *testing.T) {
			q := comparison{shown: testError, seconds: test.seconds}
			for i := range q.runs {
				q.runs[i] = &runs.Run{Recipe: runs.Recipe{TestImages: test.images}, Result: &runs.Result{}}
				q.best[i].TestError = test.errors[i]
			}
			q.runs[0].Result.Machine = test.machine
			require.Equal(t, test.want, q.headline())
		})
	}
}
