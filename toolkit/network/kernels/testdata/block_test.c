// Calls the kernels as XLA does, on blocks of several sizes, so that the compiler's sanitizers can watch each access. It
// checks that results do not depend on the number of threads, and the errors. Package survivors compares the results. It
// prints what is wrong, or nothing.

#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../block.h"
#include "../calls.h"

#define CHECK(condition) do { if (!(condition)) { printf("line %d: not %s\n", __LINE__, #condition); exit(1); } } while (0)

// --- XLA's part ---

static int threads_of_xla = 1, refuse_threads, refuse_tasks, errors;
static pthread_t helpers[64];
static int started;

typedef struct { int code; char message[200]; } failure;

static void *create_error(ffi_create_error_args *a) {
	failure *e = calloc(1, sizeof *e);
	e->code = a->code;
	snprintf(e->message, sizeof e->message, "%s", a->message);
	errors++;
	return e;
}

static void destroy_error(ffi_error_args *a) {
	errors--;
	free(a->error);
}

static void *threads(ffi_threads_args *a) {
	if (refuse_threads)
		return create_error(&(ffi_create_error_args){.message = "no threads", .code = 13});
	*a->threads = threads_of_xla;
	return NULL;
}

static void *start(void *data) {
	ffi_schedule_args *a = data;
	a->task(a->data);
	free(a);
	return NULL;
}

static void *schedule(ffi_schedule_args *a) {
	if (refuse_tasks)
		return create_error(&(ffi_create_error_args){.message = "no task", .code = 13});
	ffi_schedule_args *copy = calloc(1, sizeof *copy);
	*copy = *a;
	CHECK(started < 64 && !pthread_create(&helpers[started++], NULL, start, copy));
	return NULL;
}

static const ffi_api api = {.create_error = create_error, .destroy_error = destroy_error, .schedule = schedule, .threads = threads};

// Memory is short from request number short_from on, unless that is 0.
static int requests, short_from;
void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *at, size_t size, int a, int b, int c, off_t d) {
	return short_from && __atomic_add_fetch(&requests, 1, __ATOMIC_SEQ_CST) >= short_from ? MAP_FAILED : __real_mmap(at, size, a, b, c, d);
}

// --- Arrays ---

enum { MOST = 40 };

typedef struct {
	ffi_buffer buffers[MOST];
	int64_t dims[MOST][5];
	size_t sizes[MOST];
	int count;
} arrays;

// add makes an array: of integers, each equal to scale, or of pseudo-random float32 numbers, multiplied by scale.
static int add(arrays *all, int type, float scale, int rank, ...) {
	static unsigned seed;
	int i = all->count++;
	ffi_buffer *b = &all->buffers[i];
	va_list dims;
	va_start(dims, rank);
	size_t size = 1;
	for (int d = 0; d < rank; d++)
		size *= all->dims[i][d] = va_arg(dims, int);
	va_end(dims);
	*b = (ffi_buffer){.dtype = type, .rank = rank, .dims = all->dims[i], .data = malloc(4 * size)};
	all->sizes[i] = size;
	seed = i + 1;
	for (size_t k = 0; k < size; k++) {
		seed = seed * 1664525 + 1013904223;
		if (type == FFI_F32)
			((float *)b->data)[k] = scale * ((seed >> 8) / (float)(1 << 24) - 0.4f);
		else
			((int *)b->data)[k] = (int)scale;
	}
	return i;
}

static void end(arrays *all) {
	for (int i = 0; i < all->count; i++)
		free(all->buffers[i].data);
}

// invoke calls a kernel and returns the error's code, or 0. Arguments and results are lists of arrays' numbers that end
// with -1.
static int invoke(void *(*kernel)(ffi_call *), arrays *all, const int *arguments, const int *results) {
	ffi_buffer *a[MOST], *r[MOST];
	int types[MOST];
	ffi_call call = {.api = &api, .stage = FFI_STAGE_EXECUTE};
	for (int i = 0; i < MOST; i++)
		types[i] = FFI_BUFFER;
	for (; arguments[call.arguments.count] >= 0; call.arguments.count++)
		a[call.arguments.count] = &all->buffers[arguments[call.arguments.count]];
	for (; results[call.results.count] >= 0; call.results.count++)
		r[call.results.count] = &all->buffers[results[call.results.count]];
	call.arguments.types = call.results.types = types;
	call.arguments.buffers = a, call.results.buffers = r;
	failure *e = kernel(&call);
	for (; started > 0; started--)
		pthread_join(helpers[started - 1], NULL);
	int code = e ? e->code : 0;
	if (e)
		destroy_error(&(ffi_error_args){.error = e});
	CHECK(errors == 0);
	return code;
}

// Whether factors are rounded to bfloat16.
static int rounded;
#define KERNEL(NAME) (rounded ? stochdepth_call_##NAME##_rounded : stochdepth_call_##NAME)

