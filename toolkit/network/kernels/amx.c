//go:build linux && amd64 && cgo && !nokernels

// Convolutions of factors in bfloat16 by the processor's tiles (AMX): registers of 16 rows of 64 bytes. One instruction adds
// to 16 x 16 sums, in float32, the products of 16 x 32 and 32 x 16 factors.

#define _GNU_SOURCE
#include "convolution.h"

#if defined(__clang__) || __GNUC__ < 11 // without these instructions, or with other names for them

const products *stochdepth_amx(const convolution *c) { return NULL; }

#else

#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512bf16,amx-tile,amx-bf16,prfchw")

#include <immintrin.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint16_t bfloat16;

enum { TILE = 16, DEPTH = 32, LINE = 64 }; // rows and columns of sums; factors of a sum; bytes of a row

// Numbers of the tiles: sums are in 0 to 3. Tiles with half the depth end a row of the kernel.
#define LEFT 4
#define RIGHT 5
#define HALF_LEFT 6
#define HALF_RIGHT 7

typedef struct {
	uint8_t palette, start, reserved[14];
	uint16_t bytes[16]; // of a tile's rows
	uint8_t rows[16];
} tiles;

// configure sets the tiles' sizes for sums of that many rows.
static void configure(int rows) {
	tiles t = {.palette = 1};
	for (int i = 0; i < 8; i++)
		t.bytes[i] = LINE, t.rows[i] = i == RIGHT ? 16 : i == HALF_RIGHT ? 8 : rows;
	t.bytes[HALF_LEFT] = LINE / 2;
	_tile_loadconfig(&t);
	__asm__ volatile("" ::: "memory"); // GCC does not know that the loads of tiles read memory
}

static void *aligned(float *work) { return (void *)(((uintptr_t)work + LINE - 1) / LINE * LINE); }

// --- Convolution ---

