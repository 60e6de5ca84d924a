//go:build linux && amd64 && cgo && !nokernels

// One open block, forward and backward, on images [batch, height, width, channels] in float32: what the
// loops of package byhand compute, in as few passes over the memory as the batch statistics allow.
// Sums over the minibatch are taken by image or by part, then in order, so that they do not depend on the
// number of threads.

#include "block.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

static const image_table *image;

const char *stochdepth_processor(int version) {
	__builtin_cpu_init();
	if (version != 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
		image = &stochdepth_avx512;
		return "AVX-512";
	}
	if (version != 512 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		image = &stochdepth_avx2;
		return "AVX2";
	}
	return NULL;
}

static const float epsilon = 1e-5f;

// --- Memory between the phases of a call, kept for the next ---

// take gets memory, or NULL.
static float *take(size_t floats, _Atomic(void *) *kept) {
	size_t bytes = floats * sizeof(float) + 64; // the first line holds the size
	size_t *memory = atomic_exchange(kept, NULL);
	if (memory && *memory < bytes) {
		stochdepth_unmap(memory, *memory);
		memory = NULL;
	}
	if (!memory) {
		memory = stochdepth_map(bytes);
		if (!memory)
			return NULL;
		*memory = bytes;
	}
	return (float *)((char *)memory + 64);
}

static void put_back(float *memory, _Atomic(void *) *kept) {
	if (!memory)
		return;
	size_t *old = atomic_exchange(kept, (char *)memory - 64);
	if (old)
		stochdepth_unmap(old, *old);
}

static _Atomic(void *) kept_sums, kept_images;

// --- A block ---

static size_t pixels(const block *b) { return (size_t)b->one.height * b->one.width; }
static size_t input_size(const block *b) { return pixels(b) * b->one.stride * b->one.stride * b->one.in; }
static size_t output_size(const block *b) { return pixels(b) * b->one.out; }
static size_t padded_size(const convolution *c) { return (size_t)(c->height * c->stride + 2) * (c->width * c->stride + 2) * c->in; }
static size_t most(size_t a, size_t b) { return a > b ? a : b; }
static int from(const block *b, int part) { return (int)((long)b->batch * part / b->parts); }

// What the parts of a job need as scratch is computed beside them.
static size_t convolution_scratch(const convolution *c) { return padded_size(c) + image->work_size(c); }

static void first_convolution(void *data, int n, float *scratch) {
	block *b = data;
	const convolution *c = &b->one;
	float *padded = scratch, *y = b->first + n * output_size(b);
	image->pad(c->height * c->stride, c->width * c->stride, c->in, b->x + n * input_size(b), padded);
	image->convolve(c, padded, b->packed1, y, padded + padded_size(c));
	if (b->sums)
		image->moments(y, pixels(b), c->out, b->sums + (size_t)n * c->out, b->products + (size_t)n * c->out);
}

static void second_convolution(void *data, int n, float *scratch) {
	block *b = data;
	const convolution *c = &b->two;
	float *padded = scratch, *y = b->second + n * output_size(b);
	image->padded_relu(c->height, c->width, c->in, b->first + n * output_size(b), b->slope1, b->shift1, padded);
	image->convolve(c, padded, b->packed2, y, padded + padded_size(c));
	if (b->sums)
		image->moments(y, pixels(b), c->out, b->sums + (size_t)n * c->out, b->products + (size_t)n * c->out);
}

static void add_shortcut(void *data, int n, float *scratch) {
	block *b = data;
	size_t at = n * output_size(b);
	image->shortcut_relu(pixels(b), b->one.out, b->second + at, b->slope, b->shift, b->shortcut + at, b->output + at, b->last ? b->last + at : NULL);
}

// statistics joins the images' moments: the minibatch's mean and (biased) variance.
static void statistics(const block *b, float *mean, float *variance) {
	int channels = b->one.out;
	for (int c = 0; c < channels; c++) {
		double m = 0, squares = 0, between = 0;
		for (int n = 0; n < b->batch; n++) {
			m += b->sums[(size_t)n * channels + c];
			squares += b->products[(size_t)n * channels + c];
		}
		m /= b->batch;
		for (int n = 0; n < b->batch; n++) {
			double d = b->sums[(size_t)n * channels + c] - m;
			between += d * d;
		}
		mean[c] = m;
		variance[c] = squares / b->batch / pixels(b) + between / b->batch;
	}
}

