//go:build linux && amd64 && cgo && !nokernels

// The functions that XLA calls. They find the parts of a block in their arguments.

#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"

// question reports whether a call does not ask for the execution, and answers XLA's question for the version of the
// interface.
static int question(ffi_call *call) {
	if (call->extensions && call->extensions->type == FFI_EXTENSION_METADATA) {
		ffi_metadata_extension *e = (ffi_metadata_extension *)call->extensions;
		e->metadata->version.major = FFI_MAJOR;
		e->metadata->version.minor = FFI_MINOR;
		return 1;
	}
	return call->stage != FFI_STAGE_EXECUTE;
}

static void *fail(ffi_call *call, int code, const char *message) {
	return call->api->create_error(&(ffi_create_error_args){.size = sizeof(ffi_create_error_args), .message = message, .code = code});
}

static void *unknown(ffi_call *call) {
	return fail(call, FFI_INVALID_ARGUMENT, "stochdepth: a kernel was called with other arrays than it takes");
}

// done returns the result of a call: an error if memory was short.
static void *done(ffi_call *call, int missed) {
	return missed ? fail(call, FFI_RESOURCE_EXHAUSTED, "stochdepth: memory is short: end other programs and start again, or take a smaller minibatch") : NULL;
}

// Patterns of the functions' arguments and results, each with its arrays in their order. A digit is an array of float32
// with that number of axes, i an integer, o a list of integers; groups in brackets may be left out. A result with the name
// of an argument is in the memory of that argument. In shapes b is the minibatch, n the number of blocks in the stack, and
// h and w are the output's height and width.
#define PARAMETERS "553"                         // kernel1 [n, 3, 3, in, out], kernel2 [n, 3, 3, out, out],
                                                 // affine [n, 4, out]: scale1, offset1, scale2, offset2
#define BLOCK PARAMETERS "[1][2]5553"            // the parameters, [scales of the branches [n],] [weights of the images [n, b],]
                                                 // outputs [n+1, b, h, w, out], first and second [n or 1, b, h, w, out],
                                                 // statistics [n, 4, out]: mean1, variance1, mean2, variance2
#define FORWARD "iio[4]4" BLOCK                  // k, count, order [n], [a transition's x,] h [b, h, w, out], the block's arrays
#define FORWARD_RESULTS "45553"                  // h, outputs, first, second, statistics
#define BACKWARD "io[4]4" BLOCK "[4]" PARAMETERS // k, order, [x,] dh, the block's arrays, [dx,] the parameters' gradients
#define BACKWARD_RESULTS "4[55][4]" PARAMETERS   // dh, [first, second, if computed again,] [dx,] the parameters' gradients
#define TEST "i[4]41" PARAMETERS "3"             // k, [x,] h, scales, the parameters, the running averages as statistics
#define TEST_RESULTS "4"                         // h
#define STEM "i44114411"                         // k, images, kernel, scale, offset, output, first, mean, variance
#define STEM_RESULTS "4411"                      // output, first, mean, variance
#define STEM_GRADIENT "i4414411411"              // k, images, dh, scale, output, first, mean, variance, dkernel, dscale, doffset
#define STEM_GRADIENT_RESULTS "411"              // dkernel, dscale, doffset
#define MOMENTS "2"                              // x
#define MOMENTS_RESULTS "11"                     // mean, variance
#define MOMENTS_GRADIENT "2112"                  // x, mean, variance, dy
#define MOMENTS_GRADIENT_RESULTS "11"            // dscale, doffset
#define CONVOLVE "44"                            // x, kernel; or x, dy for the kernel's gradient
#define CONVOLVE_RESULTS "4"                     // y; or dkernel

