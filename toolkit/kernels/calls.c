//go:build linux && amd64 && cgo && !nokernels

// The functions that XLA calls: they find a block in their arguments.

#include "calls.h"

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

// row is entry i of a stack.
static float *row(const ffi_buffer *stack, int i) {
	size_t size = 1;
	for (int a = 1; a < stack->rank; a++)
		size *= stack->dims[a];
	return (float *)stack->data + i * size;
}

static int integer(const ffi_buffer *b) { return *(int *)b->data; }

// describe fills a block in from its stacks. a[0] is kernel1, a[6] outputs, a[9] the first mean.
static void describe(block *b, ffi_buffer **a, const ffi_buffer *transition, int k, int open, int *recompute) {
	ffi_buffer *kernel = a[0], *outputs = a[6], *first = a[7], *second = a[8];
	int64_t *d = outputs->dims;
	int in = kernel->dims[3], out = kernel->dims[4], stride = transition ? transition->dims[1] / d[2] : 1;
	b->batch = d[1];
	b->parts = parts_of(b->batch);
	b->one = (convolution){d[2], d[3], stride, in, out};
	b->two = (convolution){d[2], d[3], 1, out, out};
	b->shortcut = row(outputs, k);
	b->x = transition ? transition->data : b->shortcut;
	b->kernel1 = row(a[0], open), b->scale1 = row(a[1], open), b->offset1 = row(a[2], open);
	b->kernel2 = row(a[3], open), b->scale2 = row(a[4], open), b->offset2 = row(a[5], open);
	*recompute = first->dims[0] < kernel->dims[0];
	b->first = row(first, *recompute ? 0 : k);
	b->second = row(second, *recompute ? 0 : k);
	b->output = row(outputs, k + 1);
	b->mean1 = row(a[9], open), b->variance1 = row(a[10], open);
	b->mean2 = row(a[11], open), b->variance2 = row(a[12], open);
}

// Arguments: k, count, order, (x of a transition,) h, and from kernel1 on as describe. Results, in the
// memory of the arguments: h, outputs, first, second, and the statistics.
void *stochdepth_call_forward(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	int k = integer(a[0]), count = integer(a[1]), transition = call->arguments.count == 18, recompute;
	block b = {0};
	describe(&b, a + 4 + transition, transition ? a[3] : NULL, k, ((int *)a[2]->data)[k], &recompute);
	b.last = k == count - 1 ? call->results.buffers[0]->data : NULL;
	stochdepth_forward(call, &b);
	return NULL;
}

// Arguments: k, order, (x of a transition,) dh, from kernel1 on as describe, (dx,) and the parameters'
// gradients. Results, in the memory of the arguments: dh, (dx,) and the parameters' gradients.
void *stochdepth_call_backward(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	int k = integer(a[0]), open = ((int *)a[1]->data)[k], transition = call->arguments.count == 24, recompute;
	block b = {0};
	describe(&b, a + 3 + transition, transition ? a[2] : NULL, k, open, &recompute);
	b.dh = a[2 + transition]->data;
	ffi_buffer **d = a + 3 + transition + 13;
	if (transition)
		b.dx = (*d++)->data;
	b.dkernel1 = row(d[0], open), b.dscale1 = row(d[1], open), b.doffset1 = row(d[2], open);
	b.dkernel2 = row(d[3], open), b.dscale2 = row(d[4], open), b.doffset2 = row(d[5], open);
	stochdepth_backward(call, &b, recompute);
	return NULL;
}

// Arguments: k, (x of a transition,) h, scales, from kernel1 to offset2 and the running averages. Result, in
// the memory of the argument: h.
void *stochdepth_call_test(ffi_call *call) {
	if (question(call))
		return NULL;
	int transition = call->arguments.count == 14;
	ffi_buffer **a = call->arguments.buffers + 1 + transition, *h = a[0], *kernel = a[2];
	int k = integer(call->arguments.buffers[0]);
	int64_t *d = h->dims;
	int stride = transition ? a[-1]->dims[1] / d[1] : 1;
	block b = {.batch = d[0], .one = {d[1], d[2], stride, kernel->dims[3], d[3]}, .two = {d[1], d[2], 1, d[3], d[3]}};
	b.x = transition ? a[-1]->data : h->data;
	b.output = h->data;
	b.kernel1 = row(a[2], k), b.scale1 = row(a[3], k), b.offset1 = row(a[4], k);
	b.kernel2 = row(a[5], k), b.scale2 = row(a[6], k), b.offset2 = row(a[7], k);
	b.mean1 = row(a[8], k), b.variance1 = row(a[9], k), b.mean2 = row(a[10], k), b.variance2 = row(a[11], k);
	stochdepth_test(call, &b, ((float *)a[1]->data)[k]);
	return NULL;
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
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[1], a[5]);
	b.kernel1 = a[2]->data, b.scale1 = a[3]->data, b.offset1 = a[4]->data;
	b.output = a[5]->data, b.first = a[6]->data, b.mean1 = a[7]->data, b.variance1 = a[8]->data;
	stochdepth_stem(call, &b);
	return NULL;
}

// Arguments: k, images, dh, scale, output, first, mean, variance, dkernel, dscale, doffset. Results, in the
// memory of the arguments: the last three.
void *stochdepth_call_stem_gradient(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[1], a[4]);
	b.dh = a[2]->data, b.scale1 = a[3]->data, b.output = a[4]->data, b.first = a[5]->data;
	b.mean1 = a[6]->data, b.variance1 = a[7]->data;
	b.dkernel1 = a[8]->data, b.dscale1 = a[9]->data, b.doffset1 = a[10]->data;
	stochdepth_stem_gradient(call, &b);
	return NULL;
}

// (x, kernel) = y.
void *stochdepth_call_convolve(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers, *y = call->results.buffers[0];
	block b = one(a[0], y);
	b.kernel1 = a[1]->data;
	b.output = y->data;
	stochdepth_convolve(call, &b);
	return NULL;
}

// (x, dy) = dkernel.
void *stochdepth_call_kernel_gradient(ffi_call *call) {
	if (question(call))
		return NULL;
	ffi_buffer **a = call->arguments.buffers;
	block b = one(a[0], a[1]);
	b.dh = a[1]->data;
	b.dkernel1 = call->results.buffers[0]->data;
	stochdepth_convolve_kernel_gradient(call, &b);
	return NULL;
}

// Its result is memory as it comes, not set to anything.
void *stochdepth_call_memory(ffi_call *call) {
	question(call);
	return NULL;
}
