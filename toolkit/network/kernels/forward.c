//go:build linux && amd64 && cgo && !nokernels

// An open block in training.

#include "block.h"

#include "convolution.h"
#include "layer.h"
#include "parallel.h"

#include <string.h>

typedef struct {
	const block *b;
	const normalization *n; // the second
	const float *shortcut;
	float *output, *last;
} job;

static void add_shortcut(void *data, int position, float *scratch) {
	job *j = data;
	const convolution *c = &j->b->two.c;
	size_t at = image_at(j->b->open, position) * output_size(c), bytes = output_size(c) * sizeof(float);
	if (position >= j->b->open.count) {
		memcpy(j->output + at, j->shortcut + at, bytes);
		if (j->last)
			memcpy(j->last + at, j->shortcut + at, bytes);
		return;
	}
	stochdepth_image->shortcut_relu(pixels(c), c->out, j->b->two.y + at, j->n->slope, j->n->shift, j->shortcut + at, j->output + at, j->last ? j->last + at : NULL);
}

int stochdepth_forward(ffi_call *call, const block *b, const float *shortcut, float *output, float *last) {
	normalization one, two;
	if (stochdepth_layer_convolution(call, b->open, &b->one, b->x, NULL, 1))
		return 1;
	stochdepth_layer_normalization(&b->one, 1, &one);
	if (stochdepth_layer_convolution(call, b->open, &b->two, b->one.y, &one, 1))
		return 1;
	stochdepth_layer_normalization(&b->two, b->scale, &two);
	job j = {b, &two, shortcut, output, last};
	return stochdepth_parallel(call, b->batch, 0, add_shortcut, &j);
}
