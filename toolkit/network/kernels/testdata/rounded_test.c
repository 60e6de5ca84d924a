// Compares convolutions of factors rounded to bfloat16, and the gradients of their kernels, with sums of the rounded factors
// in double, for each way that this processor has to compute them. It prints what is wrong, or the number of ways.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../block.h"
#include "../convolution.h"
#include "../parallel.h"

// Nothing here computes a minibatch.
int stochdepth_parallel(ffi_call *call, int parts, size_t scratch, stochdepth_part *part, void *data) { return 1; }
void *stochdepth_map(size_t bytes) { return NULL; }
void stochdepth_unmap(void *memory, size_t bytes) {}

static float *random_floats(size_t n) {
	float *f = malloc(n * sizeof *f);
	for (size_t i = 0; i < n; i++)
		f[i] = rand() / (float)RAND_MAX - 0.4f;
	return f;
}

// rounded is the nearest number of 8 bits; rint rounds half to even.
static double rounded(double x) {
	int exponent;
	double part = frexp(x, &exponent);
	return ldexp(rint(part * 256), exponent - 8);
}

// check returns 1 if values differ from what they should be by more than the sums' rounding.
static int check(const convolution *c, const char *way, const char *what, const float *got, const double *want, size_t n) {
	double most = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		double d = fabs(got[i] - want[i]);
		most = d > most || isnan(d) ? d : most;
		size = fmax(size, fabs(want[i]));
	}
	if (most <= 5e-6 * size)
		return 0;
	printf("%s of %d x %d x %d to %d by %s: %g of %g\n", what, c->height, c->width, c->in, c->out, way, most, size);
	return 1;
}

// Tests count ways on one convolution, of an image with numbers that are not zero in its frame, which a way must not assume.
static int compare(const convolution *c, const products *const *ways, const char *const *names, int count) {
	long row = (long)(c->width * c->stride + 2) * c->in, dyrow = (long)(c->width + 2) * c->out;
	float *x = random_floats(padded_size(c)), *w = random_floats(kernel_size(c)), *dy = random_floats(padded_output_size(c));
	double *y = calloc(output_size(c), sizeof *y), *dw = calloc(kernel_size(c), sizeof *dw);
	for (int h = 0; h < c->height; h++)
		for (int j = 0; j < c->width; j++)
			for (int k = 0; k < 9; k++)
				for (int i = 0; i < c->in; i++) {
					double factor = rounded(x[(h * c->stride + k / 3) * row + (j * c->stride + k % 3) * c->in + i]);
					for (int o = 0; o < c->out; o++) {
						size_t at = ((size_t)k * c->in + i) * c->out + o;
						y[((size_t)h * c->width + j) * c->out + o] += factor * rounded(w[at]);
						dw[at] += factor * rounded(dy[h * dyrow + j * c->out + o]);
					}
				}
	int wrong = 0;
	for (int i = 0; i < count; i++) {
		const products *p = ways[i];
		float *packed = malloc(p->packed_size(c) * sizeof *packed), *work = malloc(p->work_size(c) * sizeof *work);
		float *sums = calloc(p->sums_size(c), sizeof *sums), *to = malloc((output_size(c) + kernel_size(c)) * sizeof *to);
		p->pack(c, w, packed);
		memset(work, 0xff, p->work_size(c) * sizeof *work); // NaN
		p->convolve(c, x, packed, to, work);
		wrong |= check(c, names[i], "convolution", to, y, output_size(c));
		memset(work, 0xff, p->work_size(c) * sizeof *work);
		p->kernel_gradient(c, x, dy, dyrow, sums, work);
		p->summed(c, sums, to);
		wrong |= check(c, names[i], "kernel's gradient", to, dw, kernel_size(c));
		free(packed), free(work), free(sums), free(to);
	}
	free(x), free(w), free(dy), free(y), free(dw);
	return wrong;
}

int main(void) {
	static const convolution cases[] = {
		{32, 32, 1, 16, 16, 1}, {16, 16, 1, 32, 32, 1}, {8, 8, 1, 64, 64, 1}, // the paper's groups
		{16, 16, 2, 16, 32, 1}, {8, 8, 2, 32, 64, 1},                         // their first layers
		{32, 32, 1, 32, 16, 1}, {3, 16, 1, 48, 16, 1}, {6, 24, 1, 16, 32, 1}, // backwards; other numbers of tiles
		{8, 8, 1, 3, 16, 1},                                                  // a stem
	};
	const products *ways[3];
	const char *names[3];
	int count = 0, wrong = 0, tiles = 0;
	for (int version = 2; version <= 512; version += 510)
		if (stochdepth_processor(version))
			ways[count] = &stochdepth_image->rounded, names[count++] = version == 2 ? "AVX2" : "AVX-512";
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int here = count;
		if (count > 1 && (ways[count] = stochdepth_amx(&cases[i])))
			names[here++] = "AMX", tiles = 1;
		wrong |= compare(&cases[i], ways, names, here);
	}
	if (!wrong)
		printf("%d", count + tiles);
	return wrong;
}
