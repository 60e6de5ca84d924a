// The operations on one image of a minibatch. An image is [height, width, channels], with a multiple of 16 channels, and a
// padded image has a frame of zeros, one pixel wide. This file is compiled once for each kind of processor, by a file that
// defines
//
//	VERSION  the name of the table of functions
//	LANES    floats in a vector
//	PIXELS   outputs in a tile: the registers must hold that many vectors

#include "image_table.h"

#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi" // vectors are passed within this file only

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef float unaligned __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int mask __attribute__((vector_size(4 * LANES)));

static inline vector load(const float *p) { return *(const unaligned *)p; }
static inline void store(float *p, vector v) { *(unaligned *)p = v; }

// add adds a sum that began at zero: sums of such sums round less than one long sum.
static inline void add(float *p, vector v) { store(p, load(p) + v); }

// A NaN stays a NaN: a diverged run must not look healthy.
static inline vector relu(vector x) { return (vector)((mask)x & ~(x <= 0)); }
static inline vector where_positive(vector x, vector y) { return (vector)((mask)y & (x > 0)); }

// --- Convolution ---

#include "winograd.h"
#include "winograd_gradient.h"

// One tile: ROWS x COLUMNS pixels of LANES output channels. x is the first pixel under the window in the padded image,
// step the distance there between neighbouring outputs.
#define TILE(NAME, ROWS, COLUMNS) \
	static inline void NAME(const float *x, long row, long step, int rowstep, const float *w, int in, int out, float *y, long line) { \
		vector sum[ROWS][COLUMNS]; \
		_Pragma("GCC unroll 4") for (int i = 0; i < ROWS; i++) \
			_Pragma("GCC unroll 16") for (int j = 0; j < COLUMNS; j++) sum[i][j] = (vector){}; \
		for (int kh = 0; kh < 3; kh++) \
			for (int kw = 0; kw < 3; kw++) { \
				const float *p = x + kh * row + kw * in; \
				for (int k = 0; k < in; k++, p++, w += out) { \
					vector v = load(w); \
					_Pragma("GCC unroll 4") for (int i = 0; i < ROWS; i++) \
						_Pragma("GCC unroll 16") for (int j = 0; j < COLUMNS; j++) \
							sum[i][j] += v * p[i * rowstep * row + j * step]; \
				} \
			} \
		_Pragma("GCC unroll 4") for (int i = 0; i < ROWS; i++) \
			_Pragma("GCC unroll 16") for (int j = 0; j < COLUMNS; j++) store(y + i * line + j * out, sum[i][j]); \
	}

TILE(tile, 1, PIXELS)
#if PIXELS == 16
TILE(tile_two_rows, 2, 8)
#endif

// pack brings a kernel into the form that convolve takes, of packed_size floats.
static void pack(const convolution *c, const float *w, float *packed) {
	if (winograd(c))
		winograd_kernel(c, w, packed);
	else
		memcpy(packed, w, (size_t)9 * c->in * c->out * sizeof(float));
}

static size_t packed_size(const convolution *c) { return winograd(c) ? 36 * apart((long)c->in * c->out) : 9L * c->in * c->out; }

// work_size is how many floats of memory convolve and kernel_gradient need for their work.
static size_t work_size(const convolution *c) { return tiled(c) ? winograd_work(c) : 0; }

static void direct_convolve(const convolution *c, const float *padded, const float *w, float *y) {
	long row = (long)(c->width * c->stride + 2) * c->in, step = (long)c->stride * c->in, line = (long)c->width * c->out;
	for (int o = 0; o < c->out; o += LANES) {
#if PIXELS == 16
		if (c->width % 16 != 0) {
			for (int h = 0; h < c->height; h += 2)
				for (int j = 0; j < c->width; j += 8)
					tile_two_rows(padded + h * c->stride * row + j * step, row, step, c->stride, w + o, c->in, c->out, y + h * line + j * c->out + o, line);
			continue;
		}
#endif
		for (int h = 0; h < c->height; h++)
			for (int j = 0; j < c->width; j += PIXELS)
				tile(padded + h * c->stride * row + j * step, row, step, c->stride, w + o, c->in, c->out, y + h * line + j * c->out + o, line);
	}
}

static void convolve(const convolution *c, const float *padded, const float *w, float *y, float *work) {
	if (winograd(c))
		winograd_convolve(c, padded, w, y, work);
	else
		direct_convolve(c, padded, w, y);
}

// Adds up what the pixels of dy contribute to N rows of sums [N, out], for LANES of out. The rows belong to N neighbouring
// numbers in a row of the window, which begins at x.
#define WINDOW(NAME, N) \
	static inline void NAME(const convolution *c, const float *x, long row, const float *dy, long dyrow, float *sums) { \
		int out = c->out; \
		vector sum[N]; \
		_Pragma("GCC unroll 9") for (int i = 0; i < N; i++) sum[i] = (vector){}; \
		for (int h = 0; h < c->height; h++) { \
			const float *p = x + h * c->stride * row, *g = dy + h * dyrow; \
			for (int j = 0; j < c->width; j++, p += c->stride * c->in, g += out) { \
				vector d = load(g); \
				_Pragma("GCC unroll 9") for (int i = 0; i < N; i++) sum[i] += d * p[i]; \
			} \
		} \
		_Pragma("GCC unroll 9") for (int i = 0; i < N; i++) add(sums + (long)i * out, sum[i]); \
	}