// normalization is y = slope x + shift.
static void normalization(const block *b, const float *scale, const float *offset, const float *mean, const float *variance, float *slope, float *shift) {
	for (int c = 0; c < b->one.out; c++) {
		slope[c] = scale[c] / sqrtf(variance[c] + epsilon);
		shift[c] = offset[c] - mean[c] * slope[c];
	}
}

// convolutions computes first and second, and the statistics of both, or with the statistics that it has. It
// returns 1 where memory is short.
static int convolutions(ffi_call *call, block *b, int has_statistics) {
	size_t sums = has_statistics ? 0 : (size_t)b->batch * b->one.out;
	float *memory = take(2 * sums + image->packed_size(&b->one) + image->packed_size(&b->two), &kept_sums);
	if (!memory)
		return 1;
	b->sums = has_statistics ? NULL : memory;
	b->products = memory + sums;
	b->packed1 = memory + 2 * sums;
	b->packed2 = b->packed1 + image->packed_size(&b->one);
	image->pack(&b->one, b->kernel1, b->packed1);
	image->pack(&b->two, b->kernel2, b->packed2);
	int missed = stochdepth_parallel(call, b->batch, convolution_scratch(&b->one), first_convolution, b);
	if (!has_statistics)
		statistics(b, b->mean1, b->variance1);
	normalization(b, b->scale1, b->offset1, b->mean1, b->variance1, b->slope1, b->shift1);
	missed |= stochdepth_parallel(call, b->batch, convolution_scratch(&b->two), second_convolution, b);
	if (!has_statistics)
		statistics(b, b->mean2, b->variance2);
	put_back(memory, &kept_sums);
	return missed;
}

int stochdepth_forward(ffi_call *call, block *b) {
	if (convolutions(call, b, 0))
		return 1;
	normalization(b, b->scale2, b->offset2, b->mean2, b->variance2, b->slope, b->shift);
	return stochdepth_parallel(call, b->batch, 0, add_shortcut, b);
}

// --- Backward ---

// The last convolution of a block is the second, that of the stem the first.
static void output_gradient_sums(void *data, int n, float *scratch) {
	block *b = data;
	size_t at = n * output_size(b), row = (size_t)n * b->one.out;
	const float *last = b->second ? b->second : b->first;
	image->gradient_sums(pixels(b), b->one.out, b->output + at, b->dh + at, last + at, b->sums + row, b->products + row);
}

// normalization_gradient sums up dscale and doffset and sets the coefficients of
// dx = slope (dy - sum(dy)/M - x' sum(dy x')/M), x' = (x - mean)/deviation, as a sum of dy, x and 1.
static void normalization_gradient(block *b, const float *scale, const float *mean, const float *variance, float *dscale, float *doffset) {
	int channels = b->one.out;
	double values = (double)b->batch * pixels(b);
	for (int c = 0; c < channels; c++) {
		double sum = 0, product = 0, deviation = sqrt((double)variance[c] + epsilon);
		for (int n = 0; n < b->batch; n++) {
			sum += b->sums[(size_t)n * channels + c];
			product += b->products[(size_t)n * channels + c];
		}
		double ds = (product - mean[c] * sum) / deviation, slope = scale[c] / deviation, x_slope = -slope * ds / values / deviation;
		dscale[c] = ds;
		doffset[c] = sum;
		b->slope[c] = slope;
		b->x_slope[c] = x_slope;
		b->shift[c] = -slope * sum / values - mean[c] * x_slope;
	}
}

// Each part sums up the gradient of its images in scratch, which then becomes its own gradient of the kernel.

static size_t zero_sums(const convolution *c, float *sums) {
	memset(sums, 0, image->sums_size(c) * sizeof(float));
	return image->sums_size(c);
}

static void end_sums(const block *b, const convolution *c, int part, const float *sums) {
	image->summed(c, sums, b->partial + (size_t)part * 9 * c->in * c->out);
}

static size_t second_gradient_scratch(const block *b) { return image->sums_size(&b->two) + 2 * padded_size(&b->two) + image->work_size(&b->two); }

