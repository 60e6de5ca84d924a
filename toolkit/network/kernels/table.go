package kernels

import (
	_ "embed"
	"strings"
)

// The C code computes what package byhand wrote when the table was made. XLA computes a body with any other text, so an
// edit of that package always takes effect. The test of the bodies then fails; once the C code computes the same again, it
// writes the new table:
//
//	go test ./toolkit/network/survivors -run Bodies -update
//
//go:embed bodies.txt
var table string

// Bodies returns the bodies of loops that the C code computes: what each computes, by the digest that package proxy makes
// of its text.
func Bodies() map[string]string {
	digests := make(map[string]string)
	for line := range strings.Lines(table) {
		if digest, what, ok := strings.Cut(strings.TrimSpace(line), " "); ok && digest != "#" {
			digests[digest] = what
		}
	}
	return digests
}

// MostChannels is MOST_CHANNELS of block.h.
const MostChannels = 1024

// Tiled reports whether image.h has tiles for outputs of this size.
func Tiled(height, width, channels int) bool {
	return channels%16 == 0 && (width%16 == 0 || width%8 == 0 && height%2 == 0)
}
