package published_test

import (
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/outcome/published"
)

const file = "../../../data/published.json"

func read(t *testing.T) *published.Paper {
	t.Helper()
	paper, err := published.Read(file)
	require.NoError(t, err)
	return paper
}

// readingError is how far two readings of a drawing may be from what is printed, in percentage points.
const readingError = 0.015

// Where tables, figures and text repeat a number they must agree, to the precision of a reading where one is read
// off a drawing; where they do not, the contradiction must be on record with just these values, and no others.
func TestRepeatedNumbersAgreeOrAreOnRecord(t *testing.T) {
	paper := read(t)
	values, sources := map[published.Key][]float64{}, map[published.Key][]string{}
	repeated := 0
	for _, n := range paper.Numbers {
		k := n.Key
		if k.Quantity == published.ValidationError && k.Epoch == 120 {
			k.Epoch = 0 // Table 1 has the errors of the last epoch
		}
		known := slices.ContainsFunc(values[k], func(x float64) bool {
			return x == n.Value || n.ReadOff && math.Abs(x-n.Value) <= readingError
		})
		if !known {
			values[k] = append(values[k], n.Value)
		}
		if sources[k] = append(sources[k], n.Source); len(sources[k]) == 2 {
			repeated++
		}
	}
	require.GreaterOrEqual(t, repeated, 18)
	recorded := map[published.Key][]float64{}
	for _, c := range paper.Contradictions {
		require.NotEmpty(t, c.Note, c.About)
		if len(c.Values) > 0 {
			require.ElementsMatch(t, c.Values, values[published.Key{Quantity: c.Quantity, Dataset: c.Dataset, Method: published.Network,
				Layers: c.Layers, Rule: c.Rule, Survival: c.Survival}], c.About)
			require.Contains(t, c.Values, c.Quote, c.About)
			k := c.Key
			k.Method = published.Network
			recorded[k] = c.Values
		}
	}
	for k, list := range values {
		if len(list) > 1 {
			require.ElementsMatch(t, list, recorded[k], "%+v in %v", k, sources[k])
		}
	}
}

// A curve passes through the circle drawn on it: the printed error, at the epoch read off.
func TestCurvesPassThroughTheirCircles(t *testing.T) {
	paper := read(t)
	circles := paper.Find("Fig.", published.Key{Quantity: published.SelectedEpoch})
	require.Len(t, circles, 8)
	for _, circle := range circles {
		k := circle.Key
		k.Quantity = published.TestError
		curve, err := paper.Curve(circle.Source, k)
		require.NoError(t, err)
		printed, err := paper.Number(circle.Source, k)
		require.NoError(t, err)
		nearest := math.Inf(1)
		for _, p := range curve.Points {
			if math.Abs(p[0]-circle.Value) <= 1 {
				nearest = min(nearest, math.Abs(p[1]-printed.Value))
			}
		}
		require.LessOrEqual(t, nearest, readingError, "%s, p_L = %g", circle.Source, k.Survival)
	}
}

// The curves of Fig. 6 have no circles, but the text prints their errors at two epochs.
func TestCurvesOfImageNetPassThroughThePrintedErrors(t *testing.T) {
	paper := read(t)
	printed := paper.Find("text", published.Key{Quantity: published.ValidationError, Dataset: "ImageNet"})
	require.Len(t, printed, 4)
	for _, n := range printed {
		k := n.Key
		k.Epoch = 0
		curve, err := paper.Curve("Fig. 6", k)
		require.NoError(t, err)
		i := slices.IndexFunc(curve.Points, func(p [2]float64) bool { return p[0] == n.Epoch })
		require.GreaterOrEqual(t, i, 0)
		require.InDelta(t, n.Value, curve.Points[i][1], 0.021, "epoch %g, p_L = %g", n.Epoch, n.Survival)
	}
}

