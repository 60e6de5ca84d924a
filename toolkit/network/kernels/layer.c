//go:build linux && amd64 && cgo && !nokernels

#include "layer.h"

#include <math.h>

#include "convolution.h"
#include "parallel.h"
#include "workspace.h"

// --- Forward ---

typedef struct {
	images of;
	const layer *l;
	const float *x;
	const normalization *before;
	float *packed;      // the kernel as image.h wants it
	image_sums moments; // NULL unless they are asked for
} convolution_job;

static void convolve_image(void *data, int position, float *scratch) {
	convolution_job *j = data;
	const convolution *c = &j->l->c;
	int n = image_at(j->of, position);
	const float *x = j->x + n * input_size(c);
	float *padded = scratch, *y = j->l->y + n * output_size(c);
	if (j->before)
		stochdepth_image->padded_relu(c->height, c->width, c->in, x, j->before->slope, j->before->shift, padded);
	else
		stochdepth_image->pad(c->height * c->stride, c->width * c->stride, c->in, x, padded);
	products_of(c)->convolve(c, padded, j->packed, y, padded + padded_size(c));
	if (j->moments.sums)
		stochdepth_image->moments(y, pixels(c), c->out, j->moments.sums + (size_t)position * c->out, j->moments.products + (size_t)position * c->out);
}

// statistics joins the moments of count images to their mean and (biased) variance.
static void statistics(int count, const layer *l, image_sums moments) {
	int channels = l->c.out;
	for (int c = 0; c < channels; c++) {
		double m = 0, squares = 0, between = 0;
		for (int n = 0; n < count; n++) {
			m += moments.sums[(size_t)n * channels + c];
			squares += moments.products[(size_t)n * channels + c];
		}
		m /= count;
		for (int n = 0; n < count; n++) {
			double d = moments.sums[(size_t)n * channels + c] - m;
			between += d * d;
		}
		l->mean[c] = m;
		l->variance[c] = squares / count / pixels(&l->c) + between / count;
	}
}

int stochdepth_layer_convolution(ffi_call *call, images of, const layer *l, const float *x, const normalization *before, int measure) {
	const convolution *c = &l->c;
	size_t sums = measure ? (size_t)of.count * c->out : 0;
	float *memory = stochdepth_take(2 * sums + products_of(c)->packed_size(c), SUMS);
	if (!memory)
		return 1;
	convolution_job j = {.of = of, .l = l, .x = x, .before = before, .packed = memory + 2 * sums};
	if (measure)
		j.moments = (image_sums){memory, memory + sums};
	products_of(c)->pack(c, l->kernel, j.packed);
	int missed = stochdepth_parallel(call, of.count, padded_size(c) + products_of(c)->work_size(c), convolve_image, &j);
	if (measure)
		statistics(of.count, l, j.moments);
	stochdepth_put_back(memory, SUMS);
	return missed;
}

void stochdepth_layer_normalization(const layer *l, float scale, normalization *n) {
	for (int c = 0; c < l->c.out; c++) {
		float slope = l->scale[c] / sqrtf(l->variance[c] + epsilon), shift = l->offset[c] - l->mean[c] * slope;
		n->slope[c] = slope * scale;
		n->shift[c] = shift * scale;
	}
}

// --- Backward ---

typedef struct {
	images of;
	const layer *l;
	const float *output, *dh;
	image_sums sums;
} gradient_job;

static void output_gradient_sums(void *data, int position, float *scratch) {
	gradient_job *j = data;
	const convolution *c = &j->l->c;
	size_t at = image_at(j->of, position) * output_size(c), row = (size_t)position * c->out;
	stochdepth_image->gradient_sums(pixels(c), c->out, j->output + at, j->dh + at, j->l->y + at, j->sums.sums + row, j->sums.products + row);
}

int stochdepth_layer_gradient_sums(ffi_call *call, images of, const layer *l, const float *output, const float *dh, image_sums sums) {
	gradient_job j = {of, l, output, dh, sums};
	return stochdepth_parallel(call, of.count, 0, output_gradient_sums, &j);
}

// It sets the coefficients of dy, x and 1 in dx = slope (dy - sum(dy)/M - x' sum(dy x')/M), x' = (x - mean)/deviation,
// where x is the layer's y, and M the number of its values.
void stochdepth_layer_normalization_gradient(int count, const layer *l, float branch_scale, image_sums sums, const layer_gradient *d, normalization_gradient *n) {
	int channels = l->c.out;
	double values = (double)count * pixels(&l->c);
	for (int c = 0; c < channels; c++) {
		double sum = 0, product = 0, deviation = sqrt((double)l->variance[c] + epsilon);
		for (int i = 0; i < count; i++) {
			sum += sums.sums[(size_t)i * channels + c];
			product += sums.products[(size_t)i * channels + c];
		}
		sum *= branch_scale;
		product *= branch_scale;
		double ds = (product - l->mean[c] * sum) / deviation, slope = l->scale[c] / deviation, x_slope = -slope * ds / values / deviation;
		d->scale[c] = ds;
		d->offset[c] = sum;
		n->slope[c] = slope * branch_scale;
		n->y_slope[c] = x_slope;
		n->shift[c] = -slope * sum / values - l->mean[c] * x_slope;
	}
}
