//go:build linux && amd64 && cgo && !nokernels

#include "parallel.h"

#include <immintrin.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

// scratch returns memory of this thread, valid until its next call, or NULL.
static float *scratch(size_t floats) {
	static _Thread_local float *memory;
	static _Thread_local size_t size;
	if (size < floats) {
		stochdepth_unmap(memory, size * sizeof(float));
		memory = stochdepth_map(floats * sizeof(float));
		size = memory ? floats : 0;
	}
	return memory;
}

// A job is done by the thread that starts it, with the help of XLA's other threads. Each takes the next part in turn; a
// helper that comes late finds none left.
typedef struct {
	stochdepth_part *part;
	void *data;
	int parts;
	size_t scratch;
	atomic_int next, left, users, missed;
} job;

static void work(job *j) {
	for (int i; (i = atomic_fetch_add(&j->next, 1)) < j->parts;) {
		float *memory = j->scratch ? scratch(j->scratch) : NULL;
		if (memory || !j->scratch)
			j->part(j->data, i, memory);
		else
			atomic_store(&j->missed, 1);
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

// failed reports whether there is an error, and destroys it.
static int failed(ffi_call *call, void *error) {
	if (error)
		call->api->destroy_error(&(ffi_error_args){.size = sizeof(ffi_error_args), .error = error});
	return error != NULL;
}

int stochdepth_parallel(ffi_call *call, int parts, size_t scratch, stochdepth_part *part, void *data) {
	int64_t threads = 1;
	ffi_threads_args query = {.size = sizeof query, .context = call->context, .threads = &threads};
	if (failed(call, call->api->threads(&query)) || threads < 1)
		threads = 1;
	int helpers = (int)(threads < parts ? threads : parts) - 1;
	job *j = malloc(sizeof *j);
	if (!j)
		return 1;
	*j = (job){.part = part, .data = data, .parts = parts, .scratch = scratch};
	atomic_init(&j->next, 0);
	atomic_init(&j->left, parts);
	atomic_init(&j->users, (helpers > 0 ? helpers : 0) + 1);
	atomic_init(&j->missed, 0);
	for (int i = 0; i < helpers; i++) {
		ffi_schedule_args args = {.size = sizeof args, .context = call->context, .task = help, .data = j};
		if (failed(call, call->api->schedule(&args)))
			leave(j); // in the helper's place
	}
	work(j);
	// The others are nearly done, unless another program uses their processor: then it may use this one too.
	for (int i = 0; atomic_load(&j->left) > 0; i++)
		i < 1000 ? _mm_pause() : (void)sched_yield();
	int missed = atomic_load(&j->missed);
	leave(j);
	return missed;
}

// Memory that lasts comes from the operating system, not from the heap. In the heap it would lie above the memory of a
// step; the next step's memory would then not fit into the same place, and the heap would become twice as large.
void *stochdepth_map(size_t bytes) {
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void stochdepth_unmap(void *memory, size_t bytes) {
	if (memory)
		munmap(memory, bytes);
}
