package dataset

import (
	"math"
	"runtime"
	"sync"
)

// Normalization turns pixels x, on the scale 0..255, into (x - Mean) / Deviation.
type Normalization struct {
	Mean      []float32 // [channels], or one for each pixel and channel, [height*width*channels]
	Deviation []float32 // [channels], or [1]; never 0
}

// FitChannels fits a mean and a standard deviation for each channel to the images of v, which should be only the training
// part. Mean and Deviation are [channels]. An error is that of [View.Gather].
func FitChannels(v View) (Normalization, error) {
	sums, err := sum(v)
	if err != nil {
		return Normalization{}, err
	}
	f := v.Format()
	n := Normalization{Mean: make([]float32, f.Channels), Deviation: make([]float32, f.Channels)}
	count := float64(v.Len()) * float64(f.Height*f.Width)
	for c := range f.Channels {
		var total, squares uint64
		for p := c; p < f.Bytes(); p += f.Channels {
			total += sums.values[p]
			squares += sums.squares[p]
		}
		mean := float64(total) / count
		n.Mean[c] = float32(mean)
		n.Deviation[c] = deviation(float64(squares)/count - mean*mean)
	}
	return n, nil
}

// FitMeanImage fits the authors' normalization to the images of v, which should be only the training part: the mean image, Mean
// [height*width*channels], and one standard deviation, Deviation [1]. This is what "subtracting the mean and dividing the
// standard deviation" (Section 4, SVHN) does in their code: the deviation is that of all pixels from their common mean, before
// the mean image is subtracted. An error is that of [View.Gather].
func FitMeanImage(v View) (Normalization, error) {
	sums, err := sum(v)
	if err != nil {
		return Normalization{}, err
	}
	size := v.Format().Bytes()
	n := Normalization{Mean: make([]float32, size)}
	var total, squares uint64
	for p := range size {
		n.Mean[p] = float32(float64(sums.values[p]) / float64(v.Len()))
		total += sums.values[p]
		squares += sums.squares[p]
	}
	count := float64(v.Len()) * float64(size)
	mean := float64(total) / count
	n.Deviation = []float32{deviation(float64(squares)/count - mean*mean)}
	return n, nil
}

// deviation returns the root of a variance, or 1 if all pixels are equal, so that nobody divides by 0.
func deviation(variance float64) float32 {
	if !(variance > 1e-9) {
		return 1
	}
	return float32(math.Sqrt(variance))
}

// pixelSums are exact sums over images, one value for each pixel and channel. 600,000 images reach 4e10.
type pixelSums struct {
	values, squares []uint64
}

func sum(v View) (total pixelSums, err error) {
	size := v.Format().Bytes()
	total = pixelSums{make([]uint64, size), make([]uint64, size)}
	var lock sync.Mutex
	parallel(v.Len(), 1024, func(from, to int) {
		part := pixelSums{make([]uint64, size), make([]uint64, size)}
		failed := v.guard(func() {
			for i := from; i < to; i++ {
				for p, x := range v.Image(i) {
					part.values[p] += uint64(x)
					part.squares[p] += uint64(x) * uint64(x)
				}
			}
		})
		lock.Lock()
		defer lock.Unlock()
		if failed != nil {
			err = failed
		}
		for p := range total.values {
			total.values[p] += part.values[p]
			total.squares[p] += part.squares[p]
		}
	})
	return total, err
}

// parallel calls do for consecutive ranges of 0..n, each of at most size, on all cores.
func parallel(n, size int, do func(from, to int)) {
	ranges := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+size-1)/size) {
		workers.Go(func() {
			for from := range ranges {
				do(from, min(from+size, n))
			}
		})
	}
	for from := 0; from < n; from += size {
		ranges <- from
	}
	close(ranges)
	workers.Wait()
}
