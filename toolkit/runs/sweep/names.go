package sweep

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stochdepth/toolkit/runs/recipes"
)

// point names a point of the grid without its seed: the sweep's folder, data set if it varies, depth, rule and p_L, and
// other keys that vary, as key=value. An example is fig8-left/20-linear-0.5.
func (s *Sweep) point(r recipes.Recipe, values []string) string {
	var parts []string
	if s.Varies("dataset") {
		parts = append(parts, r.Dataset)
	}
	parts = append(parts, strconv.Itoa(r.Depth), r.DepthName())
	for i, axis := range s.Axes {
		if isUsual(axis.Key) || r.IsConstant() && slices.Contains(recipes.StochasticKeys, axis.Key) {
			continue
		}
		parts = append(parts, axis.Key+"="+nameOf(values[i]))
	}
	return s.Folder + "/" + strings.Join(parts, "-")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9.+=_-]+`)

// nameOf makes a value a part of a folder's name; a long value becomes its hash.
func nameOf(value string) string {
	name := notInNames.ReplaceAllString(strings.ReplaceAll(value, ",", "+"), "_")
	if len(name) > 24 || name == "" {
		return shortHash(value)
	}
	return name
}

// shortHash is a hash of a text, in eight digits.
func shortHash(text string) string {
	hash := fnv.New32a()
	hash.Write([]byte(text))
	return fmt.Sprintf("%08x", hash.Sum32())
}
