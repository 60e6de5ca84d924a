package kernels

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
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

// Summed reports whether columns.c sums over the columns of a matrix of this size.
func Summed(rows, columns int) bool { return rows%16 == 0 && columns%16 == 0 }

// Environment is the variable that chooses, see [Choice].
const Environment = "STOCHDEPTH_KERNELS"

// Choice returns what the environment asks for: "on", the default; "off", which leaves everything to XLA; or "avx2", which
// does without AVX-512 and AMX. Other usual words for on and off mean the same (true, 1, yes; false, 0, no), in upper or lower
// case. Any other value is an error.
func Choice() (string, error) {
	value := os.Getenv(Environment)
	switch choice := strings.ToLower(strings.TrimSpace(value)); choice {
	case "", "on", "true", "1", "yes":
		return "on", nil
	case "off", "false", "0", "no":
		return "off", nil
	case "avx2":
		return choice, nil
	}
	return "", fmt.Errorf("%s is %q, which is not allowed: set it to on, off or avx2, or unset it", Environment, value)
}

// Explain returns the sentence of the kernel that failed in an execution, without what XLA and GoMLX say before it. Other
// errors it returns as they are.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	_, sentence, found := strings.Cut(err.Error(), "stochdepth: ") // as the messages of calls.c begin
	if !found {
		return err
	}
	return errors.New(sentence)
}
