// Times the phases of the stem, of blocks and of transitions on one thread, each block with its own memory: microseconds
// for each image, in the fastest of several rounds.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../block.h"
#include "../parallel.h"

enum { ROUNDS = 6, PHASES = 8, BLOCKS = 18, HUGE = 2 << 20 };

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

// floats returns memory as XLA's steps get it (allocator.c), filled with numbers.
static float *floats(size_t n) {
	size_t bytes = (n * sizeof(float) + HUGE - 1) / HUGE * HUGE;
	float *f = aligned_alloc(HUGE, bytes);
	if (!f)
		exit(1);
	madvise(f, bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < n; i++)
		f[i] = (float)rand() / RAND_MAX - 0.5f;
	return f;
}

// few returns memory for small arrays, filled with numbers.
static float *few(size_t n) {
	float *f = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
	if (!f)
		exit(1);
	for (size_t i = 0; i < n; i++)
		f[i] = (float)rand() / RAND_MAX - 0.5f;
	return f;
}

// --- In place of parallel.c: one thread, and a clock for each phase ---

static float *memory;
static int rounded;
static double spent[PHASES], best[PHASES];
static int phase;

int stochdepth_parallel(ffi_call *call, int parts, size_t scratch, stochdepth_part *part, void *data) {
	double start = now();
	for (int i = 0; i < parts; i++)
		part(data, i, memory);
	spent[phase++] += now() - start;
	return 0;
}

void *stochdepth_map(size_t bytes) { return floats(bytes / sizeof(float) + 1); }
void stochdepth_unmap(void *f, size_t bytes) { free(f); }

static void begin(void) {
	for (int i = 0; i < PHASES; i++)
		best[i] = 1e9;
}

static void end_round(void) {
	for (int i = 0; i < PHASES; i++) {
		best[i] = spent[i] < best[i] ? spent[i] : best[i];
		spent[i] = 0;
	}
}

static void report(const char *what, const char *const *phases, double images) {
	double sum = 0;
	printf("%-22s", what);
	for (int i = 0; phases[i]; i++) {
		sum += best[i];
		printf("  %s %.1f", phases[i], best[i] / images * 1e6);
	}
	printf("  all %.1f\n", sum / images * 1e6);
}

static layer new_layer(int batch, convolution c) {
	return (layer){c, few(9 * c.in * c.out), few(c.out), few(c.out), floats((size_t)batch * c.height * c.width * c.out), few(c.out), few(c.out)};
}

static layer_gradient new_gradient(const layer *l) { return (layer_gradient){few(9 * l->c.in * l->c.out), few(l->c.out), few(l->c.out)}; }

static const char *const of_block[] = {"conv1", "conv2", "add", "sums", "gradient2", "gradient1", NULL};

// blocks times a stack of blocks, or a transition if stride is 2.
static void blocks(int batch, int side, int in, int out, int stride, int count) {
	size_t size = (size_t)batch * side * side * out;
	block b[BLOCKS];
	layer_gradient g[2 * BLOCKS];
	float *h[BLOCKS + 1] = {floats((size_t)batch * side * side * stride * stride * in)}, *dh = floats(size), *shortcut = NULL, *dx = NULL;
	if (stride > 1)
		shortcut = floats(size), dx = floats((size_t)batch * side * side * stride * stride * in);
	for (int l = 0; l < count; l++) {
		b[l] = (block){.batch = batch, .open = {.count = batch}, .one = new_layer(batch, (convolution){side, side, stride, in, out, rounded}),
			.two = new_layer(batch, (convolution){side, side, 1, out, out, rounded}), .x = h[l], .scale = 1};
		g[2 * l] = new_gradient(&b[l].one), g[2 * l + 1] = new_gradient(&b[l].two);
		h[l + 1] = floats(size);
	}
	begin();
	for (int r = 0; r < ROUNDS; r++) {
		for (int l = 0; l < count; l++) {
			phase = 0;
			stochdepth_forward(NULL, &b[l], shortcut ? shortcut : h[l], h[l + 1], NULL);
		}
		for (int l = count - 1; l >= 0; l--) {
			phase = 3;
			stochdepth_backward(NULL, &b[l], h[l + 1], dh, dx, g[2 * l], g[2 * l + 1], 0);
		}
		end_round();
	}
	char what[64];
	snprintf(what, sizeof what, "%s %d x %d x %d", stride > 1 ? "transition" : "block", side, side, out);
	report(what, of_block, (double)batch * count);
}

static void times_of_stem(int batch) {
	stem s = {batch, new_layer(batch, (convolution){32, 32, 1, 3, 16, rounded}), floats((size_t)batch * 32 * 32 * 3)};
	layer_gradient g = new_gradient(&s.one);
	float *output = floats((size_t)batch * 32 * 32 * 16), *dh = floats((size_t)batch * 32 * 32 * 16);
	begin();
	for (int r = 0; r < ROUNDS; r++) {
		phase = 0;
		stochdepth_stem(NULL, &s, output);
		stochdepth_stem_gradient(NULL, &s, output, dh, g);
		end_round();
	}
	report("stem", (const char *const[]){"conv", "relu", "sums", "gradient", NULL}, batch);
}

int main(int count, char **arguments) {
	int batch = count > 1 ? atoi(arguments[1]) : 64;
	rounded = count > 2 && !strcmp(arguments[2], "bf16-products");
	if (!stochdepth_processor(0))
		return 1;
	memory = floats(4 << 20);
	times_of_stem(batch);
	blocks(batch, 32, 16, 16, 1, BLOCKS);
	blocks(batch, 16, 16, 32, 2, 1);
	blocks(batch, 16, 32, 32, 1, BLOCKS);
	blocks(batch, 8, 32, 64, 2, 1);
	blocks(batch, 8, 64, 64, 1, BLOCKS);
	return 0;
}
