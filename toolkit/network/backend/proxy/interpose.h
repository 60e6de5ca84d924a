#ifndef STOCHDEPTH_INTERPOSE_H
#define STOCHDEPTH_INTERPOSE_H

#include <stddef.h>

// A function that XLA's CPU plugin can call, and its name in programs.
typedef struct {
	const char *target;
	void *handler;
} foreign_function;

// Loads the PJRT plugin at path, registers count functions with it, unless count is 0, and sets *api to its table of
// functions, in which the function that compiles is replaced. Returns what is wrong, or NULL; plugins loaded before stay as
// they are. Only one call at a time is allowed.
const char *stochdepth_interpose(const char *path, const foreign_function *functions, size_t count, void **api);

#endif