// are reports whether arrays match a pattern. A group in brackets is present if its bit is set in groups; the bit of the
// first group is 1.
static int are(const ffi_buffers *arrays, const char *pattern, int groups) {
	int i = 0, bit = 1;
	for (const char *p = pattern; *p; p++) {
		if (*p == '[') {
			if (!(groups & bit))
				p = strchr(p, ']');
			bit *= 2;
			continue;
		}
		if (*p == ']')
			continue;
		if (i == arrays->count)
			return 0;
		const ffi_buffer *b = arrays->buffers[i];
		int integers = *p == 'i' || *p == 'o', rank = *p == 'i' ? 0 : *p == 'o' ? 1 : *p - '0';
		if (arrays->types[i] != FFI_BUFFER || b->dtype != (integers ? FFI_S32 : FFI_F32) || b->rank != rank)
			return 0;
		i++;
	}
	return i == arrays->count;
}

// groups_of returns the groups of a pattern that are present in arrays, or -1 if the arrays do not match the pattern.
static int groups_of(const ffi_buffers *arrays, const char *pattern) {
	int all = 1;
	for (const char *p = pattern; *p; p++)
		if (*p == '[')
			all *= 2;
	for (int groups = 0; groups < all; groups++)
		if (are(arrays, pattern, groups))
			return groups;
	return -1;
}

// in_place reports whether each result is in the memory of one of the arguments, in the same order.
static int in_place(const ffi_call *call) {
	int64_t at = 0;
	for (int64_t i = 0; i < call->results.count; i++, at++) {
		while (at < call->arguments.count && call->arguments.buffers[at]->data != call->results.buffers[i]->data)
			at++;
		if (at == call->arguments.count)
			return 0;
	}
	return 1;
}

// row is entry i of a stack.
static float *row(const ffi_buffer *stack, int i) {
	size_t size = 1;
	for (int a = 1; a < stack->rank; a++)
		size *= stack->dims[a];
	return (float *)stack->data + i * size;
}

static int integer(const ffi_buffer *b) { return *(int *)b->data; }

// chosen is the index of the open block at position k, or -1 if there is none. kernel is the stack of the blocks' kernels.
static int chosen(const ffi_buffer *order, int k, const ffi_buffer *kernel) {
	int open = k >= 0 && k < order->dims[0] ? ((int *)order->data)[k] : -1;
	return open < kernel->dims[0] ? open : -1;
}

enum { TRANSITION = 1, SCALED = 2, PER_SAMPLE = 4, DX = 8 }; // groups of FORWARD and BACKWARD

// layers fills in a block's layers, from row i of the parameters and of the statistics.
static void layers(block *b, ffi_buffer **parameters, const ffi_buffer *statistics, int i) {
	float *affine = row(parameters[2], i), *s = row(statistics, i);
	int out = statistics->dims[2];
	b->one.kernel = row(parameters[0], i), b->one.scale = affine, b->one.offset = affine + out;
	b->two.kernel = row(parameters[1], i), b->two.scale = affine + 2 * out, b->two.offset = affine + 3 * out;
	b->one.mean = s, b->one.variance = s + out;
	b->two.mean = s + 2 * out, b->two.variance = s + 3 * out;
}

// A block in training, with the values that are kept for its gradient.
typedef struct {
	block block;
	float *shortcut, *output;
	int recompute; // y of both layers is not kept, but is memory for one block
	int *list;     // of its images, or NULL; must be freed
} trained;

// list_images lists a minibatch's images, starting with the open ones, whose weights are not 0. The result is a new array,
// or NULL.
static int *list_images(const float *weights, int batch, int *open) {
	int *list = malloc(batch * sizeof *list), closed = batch;
	*open = 0;
	for (int n = 0; list && n < batch; n++)
		list[weights[n] > 0 ? (*open)++ : --closed] = n;
	return list;
}