WINDOW(window_of_nine, 9)
WINDOW(window_of_three, 3)

// few_gradient is direct_gradient for x with few channels, such as an image's three colours.
static void few_gradient(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums) {
	long row = (long)(c->width * c->stride + 2) * c->in;
	int numbers = 3 * c->in, step = numbers % 9 == 0 ? 9 : 3;
	for (int kh = 0; kh < 3; kh++)
		for (int k = 0; k < numbers; k += step, sums += (long)step * c->out)
			for (int o = 0; o < c->out; o += LANES)
				(step == 9 ? window_of_nine : window_of_three)(c, padded + kh * row + k, row, dy + o, dyrow, sums + o);
}

// direct_gradient adds to sums [3, 3, in, out] what an image contributes to the gradient of the kernel. The rows of dy are
// dyrow floats apart.
static void direct_gradient(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums) {
	if (c->in % PIXELS != 0) {
		few_gradient(c, padded, dy, dyrow, sums);
		return;
	}
	long row = (long)(c->width * c->stride + 2) * c->in, step = (long)c->stride * c->in;
	int out = c->out;
	for (int kh = 0; kh < 3; kh++)
		for (int kw = 0; kw < 3; kw++)
			for (int k = 0; k < c->in; k += PIXELS, sums += (long)PIXELS * out)
				for (int o = 0; o < out; o += LANES) {
					vector sum[PIXELS];
					_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] = (vector){};
					for (int h = 0; h < c->height; h++) {
						const float *p = padded + (h * c->stride + kh) * row + kw * c->in + k, *g = dy + h * dyrow + o;
						for (int j = 0; j < c->width; j++, p += step, g += out) {
							vector d = load(g);
							_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] += d * p[i];
						}
					}
					_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) add(sums + (long)i * out + o, sum[i]);
				}
}

// kernel_gradient adds to sums, of sums_size floats, what an image contributes.
static void kernel_gradient(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	if (tiled(c))
		winograd_sums(c, padded, dy, dyrow, sums, work);
	else
		direct_gradient(c, padded, dy, dyrow, sums);
}

static size_t sums_size(const convolution *c) { return tiled(c) ? 36 * apart((long)c->in * c->out) : 9L * c->in * c->out; }

// summed turns the sums into the kernel's gradient dw [3, 3, in, out].
static void summed(const convolution *c, const float *sums, float *dw) {
	if (tiled(c))
		winograd_summed(c, sums, dw);
	else
		memcpy(dw, sums, (size_t)9 * c->in * c->out * sizeof(float));
}

#include "rounded.h"

// --- Padding ---

static void frame(int height, int width, int channels, float *padded) {
	long row = (long)(width + 2) * channels;
	memset(padded, 0, row * sizeof(float));
	memset(padded + row * (height + 1), 0, row * sizeof(float));
	for (int h = 1; h <= height; h++) {
		memset(padded + h * row, 0, channels * sizeof(float));
		memset(padded + (h + 1) * row - channels, 0, channels * sizeof(float));
	}
}

static void pad(int height, int width, int channels, const float *x, float *padded) {
	long row = (long)(width + 2) * channels, line = (long)width * channels;
	frame(height, width, channels, padded);
	for (int h = 0; h < height; h++)
		memcpy(padded + (h + 1) * row + channels, x + h * line, line * sizeof(float));
}

// dilate pads an image after putting zeros between its pixels.
static void dilate(int height, int width, int channels, int stride, const float *x, long xrow, float *padded) {
	long row = (long)(width * stride + 2) * channels;
	memset(padded, 0, (height * stride + 2) * row * sizeof(float));
	for (int h = 0; h < height; h++)
		for (int j = 0; j < width; j++)
			memcpy(padded + (h * stride + 1) * row + (j * stride + 1) * channels, x + h * xrow + j * channels, channels * sizeof(float));
}

// --- Batch normalisation ---

// Every RUN pixels are summed up separately, since sums of sums round less: in one long sum, equal numbers, such as the
// gradients that come from a mean over the pixels, all round to the same side. pixels is a multiple of RUN.

// moments computes the mean of each channel and the sum of squared differences from it.
static void moments(const float *x, int pixels, int channels, float *mean, float *squares) {
	for (int c = 0; c < channels; c += LANES) {
		vector sum = {}, square = {};
		for (int first = 0; first < pixels; first += RUN) {
			vector run = {};
			for (int i = first; i < first + RUN; i++)
				run += load(x + (long)i * channels + c);
			sum += run;
		}
		vector m = sum / (float)pixels;
		for (int first = 0; first < pixels; first += RUN) {
			vector run = {};
			for (int i = first; i < first + RUN; i++) {
				vector d = load(x + (long)i * channels + c) - m;
				run += d * d;
			}
			square += run;
		}
		store(mean + c, m);
		store(squares + c, square);
	}
}

