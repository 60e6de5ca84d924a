package sweep

import (
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/runs/recipes"
)

// point names a point of the grid, its seed apart: the sweep's folder, data set if it varies, depth, rule and p_L, and
// other keys that vary, as key=value. fig8-left/20-linear-0.5, for example.
func (s *Sweep) point(r recipes.Recipe, values []string) string {
	var parts []string
	if s.Varies("dataset") {
		parts = append(parts, r.Dataset)
	}
	parts = append(parts, strconv.Itoa(r.Depth))
	switch {
	case r.IsConstant():
		parts = append(parts, "constant")
	case r.Rule == "list":
		parts = append(parts, "list")
	default:
		parts = append(parts, r.Rule, formatRate(r.LastSurvival()))
	}
	for i, axis := range s.Axes {
		if isUsual(axis.Key) || r.IsConstant() && slices.Contains(recipes.StochasticKeys, axis.Key) {
			continue
		}
		parts = append(parts, axis.Key+"="+nameOf(values[i]))
	}
	return s.Folder + "/" + strings.Join(parts, "-")
}

// formatRate prints 1 - 0.9 as 0.1, not as 0.09999999999999998.
func formatRate(p float64) string {
	return strconv.FormatFloat(math.Round(p*1e9)/1e9, 'g', -1, 64)
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9.+=_-]+`)

// nameOf makes a value part of a folder's name; a long one becomes a number that stands for it.
func nameOf(value string) string {
	name := notInNames.ReplaceAllString(strings.ReplaceAll(value, ",", "+"), "_")
	if len(name) > 24 || name == "" {
		return shortHash(value)
	}
	return name
}

// shortHash is a number of eight digits that stands for a text.
func shortHash(text string) string {
	hash := fnv.New32a()
	hash.Write([]byte(text))
	return fmt.Sprintf("%08x", hash.Sum32())
}
