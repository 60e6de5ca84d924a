//go:build linux && amd64 && cgo && !nokernels

// The gradients of an open block.

#include "block.h"

#include "convolution.h"
#include "layer.h"
#include "parallel.h"
#include "workspace.h"

typedef struct {
	const block *b;
	const float *output;
	float *dh, *dx;
	float *dy;                // gradient of the first layer's output, of open images only
	float *packed1, *packed2; // the kernels of the backward convolutions
	image_sums sums;
	float *partial; // kernel gradients of the parts
	normalization one;
	normalization_gradient n; // of the layer that is computed
} job;

// backwards is the convolution that computes the gradient of x from the gradient of y: with the kernel flipped, and with
// zeros between the gradient's pixels if the stride is not 1.
static convolution backwards(const convolution *c) {
	return (convolution){c->height * c->stride, c->width * c->stride, 1, c->out, c->in, c->rounded};
}

// flip rotates a kernel [3, 3, in, out] by half a turn and swaps its channels: [3, 3, out, in].
static void flip(const convolution *c, const float *w, float *flipped) {
	for (int k = 0; k < 9; k++)
		for (int i = 0; i < c->in; i++)
			for (int o = 0; o < c->out; o++)
				flipped[((size_t)(8 - k) * c->out + o) * c->in + i] = w[((size_t)k * c->in + i) * c->out + o];
}

static size_t second_gradient_scratch(const block *b) {
	const convolution *c = &b->two.c;
	return products_of(c)->sums_size(c) + 2 * padded_size(c) + products_of(c)->work_size(c);
}

static void second_gradient(void *data, int part, float *scratch) {
	job *j = data;
	const block *b = j->b;
	const convolution *c = &b->two.c;
	const normalization_gradient *g = &j->n;
	long row = (long)(c->width + 2) * c->in;
	float *sums = scratch, *activation = sums + stochdepth_begin_sums(c, sums), *gradient = activation + padded_size(c), *work = gradient + padded_size(c);
	for (int position = from(b->open.count, part); position < from(b->open.count, part + 1); position++) {
		size_t at = image_at(b->open, position) * output_size(c);
		float *dy = j->dy + position * output_size(c);
		stochdepth_image->padded_relu(c->height, c->width, c->in, b->one.y + at, j->one.slope, j->one.shift, activation);
		stochdepth_image->padded_gradient(c->height, c->width, c->out, j->output + at, j->dh + at, b->two.y + at, g->slope, g->y_slope, g->shift, gradient);
		products_of(c)->kernel_gradient(c, activation, gradient + row + c->out, row, sums, work);
		products_of(c)->convolve(c, gradient, j->packed2, dy, work);
		stochdepth_image->masked(c->height, c->width, c->in, activation, dy);
		size_t at_sum = (size_t)position * c->in;
		stochdepth_image->gradient_sums(pixels(c), c->in, NULL, dy, b->one.y + at, j->sums.sums + at_sum, j->sums.products + at_sum);
	}
	stochdepth_end_sums(c, sums, part, j->partial);
}

static size_t first_gradient_scratch(const block *b) {
	const convolution *c = &b->one.c;
	convolution back = backwards(c);
	return products_of(c)->sums_size(c) + padded_size(c) + padded_output_size(c) + padded_size(&back) + input_size(c) +
	       most(products_of(c)->work_size(c), products_of(&back)->work_size(&back));
}

static void first_gradient(void *data, int part, float *scratch) {
	job *j = data;
	const block *b = j->b;
	const convolution *c = &b->one.c;
	const normalization_gradient *g = &j->n;
	convolution back = backwards(c);
	long row = (long)(c->width + 2) * c->out;
	float *sums = scratch, *x = sums + stochdepth_begin_sums(c, sums), *gradient = x + padded_size(c), *dilated = gradient + padded_output_size(c),
	      *dx = dilated + padded_size(&back), *work = dx + input_size(c);
	for (int position = from(b->open.count, part); position < from(b->open.count, part + 1); position++) {
		int n = image_at(b->open, position);
		size_t at = n * output_size(c);
		stochdepth_image->pad(c->height * c->stride, c->width * c->stride, c->in, b->x + n * input_size(c), x);
		stochdepth_image->padded_gradient(c->height, c->width, c->out, NULL, j->dy + position * output_size(c), b->one.y + at, g->slope, g->y_slope, g->shift, gradient);
		products_of(c)->kernel_gradient(c, x, gradient + row + c->out, row, sums, work);
		if (c->stride > 1)
			stochdepth_image->dilate(c->height, c->width, c->out, c->stride, gradient + row + c->out, row, dilated);
		products_of(&back)->convolve(&back, c->stride > 1 ? dilated : gradient, j->packed1, j->dx ? j->dx + n * input_size(c) : dx, work);
		stochdepth_image->shortcut_gradient(pixels(c), c->out, j->output + at, j->dx ? NULL : dx, j->dh + at);
	}
	stochdepth_end_sums(c, sums, part, j->partial);
}

int stochdepth_backward(ffi_call *call, const block *b, const float *output, float *dh, float *dx, layer_gradient one, layer_gradient two, int recompute) {
	const convolution *c1 = &b->one.c, *c2 = &b->two.c, back1 = backwards(c1), back2 = backwards(c2);
	int open = b->open.count, parts = parts_of(open);
	size_t kernel = kernel_size(c2), sums = (size_t)open * c2->out; // the first layer has no more
	job j = {.b = b, .output = output, .dh = dh, .dx = dx};
	stochdepth_layer_normalization(&b->one, 1, &j.one);
	if (recompute && (stochdepth_layer_convolution(call, b->open, &b->one, b->x, NULL, 0) ||
			stochdepth_layer_convolution(call, b->open, &b->two, b->one.y, &j.one, 0)))
		return 1;
	float *memory = stochdepth_take(2 * sums + kernel + products_of(&back1)->packed_size(&back1) + products_of(&back2)->packed_size(&back2), SUMS);
	j.dy = stochdepth_take(open * output_size(c2) + parts * kernel, IMAGES);
	if (!memory || !j.dy) {
		stochdepth_put_back(memory, SUMS);
		stochdepth_put_back(j.dy, IMAGES);
		return 1;
	}
	j.partial = j.dy + open * output_size(c2);
	j.sums = (image_sums){memory, memory + sums};
	float *flipped = memory + 2 * sums;
	j.packed1 = flipped + kernel;
	j.packed2 = j.packed1 + products_of(&back1)->packed_size(&back1);
	flip(c1, b->one.kernel, flipped);
	products_of(&back1)->pack(&back1, flipped, j.packed1);
	flip(c2, b->two.kernel, flipped);
	products_of(&back2)->pack(&back2, flipped, j.packed2);

	int missed = stochdepth_layer_gradient_sums(call, b->open, &b->two, output, dh, j.sums);
	stochdepth_layer_normalization_gradient(open, &b->two, b->scale, j.sums, &two, &j.n);
	missed |= stochdepth_parallel(call, parts, second_gradient_scratch(b), second_gradient, &j);
	stochdepth_add_parts(j.partial, parts, c2, two.kernel);
	stochdepth_layer_normalization_gradient(open, &b->one, 1, j.sums, &one, &j.n);
	missed |= stochdepth_parallel(call, parts, first_gradient_scratch(b), first_gradient, &j);
	stochdepth_add_parts(j.partial, parts, c1, one.kernel);
	stochdepth_put_back(j.dy, IMAGES);
	stochdepth_put_back(memory, SUMS);
	return missed;
}
