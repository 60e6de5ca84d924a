package recipes

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/say"
)

// Keys lists the keys of a recipe in the order of its fields.
func Keys() []string {
	t := reflect.TypeFor[Recipe]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return keys
}

// Set gives one key of the recipe a new value, both as text: Set("death_rate", "0.5"), Set("milestones", "0.5,0.75").
// Dashes may stand for underscores, so that command line flags can be passed on. An unknown key is refused, and the
// nearest known ones are named; Validate checks the recipe as a whole.
func (r *Recipe) Set(key, value string) error {
	key = strings.ReplaceAll(strings.TrimSpace(key), "-", "_")
	for i, name := range Keys() {
		if name == key {
			return setField(reflect.ValueOf(r).Elem().Field(i), key, strings.TrimSpace(value))
		}
	}
	return unknownKey(key)
}

func setField(field reflect.Value, key, value string) error {
	refuse := func() error { return fmt.Errorf("%s must be %s, not %q", key, say.KindName(field.Type()), value) }
	switch field.Kind() {
	case reflect.String:
		field.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return refuse()
		}
		field.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil && say.IsWhole(value) || field.OverflowInt(n) {
			return say.TooLarge(key, value)
		}
		if err != nil {
			return refuse()
		}
		field.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return refuse()
		}
		field.SetFloat(x)
	case reflect.Slice: // of float64
		list := []float64{}
		for _, part := range strings.FieldsFunc(strings.Trim(value, "[]"), func(c rune) bool { return c == ',' || c == ' ' }) {
			x, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return refuse()
			}
			list = append(list, x)
		}
		field.Set(reflect.ValueOf(list))
	}
	return nil
}

// Get returns the value of one key as text, "" for an unknown key.
func (r Recipe) Get(key string) string {
	for i, name := range Keys() {
		if name == key {
			return fmt.Sprint(reflect.ValueOf(r).Field(i))
		}
	}
	return ""
}

// Differences names the keys in which two recipes differ, with both values ("depth: 110, 20"). Descriptions define
// nothing and are not compared.
func Differences(a, b Recipe) []string {
	var list []string
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i, key := range Keys() {
		// Printed, an empty list and an absent one are the same, and floats read back exactly.
		x, y := fmt.Sprint(va.Field(i)), fmt.Sprint(vb.Field(i))
		if key != "description" && x != y {
			list = append(list, fmt.Sprintf("%s: %s, %s", key, x, y))
		}
	}
	return list
}

func unknownKey(key string) error {
	if near := say.DidYouMean(key, Keys()); near != "" {
		return fmt.Errorf("unknown key %q%s", key, near)
	}
	return fmt.Errorf("unknown key %q: the keys are %s", key, strings.Join(Keys(), ", "))
}
