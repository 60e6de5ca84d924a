package kernels

import (
	"errors"
	"strings"
)

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
