#ifndef STOCHDEPTH_PARALLEL_H
#define STOCHDEPTH_PARALLEL_H

#include <stddef.h>

#include "xla.h"

// parallel calls part(data, 0) to part(data, parts-1), on XLA's threads.
void stochdepth_parallel(ffi_call *call, int parts, void (*part)(void *data, int index), void *data);

// map gets memory that lasts, unmap gives it back.
void *stochdepth_map(size_t bytes);
void stochdepth_unmap(void *memory, size_t bytes);

// scratch is memory of this thread, valid until its next call.
float *stochdepth_scratch(size_t floats);

#endif
