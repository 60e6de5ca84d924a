#ifndef STOCHDEPTH_INTERPOSE_H
#define STOCHDEPTH_INTERPOSE_H

// Loads the PJRT plugin at path, registers the kernels with it if functions says so, and sets *api to its
// table of functions, but for the one that compiles. Returns what is wrong, or NULL; what was loaded before
// stays as it is. One call at a time.
const char *stochdepth_interpose(const char *path, int functions, void **api);

#endif
