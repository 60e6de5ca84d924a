#ifndef STOCHDEPTH_PARALLEL_H
#define STOCHDEPTH_PARALLEL_H

#include <stddef.h>

#include "xla.h"

// A part of a job; scratch is memory of its thread, of any content.
typedef void stochdepth_part(void *data, int index, float *scratch);

// parallel calls part(data, 0) to part(data, parts-1), on XLA's threads, with so many floats of scratch each.
// It returns 0, or 1 where memory is short, so that parts were left out.
int stochdepth_parallel(ffi_call *call, int parts, size_t scratch, stochdepth_part *part, void *data);

// map gets memory that lasts, or NULL; unmap gives it back.
void *stochdepth_map(size_t bytes);
void stochdepth_unmap(void *memory, size_t bytes);

#endif