static void second_gradient(void *data, int part, float *scratch) {
	block *b = data;
	const convolution *c = &b->two;
	long row = (long)(c->width + 2) * c->in;
	float *sums = scratch, *activation = sums + zero_sums(c, sums), *gradient = activation + padded_size(c), *work = gradient + padded_size(c);
	for (int n = from(b, part); n < from(b, part + 1); n++) {
		size_t at = n * output_size(b);
		float *dy = b->dy + at;
		image->padded_relu(c->height, c->width, c->in, b->first + at, b->slope1, b->shift1, activation);
		image->padded_gradient(c->height, c->width, c->out, b->output + at, b->dh + at, b->second + at, b->slope, b->x_slope, b->shift, gradient);
		image->kernel_gradient(c, activation, gradient + row + c->out, row, sums, work);
		image->convolve(c, gradient, b->packed2, dy, work);
		image->masked(c->height, c->width, c->in, activation, dy);
		size_t at_sum = (size_t)n * c->in;
		image->gradient_sums(pixels(b), c->in, NULL, dy, b->first + at, b->sums + at_sum, b->products + at_sum);
	}
	end_sums(b, c, part, sums);
}

// backwards is the convolution that gives the gradient of x from that of y, with zeros put between its
// pixels if the stride is not 1, and with the kernel flipped.
static convolution backwards(const convolution *c) {
	return (convolution){c->height * c->stride, c->width * c->stride, 1, c->out, c->in};
}

static size_t first_gradient_scratch(const block *b) {
	convolution back = backwards(&b->one);
	return image->sums_size(&b->one) + padded_size(&b->one) + (size_t)(b->one.height + 2) * (b->one.width + 2) * b->one.out + padded_size(&back) + input_size(b) +
	       most(image->work_size(&b->one), image->work_size(&back));
}

static void first_gradient(void *data, int part, float *scratch) {
	block *b = data;
	const convolution *c = &b->one;
	convolution back = backwards(c);
	long row = (long)(c->width + 2) * c->out;
	size_t size = (size_t)(c->height + 2) * row;
	float *sums = scratch, *x = sums + zero_sums(c, sums), *gradient = x + padded_size(c), *dilated = gradient + size, *dx = dilated + padded_size(&back),
	      *work = dx + input_size(b);
	for (int n = from(b, part); n < from(b, part + 1); n++) {
		size_t at = n * output_size(b);
		image->pad(c->height * c->stride, c->width * c->stride, c->in, b->x + n * input_size(b), x);
		image->padded_gradient(c->height, c->width, c->out, NULL, b->dy + at, b->first + at, b->slope, b->x_slope, b->shift, gradient);
		image->kernel_gradient(c, x, gradient + row + c->out, row, sums, work);
		if (c->stride > 1)
			image->dilate(c->height, c->width, c->out, c->stride, gradient + row + c->out, row, dilated);
		image->convolve(&back, c->stride > 1 ? dilated : gradient, b->packed1, b->dx ? b->dx + n * input_size(b) : dx, work);
		image->shortcut_gradient(pixels(b), c->out, b->output + at, b->dx ? NULL : dx, b->dh + at);
	}
	end_sums(b, c, part, sums);
}

// add_parts sums the parts' kernel gradients, a piece of the kernel at a time.
static void add_parts(const block *b, const convolution *c, float *dkernel) {
	size_t size = (size_t)9 * c->in * c->out;
	const float *parts = b->partial;
	memcpy(dkernel, parts, size * sizeof(float));
	for (int part = 1; part < b->parts; part++)
		for (size_t i = 0; i < size; i++)
			dkernel[i] += parts[part * size + i];
}

// flip turns a kernel [3, 3, in, out] by half a turn and swaps its channels: [3, 3, out, in].
static void flip(const convolution *c, const float *w, float *flipped) {
	for (int k = 0; k < 9; k++)
		for (int i = 0; i < c->in; i++)
			for (int o = 0; o < c->out; o++)
				flipped[((size_t)(8 - k) * c->out + o) * c->in + i] = w[((size_t)k * c->in + i) * c->out + o];
}

