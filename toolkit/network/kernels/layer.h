#ifndef STOCHDEPTH_LAYER_H
#define STOCHDEPTH_LAYER_H

#include "block.h"

// The two phases of a layer, its convolution and its batch normalisation, for forward.c, backward.c and stem.c. Sums over
// the minibatch are taken for each image or part, and these are summed in order, so that the result does not depend on the
// number of threads.

// A batch normalisation is slope y + shift, [channels].
typedef struct {
	float slope[MOST_CHANNELS], shift[MOST_CHANNELS];
} normalization;

// The gradient of y in a batch normalisation is slope dy + y_slope y + shift.
typedef struct {
	float slope[MOST_CHANNELS], y_slope[MOST_CHANNELS], shift[MOST_CHANNELS];
} normalization_gradient;

// Sums over the pixels of each image that is computed, [count, channels]: forward the mean and the squared differences
// from it, backward the gradient and its product with y.
typedef struct {
	float *sums, *products;
} image_sums;

// layer_convolution computes a layer's y for some images, from relu(before(x)), or from x if before is NULL. measure asks
// for their statistics too. It returns 1 if memory is short.
int stochdepth_layer_convolution(ffi_call *call, images of, const layer *l, const float *x, const normalization *before, int measure);

// layer_normalization sets n to the layer's normalisation by its statistics, times scale.
void stochdepth_layer_normalization(const layer *l, float scale, normalization *n);

// layer_gradient_sums sums up, for each image, the gradient dh of the block's or stem's output. l is the last layer there.
// Where the output is not positive, dh does not count.
int stochdepth_layer_gradient_sums(ffi_call *call, images of, const layer *l, const float *output, const float *dh, image_sums sums);

// layer_normalization_gradient sets the gradients of scale and offset, and n, which gives the gradient of y, from the sums
// of count images. The normalisation was multiplied by branch_scale.
void stochdepth_layer_normalization_gradient(int count, const layer *l, float branch_scale, image_sums sums, const layer_gradient *d, normalization_gradient *n);

#endif
