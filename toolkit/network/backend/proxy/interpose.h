#ifndef STOCHDEPTH_INTERPOSE_H
#define STOCHDEPTH_INTERPOSE_H

#include <stddef.h>

// A function that XLA's CPU plugin can call, and the name that programs call it by.
typedef struct {
	const char *target;
	void *handler;
} foreign_function;

// Loads the PJRT plugin at path, registers count functions with it, unless count is 0, and sets *api to its table of
// functions, but for the one that compiles. Returns what is wrong, or NULL; what was loaded before stays as it is. One
// call at a time.
const char *stochdepth_interpose(const char *path, const foreign_function *functions, size_t count, void **api);

#endif