int stochdepth_backward(ffi_call *call, block *b, int recompute) {
	size_t kernel = (size_t)9 * b->one.out * b->one.out, sums = (size_t)b->batch * b->one.out;
	convolution back1 = backwards(&b->one), back2 = backwards(&b->two);
	if (recompute && convolutions(call, b, 1))
		return 1;
	b->sums = take(2 * sums + kernel + image->packed_size(&back1) + image->packed_size(&back2), &kept_sums);
	b->dy = take(b->batch * output_size(b) + b->parts * kernel, &kept_images);
	if (!b->sums || !b->dy) {
		put_back(b->sums, &kept_sums);
		put_back(b->dy, &kept_images);
		return 1;
	}
	b->partial = b->dy + b->batch * output_size(b);
	b->products = b->sums + sums;
	float *flipped = b->products + sums;
	b->packed1 = flipped + kernel;
	b->packed2 = b->packed1 + image->packed_size(&back1);
	flip(&b->one, b->kernel1, flipped);
	image->pack(&back1, flipped, b->packed1);
	flip(&b->two, b->kernel2, flipped);
	image->pack(&back2, flipped, b->packed2);
	normalization(b, b->scale1, b->offset1, b->mean1, b->variance1, b->slope1, b->shift1);

	int missed = stochdepth_parallel(call, b->batch, 0, output_gradient_sums, b);
	normalization_gradient(b, b->scale2, b->mean2, b->variance2, b->dscale2, b->doffset2);
	missed |= stochdepth_parallel(call, b->parts, second_gradient_scratch(b), second_gradient, b);
	add_parts(b, &b->two, b->dkernel2);
	normalization_gradient(b, b->scale1, b->mean1, b->variance1, b->dscale1, b->doffset1);
	missed |= stochdepth_parallel(call, b->parts, first_gradient_scratch(b), first_gradient, b);
	add_parts(b, &b->one, b->dkernel1);
	put_back(b->dy, &kept_images);
	put_back(b->sums, &kept_sums);
	return missed;
}

// --- The stem: convolution, normalisation, ReLU of an image of few channels ---

enum { WIDE = 16 }; // as many channels as kernel_gradient can take

static void stem_relu(void *data, int n, float *scratch) {
	block *b = data;
	size_t at = n * output_size(b);
	image->shortcut_relu(pixels(b), b->one.out, b->first + at, b->slope1, b->shift1, NULL, b->output + at, NULL);
}

int stochdepth_stem(ffi_call *call, block *b) {
	size_t sums = (size_t)b->batch * b->one.out;
	b->sums = take(2 * sums + image->packed_size(&b->one), &kept_sums);
	if (!b->sums)
		return 1;
	b->products = b->sums + sums;
	b->packed1 = b->products + sums;
	image->pack(&b->one, b->kernel1, b->packed1);
	int missed = stochdepth_parallel(call, b->batch, convolution_scratch(&b->one), first_convolution, b);
	statistics(b, b->mean1, b->variance1);
	normalization(b, b->scale1, b->offset1, b->mean1, b->variance1, b->slope1, b->shift1);
	missed |= stochdepth_parallel(call, b->batch, 0, stem_relu, b);
	put_back(b->sums, &kept_sums);
	return missed;
}

// widened is a convolution as if its input had WIDE channels.
static convolution widened(const convolution *c) { return (convolution){c->height, c->width, 1, WIDE, c->out}; }

static size_t stem_gradient_scratch(const block *b) {
	convolution wide = widened(&b->one);
	return image->sums_size(&wide) + padded_size(&wide) + (size_t)(b->one.height + 2) * (b->one.width + 2) * b->one.out + image->work_size(&wide);
}

static void stem_kernel_gradient(void *data, int part, float *scratch) {
	block *b = data;
	const convolution *c = &b->one, wide = widened(c);
	long row = (long)(c->width + 2) * c->out;
	float *sums = scratch, *x = sums + zero_sums(&wide, sums), *gradient = x + padded_size(&wide), *work = gradient + (c->height + 2) * row;
	for (int n = from(b, part); n < from(b, part + 1); n++) {
		size_t at = n * output_size(b);
		image->widen(c->height, c->width, c->in, WIDE, b->x + n * input_size(b), x);
		image->padded_gradient(c->height, c->width, c->out, b->output + at, b->dh + at, b->first + at, b->slope, b->x_slope, b->shift, gradient);
		image->kernel_gradient(&wide, x, gradient + row + c->out, row, sums, work);
	}
	end_sums(b, &wide, part, sums);
}

int stochdepth_stem_gradient(ffi_call *call, block *b) {
	const convolution *c = &b->one, wide = widened(c);
	size_t sums = (size_t)b->batch * c->out, kernel = (size_t)9 * WIDE * c->out;
	b->sums = take(2 * sums + (b->parts + 1) * kernel, &kept_sums);
	if (!b->sums)
		return 1;
	b->products = b->sums + sums;
	float *dkernel = b->products + sums;
	b->partial = dkernel + kernel;
	int missed = stochdepth_parallel(call, b->batch, 0, output_gradient_sums, b);
	normalization_gradient(b, b->scale1, b->mean1, b->variance1, b->dscale1, b->doffset1);
	missed |= stochdepth_parallel(call, b->parts, stem_gradient_scratch(b), stem_kernel_gradient, b);
	add_parts(b, &wide, dkernel);
	for (int k = 0; k < 9; k++)
		memcpy(b->dkernel1 + (size_t)k * c->in * c->out, dkernel + (size_t)k * WIDE * c->out, (size_t)c->in * c->out * sizeof(float));
	put_back(b->sums, &kept_sums);
	return missed;
}

