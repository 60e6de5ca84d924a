#ifndef STOCHDEPTH_CONVOLUTION_H
#define STOCHDEPTH_CONVOLUTION_H

#include "image_table.h"

// Common to the convolutions of a minibatch. Sizes are numbers of floats, for one image or for a kernel.

// The functions for this processor, chosen by stochdepth_processor.
extern const image_table *stochdepth_image;

// products_of chooses the way to compute a convolution. What one of its functions made is for this way only.
const products *products_of(const convolution *c);

static inline size_t pixels(const convolution *c) { return (size_t)c->height * c->width; }
static inline size_t input_size(const convolution *c) { return pixels(c) * c->stride * c->stride * c->in; }
static inline size_t output_size(const convolution *c) { return pixels(c) * c->out; }
static inline size_t padded_size(const convolution *c) { return (size_t)(c->height * c->stride + 2) * (c->width * c->stride + 2) * c->in; }
static inline size_t padded_output_size(const convolution *c) { return (size_t)(c->height + 2) * (c->width + 2) * c->out; }
static inline size_t kernel_size(const convolution *c) { return (size_t)9 * c->in * c->out; }
static inline size_t most(size_t a, size_t b) { return a > b ? a : b; }

// A minibatch is divided into parts whose kernel gradients are summed in order, so that the sums do not depend on the
// number of threads. Parts of few images would cost more in sums than they save.
static inline int parts_of(int batch) { return batch < 4 ? batch : batch < 16 ? 4 : batch < 64 ? batch / 4 : 16; }

// from is the first image of a part.
static inline int from(int batch, int part) { return (int)((long)batch * part / parts_of(batch)); }

// A part sums up what its images contribute to the gradient of a kernel, in a form that depends on the convolution.
// begin_sums sets the sums to zero and returns how many floats they are, end_sums writes the part's kernel gradient to its
// place in partial, the array of all parts' gradients, and add_parts sums these, in order.
size_t stochdepth_begin_sums(const convolution *c, float *sums);
void stochdepth_end_sums(const convolution *c, const float *sums, int part, float *partial);
void stochdepth_add_parts(const float *partial, int parts, const convolution *c, float *dkernel);

#endif
