//go:build linux && amd64 && cgo && !nokernels

#include "parallel.h"

#include <immintrin.h>
#include <stdatomic.h>
#include <stdlib.h>

// A job is done by the thread that has it, helped by XLA's others. Parts are taken in turn; a helper that
// comes late finds none left.
typedef struct {
	void (*part)(void *data, int index);
	void *data;
	int parts;
	atomic_int next, left, users;
} job;

static void work(job *j) {
	for (int i; (i = atomic_fetch_add(&j->next, 1)) < j->parts;) {
		j->part(j->data, i);
		atomic_fetch_sub(&j->left, 1);
	}
}

static void leave(job *j) {
	if (atomic_fetch_sub(&j->users, 1) == 1)
		free(j);
}

static void help(void *data) {
	work(data);
	leave(data);
}

void stochdepth_parallel(ffi_call *call, int parts, void (*part)(void *, int), void *data) {
	int64_t threads = 1;
	ffi_threads_args query = {.size = sizeof query, .context = call->context, .threads = &threads};
	if (call->api->threads(&query))
		threads = 1;
	int helpers = (int)(threads < parts ? threads : parts) - 1;
	job *j = malloc(sizeof *j);
	*j = (job){.part = part, .data = data, .parts = parts};
	atomic_init(&j->next, 0);
	atomic_init(&j->left, parts);
	atomic_init(&j->users, helpers + 1);
	for (int i = 0; i < helpers; i++) {
		ffi_schedule_args args = {.size = sizeof args, .context = call->context, .task = help, .data = j};
		if (call->api->schedule(&args))
			leave(j);
	}
	work(j);
	while (atomic_load(&j->left) > 0)
		_mm_pause();
	leave(j);
}

float *stochdepth_scratch(size_t floats) {
	static _Thread_local float *memory;
	static _Thread_local size_t size;
	if (size < floats) {
		free(memory);
		memory = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
		size = memory ? floats : 0;
	}
	if (!memory)
		abort();
	return memory;
}
