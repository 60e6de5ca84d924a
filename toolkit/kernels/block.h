#ifndef STOCHDEPTH_BLOCK_H
#define STOCHDEPTH_BLOCK_H

#include "image_table.h"
#include "xla.h"

enum { MOST_CHANNELS = 1024 };

// A minibatch is taken in parts whose gradients of kernels are summed in order, so that the sums do not
// depend on the number of threads. A part of few images costs more in sums than it gives.
static inline int parts_of(int batch) { return batch < 4 ? batch : batch < 16 ? 4 : batch < 64 ? batch / 4 : 16; }

// What is known of a block, or of a part of one. Images are [batch, height, width, channels], kernels
// [3, 3, in, out], the rest [channels].
typedef struct {
	int batch, parts;
	convolution one, two;   // the block's convolutions
	const float *x;         // the block's input
	const float *shortcut;  // what the block gives when closed
	const float *kernel1, *scale1, *offset1, *kernel2, *scale2, *offset2;
	float *first, *second, *output; // of the convolutions and of the block
	float *last;            // a copy of the output, or NULL
	float *mean1, *variance1, *mean2, *variance2; // [channels]

	// Backward.
	float *dh, *dx;         // gradient of the output, replaced by the shortcut's; of a transition's input, or NULL
	float *dkernel1, *dscale1, *doffset1, *dkernel2, *dscale2, *doffset2;
	float *dy;              // gradient of what the first normalisation gives
	float *partial;         // kernel gradients of the parts

	float *packed1, *packed2; // kernels as image.h wants them, backward those of the gradients of the inputs
	float *sums, *products;   // [batch, channels]
	float slope1[MOST_CHANNELS], shift1[MOST_CHANNELS];           // first normalisation
	float slope[MOST_CHANNELS], x_slope[MOST_CHANNELS], shift[MOST_CHANNELS]; // second normalisation, or a gradient
} block;

// These return 0, or 1 where memory is short: then what they write is of no use.

// A block in training; backward with its convolutions computed again or saved.
int stochdepth_forward(ffi_call *call, block *b);
int stochdepth_backward(ffi_call *call, block *b, int recompute);

// The stem: first, mean1, variance1 and output from x; dkernel1, dscale1 and doffset1 from dh.
int stochdepth_stem(ffi_call *call, block *b);
int stochdepth_stem_gradient(ffi_call *call, block *b);

// A block at test; output holds the shortcut before.
int stochdepth_test(ffi_call *call, block *b, float survival);

// output from x and kernel1; dkernel1 from x and dh.
int stochdepth_convolve(ffi_call *call, block *b);
int stochdepth_convolve_kernel_gradient(ffi_call *call, block *b);

// Chooses the functions for this processor: 512 for AVX-512, 2 for AVX2, 0 for the best there is. Returns
// its name, or NULL if the processor has neither.
const char *stochdepth_processor(int version);

#endif