// append_block appends a block's arrays to n arguments, without scales or weights if these are negative, and returns the
// new number of arguments.
static int append_block(int *a, int n, const int parameters[3], int scales, int weights, const int saved[4]) {
	memcpy(a + n, parameters, 3 * sizeof *a), n += 3;
	if (scales >= 0)
		a[n++] = scales;
	if (weights >= 0)
		a[n++] = weights;
	memcpy(a + n, saved, 4 * sizeof *a);
	return n + 4;
}

// block_calls computes blocks forward and backward, and at test, and returns the first error's code.
static int block_calls(arrays *all, int batch, int side, int in, int out, int stride, int recompute, int scaled, int per_sample) {
	enum { COUNT = 2 };
	int kept = recompute ? 1 : COUNT, transition = stride > 1, a[MOST], n = 0, code = 0;
	int k = add(all, FFI_S32, 0, 0), count = add(all, FFI_S32, COUNT, 0), order = add(all, FFI_S32, 0, 1, COUNT);
	((int *)all->buffers[order].data)[1] = 1;
	int x = add(all, FFI_F32, 1, 4, batch, side * stride, side * stride, in), h = add(all, FFI_F32, 1, 4, batch, side, side, out);
	enum { PARAMETERS = 3, SAVED = 4, GRADIENTS = 3 };
	int parameters[PARAMETERS] = {add(all, FFI_F32, 0.2, 5, COUNT, 3, 3, in, out), add(all, FFI_F32, 0.2, 5, COUNT, 3, 3, out, out),
		add(all, FFI_F32, 1, 3, COUNT, 4, out)};
	int scales = add(all, FFI_F32, 1, 1, COUNT), weights = add(all, FFI_F32, 1, 2, COUNT, batch);
	for (int i = 0; i < COUNT * batch; i++) { // 1: random; 2: one image open alone, in the second block closed alone
		float *w = (float *)all->buffers[weights].data + i;
		*w = per_sample == 1 ? *w > 0 || i % batch == 0 : (i % batch == 1) != (i >= batch);
	}
	int saved[SAVED] = {add(all, FFI_F32, 1, 5, COUNT + 1, batch, side, side, out),
		add(all, FFI_F32, 0, 5, kept, batch, side, side, out), add(all, FFI_F32, 0, 5, kept, batch, side, side, out),
		add(all, FFI_F32, 0, 3, COUNT, 4, out)};
	int dh = add(all, FFI_F32, 1, 4, batch, side, side, out), dx = add(all, FFI_F32, 0, 4, batch, side * stride, side * stride, in);
	int gradients[GRADIENTS] = {add(all, FFI_F32, 0, 5, COUNT, 3, 3, in, out), add(all, FFI_F32, 0, 5, COUNT, 3, 3, out, out),
		add(all, FFI_F32, 0, 3, COUNT, 4, out)};

	a[n++] = k, a[n++] = count, a[n++] = order;
	if (transition)
		a[n++] = x;
	a[n++] = h;
	n = append_block(a, n, parameters, scaled ? scales : -1, per_sample ? weights : -1, saved);
	a[n] = -1;
	int forward[] = {h, saved[0], saved[1], saved[2], saved[3], -1};
	for (int i = 0; i < COUNT && !code; i++) {
		*(int *)all->buffers[k].data = i;
		code = invoke(KERNEL(forward), all, a, forward);
	}
	if (code)
		return code;
	CHECK(invoke(KERNEL(forward), all, a, forward + 1) == FFI_INVALID_ARGUMENT); // one result less
	CHECK(invoke(KERNEL(forward), all, a + 1, forward) == FFI_INVALID_ARGUMENT);
	CHECK(invoke(KERNEL(backward), all, a, forward) == FFI_INVALID_ARGUMENT);

	n = 0, a[n++] = k, a[n++] = order;
	if (transition)
		a[n++] = x;
	a[n++] = dh;
	n = append_block(a, n, parameters, scaled ? scales : -1, per_sample ? weights : -1, saved);
	if (transition)
		a[n++] = dx;
	memcpy(a + n, gradients, sizeof gradients), n += GRADIENTS;
	a[n] = -1;
	int r[MOST], m = 0;
	r[m++] = dh;
	if (recompute)
		r[m++] = saved[1], r[m++] = saved[2];
	if (transition)
		r[m++] = dx;
	memcpy(r + m, gradients, sizeof gradients), m += GRADIENTS;
	r[m] = -1;
	for (int i = COUNT - 1; i >= 0 && !code; i--) {
		*(int *)all->buffers[k].data = i;
		code = invoke(KERNEL(backward), all, a, r);
	}
	if (code)
		return code;
	*(int *)all->buffers[k].data = COUNT;
	CHECK(invoke(KERNEL(backward), all, a, r) == FFI_INVALID_ARGUMENT);
	*(int *)all->buffers[k].data = 1;
	all->buffers[dh].dtype = 12; // float64
	CHECK(invoke(KERNEL(backward), all, a, r) == FFI_INVALID_ARGUMENT);
	all->buffers[dh].dtype = FFI_F32;

	n = 0, a[n++] = k;
	if (transition)
		a[n++] = x;
	a[n++] = h, a[n++] = scales;
	memcpy(a + n, parameters, sizeof parameters), n += PARAMETERS;
	a[n++] = saved[3];
	a[n] = -1;
	return invoke(KERNEL(test), all, a, (int[]){h, -1});
}

