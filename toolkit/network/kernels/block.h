#ifndef STOCHDEPTH_BLOCK_H
#define STOCHDEPTH_BLOCK_H

#include "image_table.h"
#include "xla.h"

// A network's parts in float32: what the loops of package byhand compute, in as few passes over the memory as
// the batch statistics allow. Images are [batch, height, width, channels], kernels [3, 3, in, out], the rest
// [channels].

enum { MOST_CHANNELS = 1024 };

// A convolution and the batch normalisation of its output. A block has two of them, the stem one.
typedef struct {
	convolution c;
	const float *kernel, *scale, *offset;
	float *y;               // the convolution's output; NULL at test, where it is not kept
	float *mean, *variance; // of the minibatch, the variance divided by the count; at test running averages
} layer;

// The gradients of a layer's parameters.
typedef struct {
	float *kernel, *scale, *offset;
} layer_gradient;

// The images of a minibatch that a block is computed for. list has the indices of all the images, those to be computed
// first; it is NULL where all are.
typedef struct {
	int count; // of those to be computed
	const int *list;
} images;

static inline int image_at(images i, int position) { return i.list ? i.list[position] : position; }

// A block: relu(scale f(x) + shortcut), f(x) = two(relu(one(x))), of its open images; of others relu(shortcut).
typedef struct {
	int batch;
	images open;
	layer one, two;
	const float *x;
	float scale; // of the branch: at test its survival probability, or in training one through that, or 1
} block;

// The stem: relu(one(x)).
typedef struct {
	int batch;
	layer one;
	const float *x;
} stem;

// These return 0, or 1 where memory is short: then what they write is of no use.

// A block in training: output, and last, a copy of it, unless that is NULL; of both layers y and the statistics. Of
// closed images the shortcut, which is not negative, is copied, and y is left as it is.
int stochdepth_forward(ffi_call *call, const block *b, const float *shortcut, float *output, float *last);

// Its gradients. dh is that of the output and becomes the shortcut's. A transition's input gets its own, dx; that
// of another is NULL, and its input's is added to dh. Of closed images dh and dx stay. recompute asks for both layers'
// y, which were not kept.
int stochdepth_backward(ffi_call *call, const block *b, const float *output, float *dh, float *dx, layer_gradient one, layer_gradient two, int recompute);

// A block at test, of all images. h holds the shortcut before and the output after.
int stochdepth_test(ffi_call *call, const block *b, float *h);

// The stem in training: output, y and the statistics; and the gradients of its parameters.
int stochdepth_stem(ffi_call *call, const stem *s, float *output);
int stochdepth_stem_gradient(ffi_call *call, const stem *s, const float *output, const float *dh, layer_gradient one);

// A convolution alone: y from x; and the gradient of its kernel.
int stochdepth_convolve(ffi_call *call, int batch, const convolution *c, const float *x, const float *kernel, float *y);
int stochdepth_convolve_kernel_gradient(ffi_call *call, int batch, const convolution *c, const float *x, const float *dy, float *dkernel);

// Chooses the functions for this processor: 512 for AVX-512, 2 for AVX2, 0 for the best there is. Returns
// its name, or NULL if the processor has neither.
const char *stochdepth_processor(int version);

#endif
