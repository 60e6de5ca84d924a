package network

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/network/backend/backendtest"
	"stochdepth/toolkit/network/resnet"
)

// grey returns n random images of 16x16 pixels with one channel, in three classes.
func grey(n int, seed uint64) dataset.View {
	images := &dataset.Images{Format: dataset.Format{Height: 16, Width: 16, Channels: 1}}
	rng := rand.New(rand.NewPCG(seed, 0))
	for range n * images.Format.Bytes() {
		images.Pixels = append(images.Pixels, byte(rng.Uint32()))
	}
	for i := range n {
		images.Labels = append(images.Labels, uint16(i%3))
	}
	return dataset.NewView(images)
}

// The size and the number of channels of the images are a value, from the data to the network's file: in float64 the engine
// and the textbook form agree to 1e-9 on other images too, in an augmented step and in the evaluation after it.
func TestImagesOfAnotherFormat(t *testing.T) {
	data := &dataset.Data{Name: "grey", Classes: []string{"a", "b", "c"},
		Train: grey(20, 1), Validation: grey(5, 2), Test: grey(7, 3)}
	b, r := backendtest.Open(t), tiny(t)
	r.DType, r.Normalization, r.BatchSize = "float64", "mean-image", 8
	var nets [2]*Opened
	var outcomes [2]Outcome
	var scores [2]Score
	for i, form := range []string{"resnet", "survivors"} {
		r.Form = form
		net, err := open(b, r, data)
		require.NoError(t, err)
		require.NoError(t, net.SetLearningRate(0.1))
		batch := net.Batches().At(0)
		batch.SetGates(depth.Gates{true, true, false})
		outcomes[i], scores[i], nets[i] = takeStep(t, net.Model, batch), evaluate(t, net.Model, data.Test), net
	}
	textbook, engine := numbers(t, nets[0].Model), numbers(t, nets[1].Model)
	require.InDelta(t, outcomes[0].Loss, outcomes[1].Loss, 1e-9)
	require.InDelta(t, outcomes[0].Gradient, outcomes[1].Gradient, 1e-9)
	require.InDelta(t, scores[0].Loss, scores[1].Loss, 1e-9)
	require.Equal(t, scores[0].Error, scores[1].Error)
	for name, want := range textbook {
		require.InDeltaSlice(t, want, engine[name], 1e-9, name)
	}
	require.Len(t, textbook["stem.conv.weight"], 3*3*1*16)

	// The first pixel of the mean image, and a minibatch as the network sees it and as it is shown.
	net, batch, f := nets[0], nets[0].Batches().At(1), data.Format()
	var first float32
	for i := range data.Train.Len() {
		first += float32(data.Train.Image(i)[0]) / 20
	}
	require.Len(t, net.Normalization.Mean, 16*16)
	require.InDelta(t, first, net.Normalization.Mean[0], 1e-4)
	require.Len(t, batch.Pixels, 8*16*16)
	out, err := graph.CallOnce(b, func(pixels, draws *graph.Node) *graph.Node {
		return shift(normalize(pixels, net.Normalization, net.Network.ParameterDType()), draws)
	}, tensors.FromFlatDataAndDimensions(batch.Pixels, f.Batch(8)...),
		tensors.FromFlatDataAndDimensions(batch.Augmentation, 8, 3))
	require.NoError(t, err)
	moved, inside := batch.Augmented(net.Normalization), 0
	for i, v := range tensors.MustCopyFlatData[float64](out) {
		if v == 0 { // from outside: the mean image is not moved
			require.Equal(t, byte(net.Normalization.Mean[i%f.Bytes()]+0.5), moved[i])
			continue
		}
		inside++
		y, x := i%f.Bytes()/f.Width, i%f.Width
		draws := batch.Augmentation[3*(i/f.Bytes()):]
		if draws[2] == 1 {
			x = f.Width - 1 - x
		}
		mean := net.Normalization.Mean[(y-int(draws[0]))*f.Width+x-int(draws[1])]
		require.InDelta(t, moved[i], v*float64(net.Normalization.Deviation[0])+float64(mean), 1e-3)
	}
	require.Greater(t, inside, len(moved)/2)

	// The file brings everything to an untrained network.
	path := filepath.Join(t.TempDir(), "grey.safetensors")
	require.NoError(t, nets[1].Export(path, nil))
	r.Seed++
	other, err := open(b, r, data)
	require.NoError(t, err)
	require.NoError(t, other.Import(path))
	require.Equal(t, engine, numbers(t, other.Model))

	_, err = resnet.New("basic", []int{1, 1, 1}, dataset.Format{Height: 48, Width: 40, Channels: 3}, 10, depth.Linear(3, 0.5))
	require.EqualError(t, err, "images of 48x40 pixels and 3 channels fit no network here: they must be square, with a side of 4 or more")
}
