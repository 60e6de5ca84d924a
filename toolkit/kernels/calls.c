//go:build linux && amd64 && cgo && !nokernels

// The functions that XLA calls: they find a block in their arguments.

#include "calls.h"

#include <string.h>

#include "block.h"

// question answers XLA's question for the version of the interface.
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

// done is what XLA gets to know: an error where memory was short.
static void *done(ffi_call *call, int missed) {
	return missed ? fail(call, FFI_RESOURCE_EXHAUSTED, "stochdepth: memory is short: end other programs and start again, or take a smaller minibatch") : NULL;
}

// are says whether arrays are those of a pattern: i is an integer, o a list of integers, and a digit the
// number of axes of an array of float32.
static int are(const ffi_buffers *arrays, const char *pattern) {
	if (arrays->count != (int64_t)strlen(pattern))
		return 0;
	for (int i = 0; i < arrays->count; i++) {
		const ffi_buffer *b = arrays->buffers[i];
		int integers = pattern[i] == 'i' || pattern[i] == 'o', rank = pattern[i] == 'i' ? 0 : pattern[i] == 'o' ? 1 : pattern[i] - '0';
		if (arrays->types[i] != FFI_BUFFER || b->dtype != (integers ? FFI_S32 : FFI_F32) || b->rank != rank)
			return 0;
	}
	return 1;
}

// in_place says whether each result is in the memory of one of the arguments, in their order.
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

// chosen is the open block at position k, or -1 where there is none. kernel is a stack of the blocks'.
static int chosen(const ffi_buffer *order, int k, const ffi_buffer *kernel) {
	int open = k >= 0 && k < order->dims[0] ? ((int *)order->data)[k] : -1;
	return open < kernel->dims[0] ? open : -1;
}

// A block's parameters (or their gradients): kernel1, kernel2, and affine, which is scale1, offset1, scale2 and
// offset2. Then its arrays: outputs, first, second, and the statistics mean1, variance1, mean2 and variance2.
#define PARAMETERS "553"
#define BLOCK PARAMETERS "5553"

static void parameters(block *b, ffi_buffer **a, int i) {
	float *affine = row(a[2], i);
	int out = a[2]->dims[2];
	b->kernel1 = row(a[0], i), b->kernel2 = row(a[1], i);
	b->scale1 = affine, b->offset1 = affine + out, b->scale2 = affine + 2 * out, b->offset2 = affine + 3 * out;
}

static void measured(block *b, ffi_buffer *statistics, int i) {
	float *s = row(statistics, i);
	int out = statistics->dims[2];
	b->mean1 = s, b->variance1 = s + out, b->mean2 = s + 2 * out, b->variance2 = s + 3 * out;
}

// describe fills a block in from its stacks.
static void describe(block *b, ffi_buffer **a, const ffi_buffer *transition, int k, int open, int *recompute) {
	ffi_buffer *kernel = a[0], *outputs = a[3], *first = a[4], *second = a[5];
	int64_t *d = outputs->dims;
	int in = kernel->dims[3], out = kernel->dims[4], stride = transition ? transition->dims[1] / d[2] : 1;
	b->batch = d[1];
	b->parts = parts_of(b->batch);
	b->one = (convolution){d[2], d[3], stride, in, out};
	b->two = (convolution){d[2], d[3], 1, out, out};
	b->shortcut = row(outputs, k);
	b->x = transition ? transition->data : b->shortcut;
	*recompute = first->dims[0] < kernel->dims[0];
	b->first = row(first, *recompute ? 0 : k);
	b->second = row(second, *recompute ? 0 : k);
	b->output = row(outputs, k + 1);
	parameters(b, a, open);
	measured(b, a[6], open);
}

// Arguments: k, count, order, (x of a transition,) h, and the block's arrays. Results, in the
// memory of the arguments: h, outputs, first, second, and the statistics.
void *stochdepth_call_forward(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	int transition = are(&call->arguments, "iio44" BLOCK), recompute;
	if ((!transition && !are(&call->arguments, "iio4" BLOCK)) || !are(&call->results, "45553") || !in_place(call))
		return unknown(call);
	int k = integer(a[0]), count = integer(a[1]), open = chosen(a[2], k, a[4 + transition]);
	if (open < 0)
		return unknown(call);
	block b = {0};
	describe(&b, a + 4 + transition, transition ? a[3] : NULL, k, open, &recompute);
	b.last = k == count - 1 ? call->results.buffers[0]->data : NULL;
	return done(call, stochdepth_forward(call, &b));
}

