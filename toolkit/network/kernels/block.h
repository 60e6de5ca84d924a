#ifndef STOCHDEPTH_BLOCK_H
#define STOCHDEPTH_BLOCK_H

#include "image_table.h"
#include "xla.h"

// The parts of a network that the loops of package byhand compute, in float32 and in as few passes over the memory as the
// batch statistics allow. Images are [batch, height, width, channels], kernels [3, 3, in, out], everything else
// [channels].

enum { MOST_CHANNELS = 1024 };

static const float epsilon = 1e-5f; // added to variances

// A convolution and the batch normalisation of its output. A block has two of these layers, the stem has one.
typedef struct {
	convolution c;
	const float *kernel, *scale, *offset;
	float *y;               // the convolution's output; NULL at test, where it is not kept
	float *mean, *variance; // of the minibatch, the variance divided by the number of values; at test running averages
} layer;

// The gradients of a layer's parameters.
typedef struct {
	float *kernel, *scale, *offset;
} layer_gradient;

// The images of a minibatch that a block is computed for. list has the indices of all images, starting with those to be
// computed; it is NULL if all are to be computed.
typedef struct {
	int count; // images to be computed
	const int *list;
} images;

static inline int image_at(images i, int position) { return i.list ? i.list[position] : position; }

// A block: relu(scale f(x) + shortcut) with f(x) = two(relu(one(x))) for open images, relu(shortcut) for the others.
typedef struct {
	int batch;
	images open;
	layer one, two;
	const float *x;
	float scale; // of the branch: its survival probability at test, in training the inverse of that, or 1
} block;

// The stem: relu(one(x)).
typedef struct {
	int batch;
	layer one;
	const float *x;
} stem;

// These functions return 0, or 1 if memory is short: then what they write is of no use.

// A block in training. It writes the output, a copy of it to last unless that is NULL, and y and the statistics of both
// layers. For closed images the shortcut, which is not negative, is copied, and y is left as it is.
int stochdepth_forward(ffi_call *call, const block *b, const float *shortcut, float *output, float *last);

// A block's gradients. dh is the gradient of the output and becomes the gradient of the shortcut. In a transition dx
// becomes the gradient of the input; in another block dx is NULL, and the gradient of the input is added to dh. For closed
// images dh and dx stay as they are. recompute asks for y of both layers again, which was not kept.
int stochdepth_backward(ffi_call *call, const block *b, const float *output, float *dh, float *dx, layer_gradient one, layer_gradient two, int recompute);

// A block at test, of all images. h holds the shortcut before and the output after.
int stochdepth_test(ffi_call *call, const block *b, float *h);

// The stem in training: output, y and the statistics; and the gradients of its parameters.
int stochdepth_stem(ffi_call *call, const stem *s, float *output);
int stochdepth_stem_gradient(ffi_call *call, const stem *s, const float *output, const float *dh, layer_gradient one);

// A convolution alone: y from x; and the gradient of its kernel.
int stochdepth_convolve(ffi_call *call, int batch, const convolution *c, const float *x, const float *kernel, float *y);
int stochdepth_convolve_kernel_gradient(ffi_call *call, int batch, const convolution *c, const float *x, const float *dy, float *dkernel);

// The mean and the variance of each column of x [rows, columns], and from the gradient dy of its normalisation with scale 1
// the gradients of scale and offset: the sums of dy (x - mean)/deviation and of dy. There are multiples of 16 rows and columns.
int stochdepth_moments(ffi_call *call, int rows, int columns, const float *x, float *mean, float *variance);
int stochdepth_moments_gradient(ffi_call *call, int rows, int columns, const float *x, const float *mean, const float *variance,
	const float *dy, float *dscale, float *doffset);

// Chooses the functions for this processor: version is 512 for AVX-512, 2 for AVX2, or 0 for the better of the two that
// the processor has. Returns the name of the choice, or NULL if the processor cannot run it.
const char *stochdepth_processor(int version);

// Reports whether the chosen functions multiply numbers of bfloat16 by the processor's tiles (AMX).
int stochdepth_tiles(void);

#endif
