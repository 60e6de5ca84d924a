#ifndef STOCHDEPTH_PARALLEL_H
#define STOCHDEPTH_PARALLEL_H

#include <stddef.h>

#include "xla.h"

// Computes a part of a job; scratch is memory of the thread, of any content.
typedef void stochdepth_part(void *data, int index, float *scratch);

// parallel calls part(data, 0, ...) to part(data, parts-1, ...) on XLA's threads, each with that many floats of scratch. It
// returns 0, or 1 if memory is short and parts were left out.
int stochdepth_parallel(ffi_call *call, int parts, size_t scratch, stochdepth_part *part, void *data);

// map gets memory that lasts, or NULL; unmap gives it back.
void *stochdepth_map(size_t bytes);
void stochdepth_unmap(void *memory, size_t bytes);

#endif