// stem_calls computes a stem forward and backward, a convolution alone with its kernel's gradient, and a normalisation's sums.
static int stem_calls(arrays *all, int batch, int side, int in, int out) {
	int k = add(all, FFI_S32, 0, 0), images = add(all, FFI_F32, 1, 4, batch, side, side, in), kernel = add(all, FFI_F32, 0.2, 4, 3, 3, in, out);
	int scale = add(all, FFI_F32, 1, 1, out), offset = add(all, FFI_F32, 1, 1, out), output = add(all, FFI_F32, 0, 4, batch, side, side, out);
	int first = add(all, FFI_F32, 0, 4, batch, side, side, out), mean = add(all, FFI_F32, 0, 1, out), variance = add(all, FFI_F32, 0, 1, out);
	int dh = add(all, FFI_F32, 1, 4, batch, side, side, out), dkernel = add(all, FFI_F32, 0, 4, 3, 3, in, out);
	int dscale = add(all, FFI_F32, 0, 1, out), doffset = add(all, FFI_F32, 0, 1, out), y = add(all, FFI_F32, 0, 4, batch, side, side, out);
	int code = invoke(KERNEL(stem), all, (int[]){k, images, kernel, scale, offset, output, first, mean, variance, -1}, (int[]){output, first, mean, variance, -1});
	if (!code)
		code = invoke(KERNEL(stem_gradient), all, (int[]){k, images, dh, scale, output, first, mean, variance, dkernel, dscale, doffset, -1}, (int[]){dkernel, dscale, doffset, -1});
	if (!code)
		code = invoke(KERNEL(convolve), all, (int[]){images, kernel, -1}, (int[]){y, -1});
	if (!code && in % 16 == 0)
		code = invoke(KERNEL(kernel_gradient), all, (int[]){images, dh, -1}, (int[]){dkernel, -1});
	int x = add(all, FFI_F32, 1, 2, batch * 48, side * out), dx = add(all, FFI_F32, 1, 2, batch * 48, side * out);
	int sums[4];
	for (int i = 0; i < 4; i++)
		sums[i] = add(all, FFI_F32, 0, 1, side * out);
	if (!code)
		code = invoke(stochdepth_call_moments, all, (int[]){x, -1}, (int[]){sums[0], sums[1], -1});
	if (!code)
		code = invoke(stochdepth_call_moments_gradient, all, (int[]){x, sums[0], sums[1], dx, -1}, (int[]){sums[2], sums[3], -1});
	return code;
}

static const struct {
	int batch, side, in, out, stride, recompute, scaled, per_sample; // stride 0: a stem
} cases[] = {{3, 8, 64, 64, 1, 0}, {17, 8, 16, 16, 1, 1}, {2, 16, 32, 32, 1, 1, 1}, {5, 8, 16, 32, 2, 0, 1}, {17, 8, 16, 16, 1, 1, 0, 1}, {5, 8, 16, 32, 2, 0, 1, 2}, {70, 8, 16, 16, 1, 0, 0, 1}, {1, 16, 16, 16, 1, 0}, {3, 32, 16, 16, 1, 0},
	{3, 32, 3, 16}, {17, 8, 16, 32}};

static int run(int i, arrays *all) {
	all->count = 0;
	if (cases[i].stride == 0)
		return stem_calls(all, cases[i].batch, cases[i].side, cases[i].in, cases[i].out);
	return block_calls(all, cases[i].batch, cases[i].side, cases[i].in, cases[i].out, cases[i].stride, cases[i].recompute, cases[i].scaled, cases[i].per_sample);
}

int main(void) {
	static arrays one, many;
	for (int way = 0; way < 4; way++) {
		int processor = way % 2;
		rounded = way / 2;
		if (!stochdepth_processor(processor ? 2 : 512))
			continue;
		// First with too little memory, for each request in turn: no memory is kept yet.
		for (int at = 1, code = FFI_RESOURCE_EXHAUSTED; way == 0 && code; at++) {
			CHECK(at < 100);
			requests = 0, short_from = at, threads_of_xla = 1;
			code = run(1, &one);
			short_from = 0;
			CHECK(code == 0 || code == FFI_RESOURCE_EXHAUSTED);
			CHECK(at > 1 || code);
			end(&one);
		}
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			if (rounded && cases[i].batch > 16) // parts of the minibatch are the same as without
				continue;
			threads_of_xla = 1;
			CHECK(run(i, &one) == 0);
			threads_of_xla = 4, refuse_tasks = i == 1, refuse_threads = i == 2;
			CHECK(run(i, &many) == 0);
			refuse_tasks = refuse_threads = 0;
			for (int k = 0; k < one.count; k++) {
				CHECK(!memcmp(one.buffers[k].data, many.buffers[k].data, 4 * one.sizes[k]));
				for (size_t j = 0; one.buffers[k].dtype == FFI_F32 && j < one.sizes[k]; j++)
					CHECK(isfinite(((float *)one.buffers[k].data)[j]));
			}
			end(&one), end(&many);
		}
	}
	return 0;
}
