//go:build linux && amd64 && cgo && !nokernels

#pragma GCC target("avx2,fma,prfchw")
#define VERSION stochdepth_avx2
#define LANES 8
#define PIXELS 8
#include "image.h"
