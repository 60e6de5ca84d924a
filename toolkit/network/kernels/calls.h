#ifndef STOCHDEPTH_CALLS_H
#define STOCHDEPTH_CALLS_H

#include "xla.h"

// The functions that XLA calls; package proxy writes the calls. Those with rounded in their names round the factors of their
// convolutions to bfloat16.
void *stochdepth_call_forward(ffi_call *call);
void *stochdepth_call_forward_rounded(ffi_call *call);
void *stochdepth_call_backward(ffi_call *call);
void *stochdepth_call_backward_rounded(ffi_call *call);
void *stochdepth_call_test(ffi_call *call);
void *stochdepth_call_test_rounded(ffi_call *call);
void *stochdepth_call_stem(ffi_call *call);
void *stochdepth_call_stem_rounded(ffi_call *call);
void *stochdepth_call_stem_gradient(ffi_call *call);
void *stochdepth_call_stem_gradient_rounded(ffi_call *call);
void *stochdepth_call_convolve(ffi_call *call);
void *stochdepth_call_convolve_rounded(ffi_call *call);
void *stochdepth_call_kernel_gradient(ffi_call *call);
void *stochdepth_call_kernel_gradient_rounded(ffi_call *call);
void *stochdepth_call_moments(ffi_call *call);
void *stochdepth_call_moments_gradient(ffi_call *call);
void *stochdepth_call_memory(ffi_call *call);

#endif
