package dataset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The numbers of Section 4 of the paper, and those that Load draws.
func TestSize(t *testing.T) {
	for name, want := range map[string][2]int{"cifar10": {45_000, 10}, "cifar100": {45_000, 100}, "svhn": {598_388, 10}} {
		training, classes, err := Size(name)
		require.NoError(t, err)
		require.Equal(t, want, [2]int{training, classes}, name)
	}
	data, err := Load("shapes", Options{Validation: 1, Test: 1})
	require.NoError(t, err)
	training, classes, err := Size("shapes")
	require.NoError(t, err)
	require.Equal(t, [2]int{data.Train.Len(), len(data.Classes)}, [2]int{training, classes})
	_, _, err = Size("imagenet")
	require.ErrorContains(t, err, `there is no data set "imagenet"`)
}
