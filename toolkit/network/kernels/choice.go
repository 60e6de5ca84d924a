package kernels

import (
	"fmt"
	"os"
	"strings"
)

// Environment is the variable that chooses, see [Choice].
const Environment = "STOCHDEPTH_KERNELS"

// Choice returns what the environment asks for: "on", the default; "off", which leaves everything to XLA; or "avx2", which
// does without AVX-512. Other usual words for on and off mean the same (true, 1, yes; false, 0, no), in upper or lower
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
