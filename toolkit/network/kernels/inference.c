//go:build linux && amd64 && cgo && !nokernels

// A block at test, in place: one image after the other, since nothing is summed over the minibatch.

#include "block.h"

#include "convolution.h"
#include "layer.h"
#include "parallel.h"
#include "workspace.h"

typedef struct {
	const block *b;
	normalization one, two; // two with the branch's scale
	float *packed1, *packed2, *h;
} job;

static size_t test_padded_size(const block *b) { return most(padded_size(&b->one.c), padded_size(&b->two.c)); }

static size_t test_scratch(const block *b) {
	return test_padded_size(b) + output_size(&b->two.c) + most(products_of(&b->one.c)->work_size(&b->one.c), products_of(&b->two.c)->work_size(&b->two.c));
}

static void test_image(void *data, int n, float *scratch) {
	job *j = data;
	const convolution *c1 = &j->b->one.c, *c2 = &j->b->two.c;
	float *padded = scratch, *f = padded + test_padded_size(j->b), *work = f + output_size(c2), *h = j->h + n * output_size(c2);
	stochdepth_image->pad(c1->height * c1->stride, c1->width * c1->stride, c1->in, j->b->x + n * input_size(c1), padded);
	products_of(c1)->convolve(c1, padded, j->packed1, f, work);
	stochdepth_image->padded_relu(c2->height, c2->width, c2->in, f, j->one.slope, j->one.shift, padded);
	products_of(c2)->convolve(c2, padded, j->packed2, f, work);
	stochdepth_image->shortcut_relu(pixels(c2), c2->out, f, j->two.slope, j->two.shift, h, h, NULL);
}

int stochdepth_test(ffi_call *call, const block *b, float *h) {
	const convolution *c1 = &b->one.c, *c2 = &b->two.c;
	job j = {.b = b, .h = h};
	stochdepth_layer_normalization(&b->one, 1, &j.one);
	stochdepth_layer_normalization(&b->two, b->scale, &j.two);
	j.packed1 = stochdepth_take(products_of(c1)->packed_size(c1) + products_of(c2)->packed_size(c2), SUMS);
	if (!j.packed1)
		return 1;
	j.packed2 = j.packed1 + products_of(c1)->packed_size(c1);
	products_of(c1)->pack(c1, b->one.kernel, j.packed1);
	products_of(c2)->pack(c2, b->two.kernel, j.packed2);
	int missed = stochdepth_parallel(call, b->batch, test_scratch(b), test_image, &j);
	stochdepth_put_back(j.packed1, SUMS);
	return missed;
}