// describe finds the open block at position k in its stacks, and sets *end to the end of their list.
static trained describe(ffi_buffer **a, int groups, const ffi_buffer *transition, int k, int open, int rounded, ffi_buffer ***end) {
	ffi_buffer **parameters = a, *kernel = a[0];
	a += 3;
	float *scales = groups & SCALED ? (*a++)->data : NULL, *weights = groups & PER_SAMPLE ? row(*a++, open) : NULL;
	ffi_buffer *outputs = a[0], *first = a[1], *second = a[2], *statistics = a[3];
	*end = a + 4;
	int64_t *d = outputs->dims;
	int in = kernel->dims[3], out = kernel->dims[4], stride = transition ? transition->dims[1] / d[2] : 1;
	trained t = {.shortcut = row(outputs, k), .output = row(outputs, k + 1), .recompute = first->dims[0] < kernel->dims[0]};
	block *b = &t.block;
	b->batch = b->open.count = d[1];
	if (weights)
		b->open.list = t.list = list_images(weights, b->batch, &b->open.count);
	b->x = transition ? transition->data : t.shortcut;
	b->scale = scales ? scales[open] : 1;
	layers(b, parameters, statistics, open);
	b->one.c = (convolution){d[2], d[3], stride, in, out, rounded};
	b->two.c = (convolution){d[2], d[3], 1, out, out, rounded};
	b->one.y = row(first, t.recompute ? 0 : k);
	b->two.y = row(second, t.recompute ? 0 : k);
	return t;
}

// refused returns an error if a block cannot be computed, because memory for the list of its images is short or none of
// them is open, or else NULL. The loops skip blocks that no image opens.
static void *refused(ffi_call *call, const trained *t, int groups) {
	if (groups & PER_SAMPLE && !t->list)
		return done(call, 1);
	return t->block.open.count == 0 ? fail(call, FFI_INVALID_ARGUMENT, "stochdepth: a kernel was called for a block that no image opens") : NULL;
}

