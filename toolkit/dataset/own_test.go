package dataset

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/internal/own"
)

// A program's own set is loaded by its name, cut to the numbers of images that are asked for, and checked.
func TestRegister(t *testing.T) {
	t.Cleanup(func() { registered = own.Registry[Set]{} })
	set := Set{Name: "own-set", Classes: []string{"a", "b"}, Format: Format{4, 4, 3}, Train: 3, Validation: 2, Test: 2}
	part := func(format Format, labels ...uint16) View {
		return NewView(&Images{Format: format, Pixels: make([]byte, len(labels)*format.Bytes()), Labels: labels})
	}
	load := func(train View) func(Options) (*Data, error) {
		return func(o Options) (*Data, error) {
			if o.Seed == 13 {
				return nil, errors.New("no luck")
			}
			return &Data{Train: train, Validation: part(set.Format, 0, 1), Test: part(set.Format, 1, 0)}, nil
		}
	}
	require.NoError(t, Register(set, load(part(set.Format, 0, 1, 1))))
	found, err := Find("own-set")
	require.NoError(t, err)
	require.Equal(t, set.Format, found.Format)
	require.True(t, found.Drawn, "there is nothing to download")
	data, err := Load("own-set", Options{Train: 2, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, []int{2, 2, 2}, []int{data.Train.Len(), data.Validation.Len(), data.Test.Len()})
	require.Equal(t, "own-set", data.Name)
	require.Equal(t, set.Classes, data.Classes)

	for _, c := range []struct {
		options Options
		says    string
	}{
		{Options{Train: 4}, "own-set: it has 3 training images, not the 4 asked for"},
		{Options{Size: 8}, "own-set has images of 4x4 pixels only"},
		{Options{Seed: 13}, "own-set: no luck"},
	} {
		_, err := Load("own-set", c.options)
		require.ErrorContains(t, err, c.says)
	}
	require.NoError(t, Register(set, load(part(set.Format, 0, 2))))
	_, err = Load("own-set", Options{})
	require.EqualError(t, err, "own-set: image 1 has the label 2, and there are 2 classes, from 0 on")
	require.NoError(t, Register(set, load(part(Format{8, 8, 3}, 0))))
	_, err = Load("own-set", Options{})
	require.ErrorContains(t, err, "its images are {8 8 3}, and its format is {4 4 3}: make them equal")

	require.ErrorContains(t, Register(Set{Name: "shapes", Classes: set.Classes, Format: set.Format}, nil), "is taken")
	require.ErrorContains(t, Register(Set{Name: "empty"}, nil), "needs its classes and the format")
	_, err = Find("own-sat")
	require.ErrorContains(t, err, "own-set")
}
