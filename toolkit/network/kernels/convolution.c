//go:build linux && amd64 && cgo && !nokernels

// Convolutions alone, and the parts that the gradients of all kernels share.

#include "convolution.h"

#include <string.h>

#include "block.h"
#include "layer.h"
#include "parallel.h"
#include "workspace.h"

const image_table *stochdepth_image;

const char *stochdepth_processor(int version) {
	__builtin_cpu_init();
	if (version != 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
		stochdepth_image = &stochdepth_avx512;
		return "AVX-512";
	}
	if (version != 512 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		stochdepth_image = &stochdepth_avx2;
		return "AVX2";
	}
	return NULL;
}

static const products *by_tiles(const convolution *c) { return stochdepth_image == &stochdepth_avx512 ? stochdepth_amx(c) : NULL; }

const products *products_of(const convolution *c) {
	if (!c->rounded)
		return &stochdepth_image->plain;
	const products *tiles = by_tiles(c);
	return tiles ? tiles : &stochdepth_image->rounded;
}

int stochdepth_tiles(void) { return by_tiles(&(convolution){8, 8, 1, 16, 16, 1}) != NULL; }

int stochdepth_convolve(ffi_call *call, int batch, const convolution *c, const float *x, const float *kernel, float *y) {
	layer l = {.c = *c, .kernel = kernel, .y = y};
	return stochdepth_layer_convolution(call, (images){.count = batch}, &l, x, NULL, 0);
}

size_t stochdepth_begin_sums(const convolution *c, float *sums) {
	size_t size = products_of(c)->sums_size(c);
	memset(sums, 0, size * sizeof(float));
	return size;
}

void stochdepth_end_sums(const convolution *c, const float *sums, int part, float *partial) {
	products_of(c)->summed(c, sums, partial + part * kernel_size(c));
}

void stochdepth_add_parts(const float *partial, int parts, const convolution *c, float *dkernel) {
	size_t size = (size_t)9 * c->in * c->out;
	memcpy(dkernel, partial, size * sizeof(float));
	for (int part = 1; part < parts; part++)
		for (size_t i = 0; i < size; i++)
			dkernel[i] += partial[part * size + i];
}

typedef struct {
	int batch;
	const convolution *c;
	const float *x, *dy;
	float *partial; // kernel gradients of the parts
} kernel_gradient_job;

static void kernel_gradient_part(void *data, int part, float *scratch) {
	kernel_gradient_job *j = data;
	const convolution *c = j->c;
	float *sums = scratch, *padded = sums + stochdepth_begin_sums(c, sums), *work = padded + padded_size(c);
	for (int n = from(j->batch, part); n < from(j->batch, part + 1); n++) {
		stochdepth_image->pad(c->height * c->stride, c->width * c->stride, c->in, j->x + n * input_size(c), padded);
		products_of(c)->kernel_gradient(c, padded, j->dy + n * output_size(c), (long)c->width * c->out, sums, work);
	}
	stochdepth_end_sums(c, sums, part, j->partial);
}

int stochdepth_convolve_kernel_gradient(ffi_call *call, int batch, const convolution *c, const float *x, const float *dy, float *dkernel) {
	int parts = parts_of(batch);
	kernel_gradient_job j = {batch, c, x, dy, stochdepth_take(parts * kernel_size(c), SUMS)};
	if (!j.partial)
		return 1;
	int missed = stochdepth_parallel(call, parts, products_of(c)->sums_size(c) + padded_size(c) + products_of(c)->work_size(c), kernel_gradient_part, &j);
	stochdepth_add_parts(j.partial, parts, c, dkernel);
	stochdepth_put_back(j.partial, SUMS);
	return missed;
}
