package dataset

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
)

// Contents says what the parts of a folder of pictures held when they were loaded, after the split. A run and a network's file
// remember it, since a folder can change.
type Contents struct {
	Classes    []string     `json:"classes"` // as they are shown
	Training   PartContents `json:"training"`
	Validation PartContents `json:"validation"`
	Test       PartContents `json:"test"`
}

// PartContents describes the pictures of a part.
type PartContents struct {
	Images int    `json:"images"`
	Digest string `json:"digest"` // of the names, sizes and classes of the files, sorted
}

// contents describes a folder's pictures.
func (d *Data) contents() *Contents {
	c := &Contents{Training: d.Train.contents(), Validation: d.Validation.contents(), Test: d.Test.contents()}
	for _, class := range d.Classes {
		c.Classes = append(c.Classes, say.Shown(class))
	}
	return c
}

func (v View) contents() PartContents {
	lines := make([]string, v.Len())
	for i := range lines {
		part, at := v.locate(i)
		lines[i] = fmt.Sprintf("%q %d %d\n", part.Files[at], part.sizes[at], part.Labels[at])
	}
	slices.Sort(lines)
	hash := sha256.New()
	for _, line := range lines {
		hash.Write([]byte(line))
	}
	return PartContents{v.Len(), fmt.Sprintf("%x", hash.Sum(nil)[:16])}
}

// OtherClasses says which classes c had and now has, in a clause, or "" if they are the same.
func (c *Contents) OtherClasses(now *Contents) string {
	if slices.Equal(c.Classes, now.Classes) {
		return ""
	}
	gone, added := without(c.Classes, now.Classes), without(now.Classes, c.Classes)
	switch {
	case len(gone) == 0 && len(added) == 0:
		return "its classes are in another order"
	case len(gone) == 0:
		return fmt.Sprintf("now there %s also %s", say.IsOrAre(len(added)), say.FewOf(added))
	case len(added) == 0:
		return fmt.Sprintf("%s %s missing now", say.FewOf(gone), say.IsOrAre(len(gone)))
	}
	return fmt.Sprintf("now there %s %s instead of %s", say.IsOrAre(len(added)), say.FewOf(added), say.FewOf(gone))
}

// without returns the elements of list that others lacks.
func without(list, others []string) []string {
	known := map[string]bool{}
	for _, other := range others {
		known[other] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return known[s] })
}

// OtherPictures says, in clauses, which parts of c now have other pictures, or "" if none.
func (c *Contents) OtherPictures(now *Contents) string {
	var changes []string
	for _, part := range []struct {
		name        string
		former, now PartContents
	}{
		{"training", c.Training, now.Training}, {"validation", c.Validation, now.Validation}, {"test", c.Test, now.Test},
	} {
		switch {
		case part.former == part.now:
		case part.former.Images == part.now.Images:
			changes = append(changes, part.name+" has other files")
		default:
			changes = append(changes, fmt.Sprintf("%s had %s pictures and has %s", part.name,
				say.Grouped(part.former.Images), say.Grouped(part.now.Images)))
		}
	}
	return strings.Join(changes, ", ")
}
