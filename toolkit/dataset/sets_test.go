package dataset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSets(t *testing.T) {
	require.Equal(t, []string{"shapes", "cifar10", "cifar100", "svhn"}, Names())
	for name, want := range map[string][4]int{"cifar10": {45_000, 5_000, 10_000, 10}, "cifar100": {45_000, 5_000, 10_000, 100},
		"svhn": {598_388, 6_000, 26_032, 10}} {
		set, err := Find(name)
		require.NoError(t, err)
		require.Equal(t, want, [4]int{set.Train, set.Validation, set.Test, len(set.Classes)}, name)
	}
	data, err := Load("shapes", Options{Validation: 1, Test: 1})
	require.NoError(t, err)
	set, err := Find("shapes")
	require.NoError(t, err)
	require.Equal(t, data.Train.Len(), set.Train)
	require.Equal(t, data.Classes, set.Classes)
	_, err = Find("imagenet")
	require.EqualError(t, err, `there is no data set "imagenet": choose one of shapes, cifar10, cifar100, svhn`)
}
