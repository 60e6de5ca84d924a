//go:build linux && amd64 && cgo && !nokernels

#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma,prfchw")
#define VERSION stochdepth_avx512
#define LANES 16
#define PIXELS 16
#include "image.h"
