//go:build linux && amd64 && cgo && !nokernels

#include "parallel.h"

#include <immintrin.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

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
	// The others are nearly done, unless another program has their processor: then it may have this one too.
	for (int i = 0; atomic_load(&j->left) > 0; i++)
		i < 1000 ? _mm_pause() : (void)sched_yield();
	leave(j);
}

// Memory that lasts comes from the kernel, not from the heap: there it would lie above the memory of a
// step, which would then not fit where it was the step before, and the heap would be twice as large.
void *stochdepth_map(size_t bytes) {
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "stochdepth: memory is short: take a smaller minibatch\n");
		abort();
	}
	return memory;
}

void stochdepth_unmap(void *memory, size_t bytes) {
	if (memory)
		munmap(memory, bytes);
}

float *stochdepth_scratch(size_t floats) {
	static _Thread_local float *memory;
	static _Thread_local size_t size;
	if (size < floats) {
		stochdepth_unmap(memory, size * sizeof(float));
		memory = stochdepth_map(floats * sizeof(float));
		size = floats;
	}
	return memory;
}
