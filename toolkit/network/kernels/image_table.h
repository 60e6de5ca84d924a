#ifndef STOCHDEPTH_IMAGE_TABLE_H
#define STOCHDEPTH_IMAGE_TABLE_H

#include <stddef.h>

// A 3x3 convolution with padding 1: y is [height, width, out], x is [height*stride, width*stride, in].
// rounded asks for factors that are rounded to bfloat16: pixels, weights and gradients, but not sums.
typedef struct {
	int height, width, stride, in, out, rounded;
} convolution;

enum { RUN = 16 }; // pixels that are summed up separately

// A way to compute convolutions.
typedef struct {
	void (*pack)(const convolution *c, const float *w, float *packed);
	size_t (*packed_size)(const convolution *c);
	void (*convolve)(const convolution *c, const float *padded, const float *packed, float *y, float *work);
	size_t (*work_size)(const convolution *c);
	void (*kernel_gradient)(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work);
	size_t (*sums_size)(const convolution *c);
	void (*summed)(const convolution *c, const float *sums, float *dw);
} products;

// The functions of image.h, compiled for one kind of processor.
typedef struct {
	products plain, rounded;
	void (*pad)(int height, int width, int channels, const float *x, float *padded);
	void (*dilate)(int height, int width, int channels, int stride, const float *x, long xrow, float *padded);
	void (*moments)(const float *x, int pixels, int channels, float *mean, float *squares);
	void (*padded_relu)(int height, int width, int channels, const float *x, const float *slope, const float *shift, float *padded);
	void (*shortcut_relu)(int pixels, int channels, const float *x, const float *slope, const float *shift, const float *shortcut, float *y, float *y2);
	void (*gradient_sums)(int pixels, int channels, const float *y, const float *dy, const float *x, float *sum, float *product);
	void (*centred_sums)(int pixels, int channels, const float *dy, const float *x, const float *mean, float *sum, float *product);
	void (*padded_gradient)(int height, int width, int channels, const float *y, const float *dy, const float *x,
		const float *slope, const float *x_slope, const float *shift, float *padded);
	void (*masked)(int height, int width, int channels, const float *padded, float *dy);
	void (*shortcut_gradient)(int pixels, int channels, const float *y, const float *dx, float *dh);
} image_table;

extern const image_table stochdepth_avx512, stochdepth_avx2;

// amx returns the way of amx.c to compute a rounded convolution, or NULL if the processor, the operating system or the compiler
// has no tiles, or the convolution's sizes do not suit them.
const products *stochdepth_amx(const convolution *c);

#endif