static void convert(const float *x, long size, bfloat16 *y) {
	long i = 0;
	for (; i + DEPTH <= size; i += DEPTH)
		_mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + TILE), _mm512_loadu_ps(x + i)));
	if (i < size)
		_mm256_storeu_si256((__m256i *)(y + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
}

// pair is the numbers of a and b in turn: a0, b0, a1, b1. So a right tile has the factors of a sum.
static inline __m512i pair(__m512 a, __m512 b) {
	const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
		23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
	return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

// A packed kernel is [out/16, 9 in/2] of pairs of 16 outputs.
static void pack(const convolution *c, const float *w, float *packed) {
	bfloat16 *to = (bfloat16 *)packed;
	for (int o = 0; o < c->out; o += TILE)
		for (long k = 0; k < 9L * c->in; k += 2, to += DEPTH)
			_mm512_storeu_si512(to, pair(_mm512_loadu_ps(w + k * c->out + o), _mm512_loadu_ps(w + (k + 1) * c->out + o)));
}

static size_t packed_size(const convolution *c) { return kernel_size(c) / 2; }

// Adds the products of one row of the kernel to the sums of COUNT tiles of pixels. x are the first pixels under the window.
#define KERNEL_ROW(COUNT) \
	for (int k = 0; k < 3 * c->in; k += DEPTH) { \
		if (k + DEPTH <= 3 * c->in) { \
			_tile_loadd(RIGHT, w, LINE); \
			PRODUCTS##COUNT(LEFT, RIGHT) \
			w += TILE * DEPTH; \
		} else { \
			_tile_loadd(HALF_RIGHT, w, LINE); \
			PRODUCTS##COUNT(HALF_LEFT, HALF_RIGHT) \
			w += TILE * DEPTH / 2; \
		} \
	}
#define PRODUCT(SUM, L, R) \
	_tile_loadd(L, x[SUM] + k, step); \
	_tile_dpbf16ps(SUM, L, R);
#define PRODUCTS1(L, R) PRODUCT(0, L, R)
#define PRODUCTS4(L, R) PRODUCT(0, L, R) PRODUCT(1, L, R) PRODUCT(2, L, R) PRODUCT(3, L, R)

static void convolve(const convolution *c, const float *padded, const float *packed, float *y, float *work) {
	long row = (long)(c->width * c->stride + 2) * c->in, step = (long)c->stride * c->in * sizeof(bfloat16), line = c->out * sizeof(float);
	int wide = c->width % TILE == 0 ? TILE : 8, across = c->width / wide, all = c->height * across;
	bfloat16 *image = aligned(work);
	convert(padded, padded_size(c), image);
	configure(wide);
	const bfloat16 *w = (const bfloat16 *)packed;
	for (int o = 0; o < c->out; o += TILE) {
		const bfloat16 *first = w;
		for (int t = 0; t < all;) {
			int count = all - t < 4 ? 1 : 4;
			const bfloat16 *x[4];
			float *to = y + (long)t * wide * c->out + o;
			for (int i = 0; i < count; i++)
				x[i] = image + (t + i) / across * c->stride * row + (t + i) % across * wide * c->stride * c->in;
			// Otherwise each store would wait for its memory.
			for (int i = 0; i < count * wide; i++) __builtin_prefetch(to + (long)i * c->out, 1);
			w = first;
			_tile_zero(0);
			_tile_zero(1);
			_tile_zero(2);
			_tile_zero(3);
			for (int kh = 0; kh < 3; kh++) {
				if (count == 4) {
					KERNEL_ROW(4)
				} else {
					KERNEL_ROW(1)
				}
				for (int i = 0; i < count; i++) x[i] += row;
			}
			long next = (long)wide * c->out;
			_tile_stored(0, to, line);
			if (count == 4) {
				_tile_stored(1, to + next, line);
				_tile_stored(2, to + 2 * next, line);
				_tile_stored(3, to + 3 * next, line);
			}
			t += count;
		}
	}
	_tile_release();
}

// --- The gradient of a kernel ---

// A sum runs over an image's pixels, row by row with the frame's two columns, where dy is 0. So all positions of the window
// lie the same distance away in x. With stride 2 that holds for the pixels of one parity, and x is divided by it.

static long pitch(const convolution *c) { return c->width + 2; }
static long summands(const convolution *c) { return (c->height * pitch(c) + DEPTH - 1) / DEPTH * DEPTH; }

// plane_size is how many numbers of a channel are kept, with the zeros after them: an odd number of lines, since else all
// channels would share a few lines of the cache.
static long plane_size(const convolution *c) { return ((summands(c) + 2 * pitch(c) + 2 + DEPTH - 1) / DEPTH | 1) * DEPTH; }

// transpose turns 16 pairs of 16 channels into 16 channels of 16 pairs.
static inline void transpose(__m512i *r) {
	__m512i t[16];
	for (int i = 0; i < 16; i += 2)
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]), t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	for (int i = 0; i < 16; i += 4)
		for (int k = 0; k < 2; k++)
			r[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]), r[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
	for (int i = 0; i < 16; i += 8)
		for (int k = 0; k < 4; k++)
			t[i + k] = _mm512_shuffle_i32x4(r[i + k], r[i + k + 4], 0x88), t[i + k + 4] = _mm512_shuffle_i32x4(r[i + k], r[i + k + 4], 0xdd);
	for (int k = 0; k < 8; k++)
		r[k] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0x88), r[k + 8] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0xdd);
}

// planes brings x [pixels, channels] into the form [channels, plane_size].
static void planes(const float *x, long pixels, int channels, long size, bfloat16 *to) {
	for (int channel = 0; channel < channels; channel += TILE)
		for (long p = 0; p < size; p += DEPTH) {
			__m512i r[TILE];
#pragma GCC unroll 16
			for (int i = 0; i < TILE; i++) {
				const float *at = x + (p + 2 * i) * channels + channel;
				r[i] = p + 2 * i < pixels ? pair(_mm512_loadu_ps(at), _mm512_loadu_ps(at + channels)) : _mm512_setzero_si512();
			}
			transpose(r);
#pragma GCC unroll 16
			for (int i = 0; i < TILE; i++)
				_mm512_store_si512(to + (channel + i) * size + p, r[i]);
		}
}

// parity copies every other pixel of every other row of a padded image, from the first row and column given.
static void parity(const convolution *c, const float *padded, int row, int column, float *to) {
	int width = c->width + 1;
	for (int h = 0; h <= c->height; h++, to += pitch(c) * c->in) {
		const float *from = padded + ((long)(2 * h + row) * (2 * c->width + 2) + column) * c->in;
		for (int j = 0; j < width; j++)
			memcpy(to + (long)j * c->in, from + 2L * j * c->in, c->in * sizeof(float));
		memset(to + (long)width * c->in, 0, c->in * sizeof(float));
	}
}

