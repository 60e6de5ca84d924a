#ifndef STOCHDEPTH_WORKSPACE_H
#define STOCHDEPTH_WORKSPACE_H

#include <stddef.h>

// Memory that lasts from phase to phase of a call, and is kept for the next call: one piece for sums and kernels, one for
// images.
typedef enum { SUMS, IMAGES, WORKSPACES } workspace;

// take returns memory of any content, or NULL; put_back gives it back unless it is NULL.
float *stochdepth_take(size_t floats, workspace which);
void stochdepth_put_back(float *memory, workspace which);

#endif
