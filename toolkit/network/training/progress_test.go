package training

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgressInWords(t *testing.T) {
	p := Progress{Phase: "training", Epoch: 3, Epochs: 6, Blocks: 9, Loss: 0.4567, Error: 12.34, Open: 6.78}
	require.Equal(t, "epoch 3 of 6, training, loss 0.457, error 12.3 %, 6.8 of 9 blocks", p.text())
	p.Phase, p.Loss, p.Open = "compiling", math.NaN(), math.NaN()
	require.Equal(t, "epoch 3 of 6, compiling", p.text())
}