// padded_relu writes relu(slope x + shift) into a padded image's interior.
static void padded_relu(int height, int width, int channels, const float *x, const float *slope, const float *shift, float *padded) {
	frame(height, width, channels, padded);
	for (int h = 0; h < height; h++) {
		float *to = padded + ((long)(h + 1) * (width + 2) + 1) * channels;
		for (int j = 0; j < width; j++)
			for (int c = 0; c < channels; c += LANES, x += LANES, to += LANES)
				store(to, relu(load(x) * load(slope + c) + load(shift + c)));
	}
}

// shortcut_relu is relu(slope x + shift + shortcut); y2 is a second copy. shortcut and y2 may be NULL.
static void shortcut_relu(int pixels, int channels, const float *x, const float *slope, const float *shift, const float *shortcut, float *y, float *y2) {
	for (int i = 0; i < pixels; i++)
		for (int c = 0; c < channels; c += LANES, x += LANES, y += LANES) {
			vector v = load(x) * load(slope + c) + load(shift + c);
			if (shortcut) {
				v += load(shortcut);
				shortcut += LANES;
			}
			v = relu(v);
			store(y, v);
			if (y2) {
				store(y2, v);
				y2 += LANES;
			}
		}
}

// In the next two functions dy counts only where y > 0, unless y is NULL.

// gradient_sums computes the sums over the pixels of dy, and of dy times x.
static void gradient_sums(int pixels, int channels, const float *y, const float *dy, const float *x, float *sum, float *product) {
	for (int c = 0; c < channels; c += LANES) {
		vector s = {}, p = {};
		long i = c;
		for (int first = 0; first < pixels; first += RUN) {
			vector run = {}, products = {};
			for (int j = 0; j < RUN; j++, i += channels) {
				vector d = y ? where_positive(load(y + i), load(dy + i)) : load(dy + i);
				run += d;
				products += d * load(x + i);
			}
			s += run;
			p += products;
		}
		store(sum + c, s);
		store(product + c, p);
	}
}

// centred_sums computes the sums over the pixels of dy, and of dy (x - mean).
static void centred_sums(int pixels, int channels, const float *dy, const float *x, const float *mean, float *sum, float *product) {
	for (int c = 0; c < channels; c += LANES) {
		vector s = {}, p = {}, m = load(mean + c);
		long i = c;
		for (int first = 0; first < pixels; first += RUN) {
			vector run = {}, products = {};
			for (int j = 0; j < RUN; j++, i += channels) {
				run += load(dy + i);
				products += load(dy + i) * (load(x + i) - m);
			}
			s += run;
			p += products;
		}
		store(sum + c, s);
		store(product + c, p);
	}
}

// padded_gradient writes slope dy + x_slope x + shift into a padded image's interior.
static void padded_gradient(int height, int width, int channels, const float *y, const float *dy, const float *x,
	const float *slope, const float *x_slope, const float *shift, float *padded) {
	frame(height, width, channels, padded);
	for (int h = 0; h < height; h++) {
		float *to = padded + ((long)(h + 1) * (width + 2) + 1) * channels;
		for (int j = 0; j < width; j++)
			for (int c = 0; c < channels; c += LANES, dy += LANES, x += LANES, to += LANES) {
				vector d = load(dy);
				if (y) {
					d = where_positive(load(y), d);
					y += LANES;
				}
				store(to, d * load(slope + c) + load(x) * load(x_slope + c) + load(shift + c));
			}
	}
}

// masked keeps dy where the padded y > 0 and sets it to zero elsewhere, in place.
static void masked(int height, int width, int channels, const float *padded, float *dy) {
	for (int h = 0; h < height; h++) {
		const float *y = padded + ((long)(h + 1) * (width + 2) + 1) * channels;
		for (long i = 0; i < (long)width * channels; i += LANES, dy += LANES, y += LANES)
			store(dy, where_positive(load(y), load(dy)));
	}
}

// shortcut_gradient keeps dh where y > 0, sets it to zero elsewhere, and adds dx unless that is NULL.
static void shortcut_gradient(int pixels, int channels, const float *y, const float *dx, float *dh) {
	for (long i = 0; i < (long)pixels * channels; i += LANES) {
		vector d = where_positive(load(y + i), load(dh + i));
		store(dh + i, dx ? d + load(dx + i) : d);
	}
}

const image_table VERSION = {
	{pack, packed_size, convolve, work_size, kernel_gradient, sums_size, summed},
	{rounded_pack, direct_size, rounded_convolve, rounded_work_size, rounded_kernel_gradient, direct_size, rounded_summed},
	pad, dilate, moments, padded_relu, shortcut_relu, gradient_sums, centred_sums, padded_gradient, masked, shortcut_gradient,
};