// pairs brings dy into the form [out/16, summands/2] of pairs of 16 channels.
static void pairs(const convolution *c, const float *dy, long dyrow, bfloat16 *to) {
	for (int o = 0; o < c->out; o += TILE) {
		bfloat16 *end = to + summands(c) * TILE;
		for (int h = 0; h < c->height; h++) {
			for (int j = 0; j < c->width; j += 2, to += DEPTH) {
				const float *at = dy + h * dyrow + (long)j * c->out + o;
				_mm512_store_si512(to, pair(_mm512_loadu_ps(at), _mm512_loadu_ps(at + c->out)));
			}
			_mm512_store_si512(to, _mm512_setzero_si512());
			to += DEPTH;
		}
		memset(to, 0, (end - to) * sizeof *to);
		to = end;
	}
}

// three_sums adds to three tiles of sums, for which x begins at three places.
static inline void three_sums(const bfloat16 *const *x, long size, const bfloat16 *dy, long depth, float *sums) {
	long pixels = size * sizeof(bfloat16);
	_tile_loadd(0, sums, LINE);
	_tile_loadd(1, sums + TILE * TILE, LINE);
	_tile_loadd(2, sums + 2 * TILE * TILE, LINE);
	for (long p = 0; p < depth; p += DEPTH) {
		_tile_loadd(RIGHT, dy + p * TILE, LINE);
		_tile_loadd(LEFT, x[0] + p, pixels);
		_tile_dpbf16ps(0, LEFT, RIGHT);
		_tile_loadd(LEFT, x[1] + p, pixels);
		_tile_dpbf16ps(1, LEFT, RIGHT);
		_tile_loadd(LEFT, x[2] + p, pixels);
		_tile_dpbf16ps(2, LEFT, RIGHT);
	}
	_tile_stored(0, sums, LINE);
	_tile_stored(1, sums + TILE * TILE, LINE);
	_tile_stored(2, sums + 2 * TILE * TILE, LINE);
}

// Sums are [out/16, 3, in/16, 3] of tiles, one after the other: for each place kh, kw of the window and 16 inputs and outputs.
static void kernel_gradient(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	long size = plane_size(c), phase = size * c->in, depth = summands(c), row = pitch(c);
	int stride = c->stride;
	bfloat16 *x = aligned(work), *g = x + stride * stride * phase;
	if (stride == 1) {
		planes(padded, (c->height + 2) * row, c->in, size, x);
	} else {
		float *some = (float *)(g + depth * c->out);
		for (int i = 0; i < 4; i++) {
			parity(c, padded, i / 2, i % 2, some);
			planes(some, (c->height + 1) * row, c->in, size, x + i * phase);
		}
	}
	pairs(c, dy, dyrow, g);
	configure(TILE);
	for (int o = 0; o < c->out; o += TILE)
		for (int kh = 0; kh < 3; kh++)
			for (int i = 0; i < c->in; i += TILE, sums += 3 * TILE * TILE) {
				const bfloat16 *at[3];
				for (int kw = 0; kw < 3; kw++)
					at[kw] = x + (kh % stride * stride + kw % stride) * phase + i * size + kh / stride * row + kw / stride;
				three_sums(at, size, g + o * depth, depth, sums);
			}
	_tile_release();
}

// work_size is how many floats convolve and kernel_gradient need for their work.
static size_t work_size(const convolution *c) {
	size_t planes = c->stride * c->stride * plane_size(c) * c->in, parity = c->stride == 1 ? 0 : (c->height + 1) * pitch(c) * c->in;
	return LINE / sizeof(float) + most(padded_size(c) / 2, (planes + summands(c) * c->out) / 2 + parity);
}

static void summed(const convolution *c, const float *sums, float *dw) {
	for (int o = 0; o < c->out; o += TILE)
		for (int kh = 0; kh < 3; kh++)
			for (int i = 0; i < c->in; i += TILE)
				for (int kw = 0; kw < 3; kw++)
					for (int k = i; k < i + TILE; k++, sums += TILE)
						memcpy(dw + ((3L * kh + kw) * c->in + k) * c->out + o, sums, TILE * sizeof(float));
}

static const products by_tiles = {pack, packed_size, convolve, work_size, kernel_gradient, kernel_size, summed};

enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; // of Linux

// granted asks the operating system, once, for the tiles: a process may not use them without.
static int granted(void) {
	static atomic_int answer; // 0 before it is known
	int known = atomic_load(&answer);
	if (!known) {
		int here = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("avx512bf16");
		known = here && !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) ? 1 : -1;
		atomic_store(&answer, known);
	}
	return known > 0;
}

const products *stochdepth_amx(const convolution *c) {
	return c->in % TILE == 0 && c->out % TILE == 0 && c->width % 8 == 0 && granted() ? &by_tiles : NULL;
}

#endif
