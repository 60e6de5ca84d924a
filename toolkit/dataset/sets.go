package dataset

import (
	"fmt"
	"strings"
)

// Set is what is known of a data set before it is read.
type Set struct {
	Name    string   // as recipes and commands call it: cifar10
	Title   string   // as the paper writes it: CIFAR-10; shapes are not in the paper and keep their name
	Classes []string // name of each label

	Train, Validation, Test int // images of the parts that [Load] returns if not asked for less; shapes are as many as one asks for

	Format Format // of its images

	Drawn bool // made by this package: there is nothing to download

	load func(Options) (*Data, error)
}

// Sets returns the sets that [Load] knows: shapes, cifar10, cifar100, svhn.
func Sets() []Set {
	shapes := Set{Name: "shapes", Title: "shapes", Classes: shapesClasses(), Format: rgb32, Drawn: true, load: loadShapes,
		Train: shapesTrain, Validation: shapesValidation, Test: shapesTest}
	return []Set{shapes, cifar10.set(), cifar100.set(), svhn.set()}
}

// Find returns the set of that name; an unknown name is an error.
func Find(name string) (Set, error) {
	for _, set := range Sets() {
		if set.Name == name {
			return set, nil
		}
	}
	return Set{}, fmt.Errorf("there is no data set %q: choose one of %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of [Sets], in their order.
func Names() []string {
	var names []string
	for _, set := range Sets() {
		names = append(names, set.Name)
	}
	return names
}

func (c cifar) set() Set {
	training := 0
	for _, file := range c.train {
		training += c.records[file]
	}
	return Set{Name: c.name, Title: c.title, Classes: c.classes, Format: rgb32, load: c.load,
		Train: training - c.validation, Validation: c.validation, Test: c.records[c.test]}
}

func (s svhnSet) set() Set {
	validation := len(digits) * (s.fromTrain + s.fromExtra)
	return Set{Name: s.name, Title: s.title, Classes: digits, Format: rgb32, load: s.load,
		Train: s.images[svhnTrain] + s.images[svhnExtra] - validation, Validation: validation, Test: s.images[svhnTest]}
}
