//go:build linux && amd64 && cgo && !nokernels

// The stem: convolution, normalisation and ReLU of images with few channels.

#include "block.h"

#include "convolution.h"
#include "layer.h"
#include "parallel.h"
#include "workspace.h"

typedef struct {
	const stem *s;
	const normalization *n;
	float *output;
} relu_job;

static void stem_relu(void *data, int n, float *scratch) {
	relu_job *j = data;
	const convolution *c = &j->s->one.c;
	size_t at = n * output_size(c);
	stochdepth_image->shortcut_relu(pixels(c), c->out, j->s->one.y + at, j->n->slope, j->n->shift, NULL, j->output + at, NULL);
}

int stochdepth_stem(ffi_call *call, const stem *s, float *output) {
	normalization n;
	if (stochdepth_layer_convolution(call, (images){.count = s->batch}, &s->one, s->x, NULL, 1))
		return 1;
	stochdepth_layer_normalization(&s->one, 1, &n);
	relu_job j = {s, &n, output};
	return stochdepth_parallel(call, s->batch, 0, stem_relu, &j);
}

typedef struct {
	const stem *s;
	const float *output, *dh;
	normalization_gradient n;
	float *partial; // kernel gradients of the parts
} gradient_job;

static size_t stem_gradient_scratch(const convolution *c) {
	return products_of(c)->sums_size(c) + padded_size(c) + padded_output_size(c) + products_of(c)->work_size(c);
}

static void stem_kernel_gradient(void *data, int part, float *scratch) {
	gradient_job *j = data;
	const stem *s = j->s;
	const convolution *c = &s->one.c;
	long row = (long)(c->width + 2) * c->out;
	float *sums = scratch, *x = sums + stochdepth_begin_sums(c, sums), *gradient = x + padded_size(c), *work = gradient + padded_output_size(c);
	for (int n = from(s->batch, part); n < from(s->batch, part + 1); n++) {
		size_t at = n * output_size(c);
		stochdepth_image->pad(c->height, c->width, c->in, s->x + n * input_size(c), x);
		stochdepth_image->padded_gradient(c->height, c->width, c->out, j->output + at, j->dh + at, s->one.y + at, j->n.slope, j->n.y_slope, j->n.shift, gradient);
		products_of(c)->kernel_gradient(c, x, gradient + row + c->out, row, sums, work);
	}
	stochdepth_end_sums(c, sums, part, j->partial);
}

int stochdepth_stem_gradient(ffi_call *call, const stem *s, const float *output, const float *dh, layer_gradient one) {
	const convolution *c = &s->one.c;
	int parts = parts_of(s->batch);
	size_t sums = (size_t)s->batch * c->out;
	float *memory = stochdepth_take(2 * sums + parts * kernel_size(c), SUMS);
	if (!memory)
		return 1;
	image_sums by_image = {memory, memory + sums};
	gradient_job j = {.s = s, .output = output, .dh = dh, .partial = memory + 2 * sums};
	int missed = stochdepth_layer_gradient_sums(call, (images){.count = s->batch}, &s->one, output, dh, by_image);
	stochdepth_layer_normalization_gradient(s->batch, &s->one, 1, by_image, &one, &j.n);
	missed |= stochdepth_parallel(call, parts, stem_gradient_scratch(c), stem_kernel_gradient, &j);
	stochdepth_add_parts(j.partial, parts, c, one.kernel);
	stochdepth_put_back(memory, SUMS);
	return missed;
}