static void *run_forward(ffi_call *call, int rounded) {
	int groups = groups_of(&call->arguments, FORWARD);
	if (groups < 0 || !are(&call->results, FORWARD_RESULTS, 0) || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, *transition = groups & TRANSITION ? a[3] : NULL, **arrays = a + (transition ? 5 : 4), **end;
	int k = integer(a[0]), count = integer(a[1]), open = chosen(a[2], k, arrays[0]);
	if (open < 0)
		return unknown(call);
	trained t = describe(arrays, groups, transition, k, open, rounded, &end);
	float *last = k == count - 1 ? call->results.buffers[0]->data : NULL;
	void *error = refused(call, &t, groups);
	if (!error)
		error = done(call, stochdepth_forward(call, &t.block, t.shortcut, t.output, last));
	free(t.list);
	return error;
}

static void *run_backward(ffi_call *call, int rounded) {
	int groups = groups_of(&call->arguments, BACKWARD);
	if (groups < 0 || !(groups & TRANSITION) != !(groups & DX) || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, *transition = groups & TRANSITION ? a[2] : NULL, **arrays = a + (transition ? 4 : 3), **d;
	int k = integer(a[0]), open = chosen(a[1], k, arrays[0]);
	if (open < 0)
		return unknown(call);
	trained t = describe(arrays, groups, transition, k, open, rounded, &d);
	if (!are(&call->results, BACKWARD_RESULTS, (t.recompute ? 1 : 0) + (transition ? 2 : 0))) {
		free(t.list);
		return unknown(call);
	}
	float *dh = arrays[-1]->data, *dx = transition ? (*d++)->data : NULL, *affine = row(d[2], open);
	int out = t.block.two.c.out;
	layer_gradient one = {row(d[0], open), affine, affine + out}, two = {row(d[1], open), affine + 2 * out, affine + 3 * out};
	void *error = refused(call, &t, groups);
	if (!error)
		error = done(call, stochdepth_backward(call, &t.block, t.output, dh, dx, one, two, t.recompute));
	free(t.list);
	return error;
}

static void *run_test(ffi_call *call, int rounded) {
	int transition = groups_of(&call->arguments, TEST);
	if (transition < 0 || !are(&call->results, TEST_RESULTS, 0) || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers + 1 + transition, *h = a[0], *kernel = a[2];
	int k = integer(call->arguments.buffers[0]);
	if (k < 0 || k >= kernel->dims[0])
		return unknown(call);
	int64_t *d = h->dims;
	int stride = transition ? a[-1]->dims[1] / d[1] : 1;
	block b = {.batch = d[0], .x = transition ? a[-1]->data : h->data, .scale = ((float *)a[1]->data)[k]};
	layers(&b, a + 2, a[5], k);
	b.one.c = (convolution){d[1], d[2], stride, kernel->dims[3], d[3], rounded};
	b.two.c = (convolution){d[1], d[2], 1, d[3], d[3], rounded};
	return done(call, stochdepth_test(call, &b, h->data));
}

// between is the convolution that makes y of x.
static convolution between(const ffi_buffer *x, const ffi_buffer *y, int rounded) {
	int64_t *d = y->dims;
	return (convolution){d[1], d[2], x->dims[1] / d[1], x->dims[3], d[3], rounded};
}

static void *run_stem(ffi_call *call, int rounded) {
	if (!are(&call->arguments, STEM, 0) || !are(&call->results, STEM_RESULTS, 0) || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers;
	stem s = {.batch = a[5]->dims[0], .x = a[1]->data,
		.one = {.c = between(a[1], a[5], rounded), .kernel = a[2]->data, .scale = a[3]->data, .offset = a[4]->data,
			.y = a[6]->data, .mean = a[7]->data, .variance = a[8]->data}};
	return done(call, stochdepth_stem(call, &s, a[5]->data));
}

static void *run_stem_gradient(ffi_call *call, int rounded) {
	if (!are(&call->arguments, STEM_GRADIENT, 0) || !are(&call->results, STEM_GRADIENT_RESULTS, 0) || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers;
	stem s = {.batch = a[4]->dims[0], .x = a[1]->data,
		.one = {.c = between(a[1], a[4], rounded), .scale = a[3]->data, .y = a[5]->data, .mean = a[6]->data, .variance = a[7]->data}};
	return done(call, stochdepth_stem_gradient(call, &s, a[4]->data, a[2]->data, (layer_gradient){a[8]->data, a[9]->data, a[10]->data}));
}

static void *run_convolve(ffi_call *call, int rounded) {
	if (!are(&call->arguments, CONVOLVE, 0) || !are(&call->results, CONVOLVE_RESULTS, 0))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, *y = call->results.buffers[0];
	convolution c = between(a[0], y, rounded);
	return done(call, stochdepth_convolve(call, y->dims[0], &c, a[0]->data, a[1]->data, y->data));
}

static void *run_kernel_gradient(ffi_call *call, int rounded) {
	if (!are(&call->arguments, CONVOLVE, 0) || !are(&call->results, CONVOLVE_RESULTS, 0))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, *dkernel = call->results.buffers[0];
	convolution c = between(a[0], a[1], rounded);
	return done(call, stochdepth_convolve_kernel_gradient(call, a[1]->dims[0], &c, a[0]->data, a[1]->data, dkernel->data));
}

// What convolves is there twice: with float32 factors, and with factors rounded to bfloat16.
#define CALL(NAME) \
	void *stochdepth_call_##NAME(ffi_call *call) { return question(call) ? NULL : run_##NAME(call, 0); } \
	void *stochdepth_call_##NAME##_rounded(ffi_call *call) { return question(call) ? NULL : run_##NAME(call, 1); }

CALL(forward)
CALL(backward)
CALL(test)
CALL(stem)
CALL(stem_gradient)
CALL(convolve)
CALL(kernel_gradient)

void *stochdepth_call_moments(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, MOMENTS, 0) || !are(&call->results, MOMENTS_RESULTS, 0))
		return unknown(call);
	ffi_buffer *x = call->arguments.buffers[0], **r = call->results.buffers;
	return done(call, stochdepth_moments(call, x->dims[0], x->dims[1], x->data, r[0]->data, r[1]->data));
}

void *stochdepth_call_moments_gradient(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, MOMENTS_GRADIENT, 0) || !are(&call->results, MOMENTS_GRADIENT_RESULTS, 0))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, **r = call->results.buffers;
	return done(call, stochdepth_moments_gradient(call, a[0]->dims[0], a[0]->dims[1], a[0]->data, a[1]->data, a[2]->data, a[3]->data,
		r[0]->data, r[1]->data));
}

// The result is memory of any content: nothing is written.
void *stochdepth_call_memory(ffi_call *call) {
	question(call);
	return NULL;
}
