package say

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// JSONError says in the user's words what is wrong with a JSON file.
func JSONError(err error) error {
	var typeError *json.UnmarshalTypeError
	var syntaxError *json.SyntaxError
	switch {
	case errors.As(err, &typeError) && typeError.Field == "":
		return fmt.Errorf("must be a JSON object, not a %s", typeError.Value)
	case errors.As(err, &typeError) && IsWhole(strings.TrimPrefix(typeError.Value, "number ")):
		return TooLarge(typeError.Field, strings.TrimPrefix(typeError.Value, "number "))
	case errors.As(err, &typeError):
		return fmt.Errorf("%s must be %s, not a %s", typeError.Field, KindName(typeError.Type), typeError.Value)
	case errors.As(err, &syntaxError):
		return fmt.Errorf("not valid JSON at byte %d: %w", syntaxError.Offset, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends too early: the file is empty or cut off")
	}
	return err
}

// KindName is the user's name for a type of values.
func KindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Int {
			return "a list of whole numbers"
		}
		return "a list of numbers"
	}
	return "a text"
}

// IsWhole reports whether text is a whole number, however large.
func IsWhole(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return digits != "" && len(text)-len(digits) <= 1 && strings.Trim(digits, "0123456789") == ""
}

// TooLarge is the error for a whole number that does not fit into 64 bits.
func TooLarge(key, value string) error {
	if len(value) > 40 {
		value = value[:40] + "..."
	}
	return fmt.Errorf("%s %s is out of range: whole numbers have up to 64 bits here", key, value)
}
