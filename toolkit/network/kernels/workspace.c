//go:build linux && amd64 && cgo && !nokernels

#include "workspace.h"

#include <stdatomic.h>

#include "parallel.h"

static _Atomic(void *) kept[WORKSPACES];

float *stochdepth_take(size_t floats, workspace which) {
	size_t bytes = floats * sizeof(float) + 64; // the first line holds the size
	size_t *memory = atomic_exchange(&kept[which], NULL);
	if (memory && *memory < bytes) {
		stochdepth_unmap(memory, *memory);
		memory = NULL;
	}
	if (!memory) {
		memory = stochdepth_map(bytes);
		if (!memory)
			return NULL;
		*memory = bytes;
	}
	return (float *)((char *)memory + 64);
}

void stochdepth_put_back(float *memory, workspace which) {
	if (!memory)
		return;
	size_t *old = atomic_exchange(&kept[which], (char *)memory - 64);
	if (old)
		stochdepth_unmap(old, *old);
}