// --- A block at test, scaled by its survival probability, in place: each image from beginning to end ---

static size_t test_padded_size(const block *b) { return most(padded_size(&b->one), padded_size(&b->two)); }

static size_t test_scratch(const block *b) {
	return test_padded_size(b) + output_size(b) + most(image->work_size(&b->one), image->work_size(&b->two));
}

static void test_image(void *data, int n, float *scratch) {
	block *b = data;
	const convolution *c = &b->two;
	float *padded = scratch, *f = padded + test_padded_size(b), *work = f + output_size(b), *h = b->output + n * output_size(b);
	image->pad(c->height * b->one.stride, c->width * b->one.stride, b->one.in, b->x + n * input_size(b), padded);
	image->convolve(&b->one, padded, b->packed1, f, work);
	image->padded_relu(c->height, c->width, c->in, f, b->slope1, b->shift1, padded);
	image->convolve(c, padded, b->packed2, f, work);
	image->shortcut_relu(pixels(b), c->out, f, b->slope, b->shift, h, h, NULL);
}

int stochdepth_test(ffi_call *call, block *b, float survival) {
	normalization(b, b->scale1, b->offset1, b->mean1, b->variance1, b->slope1, b->shift1);
	normalization(b, b->scale2, b->offset2, b->mean2, b->variance2, b->slope, b->shift);
	for (int c = 0; c < b->one.out; c++) {
		b->slope[c] *= survival;
		b->shift[c] *= survival;
	}
	b->packed1 = take(image->packed_size(&b->one) + image->packed_size(&b->two), &kept_sums);
	if (!b->packed1)
		return 1;
	b->packed2 = b->packed1 + image->packed_size(&b->one);
	image->pack(&b->one, b->kernel1, b->packed1);
	image->pack(&b->two, b->kernel2, b->packed2);
	int missed = stochdepth_parallel(call, b->batch, test_scratch(b), test_image, b);
	put_back(b->packed1, &kept_sums);
	return missed;
}

// --- Convolutions alone ---

static void convolve_image(void *data, int n, float *scratch) {
	block *b = data;
	const convolution *c = &b->one;
	float *padded = scratch;
	image->pad(c->height * c->stride, c->width * c->stride, c->in, b->x + n * input_size(b), padded);
	image->convolve(c, padded, b->packed1, b->output + n * output_size(b), padded + padded_size(c));
}

int stochdepth_convolve(ffi_call *call, block *b) {
	b->packed1 = take(image->packed_size(&b->one), &kept_sums);
	if (!b->packed1)
		return 1;
	image->pack(&b->one, b->kernel1, b->packed1);
	int missed = stochdepth_parallel(call, b->batch, convolution_scratch(&b->one), convolve_image, b);
	put_back(b->packed1, &kept_sums);
	return missed;
}

static void kernel_gradient_part(void *data, int part, float *scratch) {
	block *b = data;
	const convolution *c = &b->one;
	float *sums = scratch, *padded = sums + zero_sums(c, sums), *work = padded + padded_size(c);
	for (int n = from(b, part); n < from(b, part + 1); n++) {
		image->pad(c->height * c->stride, c->width * c->stride, c->in, b->x + n * input_size(b), padded);
		image->kernel_gradient(c, padded, b->dh + n * output_size(b), (long)c->width * c->out, sums, work);
	}
	end_sums(b, c, part, sums);
}

int stochdepth_convolve_kernel_gradient(ffi_call *call, block *b) {
	b->partial = take((size_t)b->parts * 9 * b->one.in * b->one.out, &kept_sums);
	if (!b->partial)
		return 1;
	int missed = stochdepth_parallel(call, b->parts, image->sums_size(&b->one) + padded_size(&b->one) + image->work_size(&b->one), kernel_gradient_part, b);
	add_parts(b, &b->one, b->dkernel1);
	put_back(b->partial, &kept_sums);
	return missed;
}