// The contradictions that are not between two numbers of one thing.
func TestClaimsThatTheDrawingsContradict(t *testing.T) {
	paper := read(t)
	number := func(source string, k published.Key) float64 {
		n, err := paper.Number(source, k)
		require.NoError(t, err)
		return n.Value
	}
	// "Linear decay is consistently better": not at 0.8.
	var better []float64
	for _, n := range paper.Find("Fig. 8 left", published.Key{Quantity: published.TestError, Rule: "uniform"}) {
		if n.Value < number("Fig. 8 left", published.Key{Quantity: published.TestError, Rule: "linear", Survival: n.Survival}) {
			better = append(better, n.Survival)
		}
	}
	require.Equal(t, []float64{0.8}, better)
	// "25 % of the training time" are saved: Table 2 has more, but on SVHN.
	saved := func(dataset string) float64 {
		time := func(survival float64) float64 {
			return number("Table 2", published.Key{Dataset: dataset, Survival: survival})
		}
		return 1 - time(0.5)/time(1)
	}
	require.InDelta(t, 0.270, saved("CIFAR-10+"), 0.0005)
	require.InDelta(t, 0.265, saved("CIFAR-100+"), 0.0005)
	require.InDelta(t, 0.242, saved("SVHN"), 0.0005)
	// "Divided after epoch 30": the error has fallen before.
	for _, survival := range []float64{0.5, 1} {
		curve, err := paper.Curve("Fig. 4 left", published.Key{Quantity: published.TestError, Survival: survival})
		require.NoError(t, err)
		for _, p := range curve.Points {
			if p[0] > 29.5 && p[0] < 30 {
				require.Less(t, p[1], 2.3)
			}
		}
	}
}

// sources are the parts of the paper itself.
var sources = regexp.MustCompile(`^(Table [12]|Fig\. \d( left| right)?|text of Section \d|abstract, tables and text)$`)

// The errors without augmentation are in the paper's text, and again in a later paper of the same first author.
func TestErrorsWithoutAugmentation(t *testing.T) {
	paper := read(t)
	require.Contains(t, paper.References["Huang et al. 2017, Table 2"], "arXiv 1608.06993")
	for dataset, want := range map[string][2]float64{"CIFAR-10": {13.63, 11.66}, "CIFAR-100": {44.74, 37.80}} {
		for i, survival := range []float64{1, 0.5} {
			for _, source := range []string{"text", "Huang et al. 2017"} {
				n, err := paper.Number(source, published.Key{Quantity: published.TestError, Dataset: dataset, Layers: 110,
					Survival: survival})
				require.NoError(t, err)
				require.Equal(t, want[i], n.Value)
			}
		}
	}
}

func TestTheFileIsWhole(t *testing.T) {
	paper := read(t)
	require.Len(t, paper.Find("Table 1", published.Key{}), 32, "cells of Table 1 that are not empty")
	require.Len(t, paper.Find("Table 2", published.Key{}), 6)
	require.Len(t, paper.Find("Fig. 8 right", published.Key{}), 36)
	require.Len(t, paper.Find("Fig. 8 left", published.Key{Quantity: published.TestError, Rule: "linear"}), 9)
	require.Len(t, paper.Curves, 20)
	for _, n := range paper.Numbers {
		_, elsewhere := paper.References[n.Source]
		require.True(t, elsewhere || sources.MatchString(n.Source), "%q is no part of the paper, nor a reference", n.Source)
		require.Contains(t, paper.Units, n.Quantity)
		require.Greater(t, n.Value, 0.0)
		require.False(t, n.ReadOff && n.Quantity == published.TestError && n.Source != "Fig. 8 left", "printed errors are not readings")
	}
	for _, c := range paper.Curves {
		require.True(t, c.ReadOff)
		require.Greater(t, len(c.Points), 110)
		require.True(t, slices.IsSortedFunc(c.Points, func(a, b [2]float64) int { return int(math.Copysign(1, a[0]-b[0])) }))
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "published.json")
	_, err := published.Read(path)
	require.EqualError(t, err, "the paper's numbers are missing: restore "+path)
	require.NoError(t, os.WriteFile(path, []byte(`{"numbers": [{"valu": 1}]}`), 0o644))
	_, err = published.Read(path)
	require.ErrorContains(t, err, "are damaged")
}

func ExamplePaper_Find() {
	paper, err := published.Read(file)
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range paper.Find("", published.Key{Quantity: published.TestError, Dataset: "CIFAR-100+", Layers: 110, Survival: 1}) {
		fmt.Printf("%s: %.2f %%\n", n.Source, n.Value)
	}
	// Output:
	// Table 1: 27.76 %
	// text of Section 4: 27.22 %
	// Fig. 3 right: 27.88 %
}