// Arguments: k, order, (x of a transition,) dh, the block's arrays, (dx,) and the parameters'
// gradients. Results, in the memory of the arguments: dh, (first and second if computed again,) (dx,) and the
// parameters' gradients.
void *stochdepth_call_backward(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	int transition = are(&call->arguments, "io44" BLOCK "4" PARAMETERS), recompute;
	if ((!transition && !are(&call->arguments, "io4" BLOCK PARAMETERS)) || !in_place(call))
		return unknown(call);
	int k = integer(a[0]), open = chosen(a[1], k, a[3 + transition]);
	if (open < 0)
		return unknown(call);
	block b = {0};
	describe(&b, a + 3 + transition, transition ? a[2] : NULL, k, open, &recompute);
	const char *results = transition ? recompute ? "4554" PARAMETERS : "44" PARAMETERS : recompute ? "455" PARAMETERS : "4" PARAMETERS;
	if (!are(&call->results, results))
		return unknown(call);
	b.dh = a[2 + transition]->data;
	ffi_buffer **d = a + 3 + transition + 7;
	if (transition)
		b.dx = (*d++)->data;
	float *affine = row(d[2], open);
	int out = b.one.out;
	b.dkernel1 = row(d[0], open), b.dkernel2 = row(d[1], open);
	b.dscale1 = affine, b.doffset1 = affine + out, b.dscale2 = affine + 2 * out, b.doffset2 = affine + 3 * out;
	return done(call, stochdepth_backward(call, &b, recompute));
}

// Arguments: k, (x of a transition,) h, scales, the parameters and the running averages as statistics. Result, in
// the memory of the argument: h.
void *stochdepth_call_test(ffi_call *call) {
	if (question(call))
		return NULL;
	int transition = are(&call->arguments, "i441" PARAMETERS "3");
	if ((!transition && !are(&call->arguments, "i41" PARAMETERS "3")) || !are(&call->results, "4") || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers + 1 + transition, *h = a[0], *kernel = a[2];
	int k = integer(call->arguments.buffers[0]);
	if (k < 0 || k >= kernel->dims[0])
		return unknown(call);
	int64_t *d = h->dims;
	int stride = transition ? a[-1]->dims[1] / d[1] : 1;
	block b = {.batch = d[0], .one = {d[1], d[2], stride, kernel->dims[3], d[3]}, .two = {d[1], d[2], 1, d[3], d[3]}};
	b.x = transition ? a[-1]->data : h->data;
	b.output = h->data;
	parameters(&b, a + 2, k);
	measured(&b, a[5], k);
	return done(call, stochdepth_test(call, &b, ((float *)a[1]->data)[k]));
}

// one describes a convolution of x to y alone.
static block one(const ffi_buffer *x, const ffi_buffer *y) {
	int64_t *d = y->dims;
	return (block){.batch = d[0], .parts = parts_of(d[0]), .x = x->data,
		.one = {d[1], d[2], x->dims[1] / d[1], x->dims[3], d[3]}};
}

// Arguments: k, images, kernel, scale, offset, output, first, mean, variance. Results, in the memory of the
// arguments: the last four.
void *stochdepth_call_stem(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, "i44114411") || !are(&call->results, "4411") || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[1], a[5]);
	b.kernel1 = a[2]->data, b.scale1 = a[3]->data, b.offset1 = a[4]->data;
	b.output = a[5]->data, b.first = a[6]->data, b.mean1 = a[7]->data, b.variance1 = a[8]->data;
	return done(call, stochdepth_stem(call, &b));
}

// Arguments: k, images, dh, scale, output, first, mean, variance, dkernel, dscale, doffset. Results, in the
// memory of the arguments: the last three.
void *stochdepth_call_stem_gradient(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, "i4414411411") || !are(&call->results, "411") || !in_place(call))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[1], a[4]);
	b.dh = a[2]->data, b.scale1 = a[3]->data, b.output = a[4]->data, b.first = a[5]->data;
	b.mean1 = a[6]->data, b.variance1 = a[7]->data;
	b.dkernel1 = a[8]->data, b.dscale1 = a[9]->data, b.doffset1 = a[10]->data;
	return done(call, stochdepth_stem_gradient(call, &b));
}

// (x, kernel) = y.
void *stochdepth_call_convolve(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, "44") || !are(&call->results, "4"))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers, *y = call->results.buffers[0];
	block b = one(a[0], y);
	b.kernel1 = a[1]->data;
	b.output = y->data;
	return done(call, stochdepth_convolve(call, &b));
}

// (x, dy) = dkernel.
void *stochdepth_call_kernel_gradient(ffi_call *call) {
	if (question(call))
		return NULL;
	if (!are(&call->arguments, "44") || !are(&call->results, "4"))
		return unknown(call);
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[0], a[1]);
	b.dh = a[1]->data;
	b.dkernel1 = call->results.buffers[0]->data;
	return done(call, stochdepth_convolve_kernel_gradient(call, &b));
}

// Its result is memory as it comes, not set to anything.
void *stochdepth_call_memory(ffi_call *call) {
	question(call);
	return NULL;
}
