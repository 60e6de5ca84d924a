package kernels

import (
	"fmt"
	"os"
	"strings"
)

// Environment is the variable that chooses, see [Choice].
const Environment = "STOCHDEPTH_KERNELS"

// Choice is what the environment asks for: "on", which is meant where it says nothing; "off", which leaves everything to
// XLA; or "avx2", which does without AVX-512. The usual words for on and off do too (true, 1, yes; false, 0,
// no), in any case; another value is an error.
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
	return "", fmt.Errorf("%s is %q, which it cannot be: set it to on, off or avx2, or unset it", Environment, value)
}
