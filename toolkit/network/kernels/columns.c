//go:build linux && amd64 && cgo && !nokernels

// Batch normalisation's sums alone: over the rows of x [rows, columns], where a row is a pixel with its channels, or a row of
// pixels.

#include <math.h>

#include "block.h"
#include "convolution.h"
#include "parallel.h"
#include "workspace.h"

// A part is a number of rows that fits into the processor's first cache, since moments reads it twice.
enum { PART = 8192, MOST_ROWS = 128 };

static int rows_of_part(int columns) {
	int rows = PART / columns / RUN * RUN;
	return rows < RUN ? RUN : rows > MOST_ROWS ? MOST_ROWS : rows;
}

typedef struct {
	int rows, columns;
	const float *x, *dy, *mean;
	float *sums, *products; // of the parts
} column_job;

static int begin(const column_job *j, int part) { return part * rows_of_part(j->columns); }

// count is the number of a part's rows.
static int count(const column_job *j, int part) {
	int most = rows_of_part(j->columns), left = j->rows - begin(j, part);
	return left < most ? left : most;
}

static void sum_part(void *data, int part, float *scratch) {
	column_job *j = data;
	size_t first = (size_t)begin(j, part) * j->columns, at = (size_t)part * j->columns;
	float *sums = j->sums + at, *products = j->products + at;
	if (j->dy)
		stochdepth_image->centred_sums(count(j, part), j->columns, j->dy + first, j->x + first, j->mean, sums, products);
	else
		stochdepth_image->moments(j->x + first, count(j, part), j->columns, sums, products);
}

// sum_parts computes sums and products for all parts, and returns their number, or 0 if memory is short. The parts do not
// depend on the number of threads, and so neither do the sums.
static int sum_parts(ffi_call *call, column_job *j) {
	int most = rows_of_part(j->columns), parts = (j->rows + most - 1) / most;
	j->sums = stochdepth_take(2 * (size_t)parts * j->columns, SUMS);
	if (!j->sums)
		return 0;
	j->products = j->sums + (size_t)parts * j->columns;
	return stochdepth_parallel(call, parts, 0, sum_part, j) ? 0 : parts;
}

int stochdepth_moments(ffi_call *call, int rows, int columns, const float *x, float *mean, float *variance) {
	column_job j = {.rows = rows, .columns = columns, .x = x};
	int parts = sum_parts(call, &j);
	for (int c = 0; parts && c < columns; c++) {
		double sum = 0, squares = 0;
		for (int p = 0; p < parts; p++)
			sum += (double)count(&j, p) * j.sums[(size_t)p * columns + c];
		double m = sum / rows;
		for (int p = 0; p < parts; p++) {
			double between = j.sums[(size_t)p * columns + c] - m;
			squares += j.products[(size_t)p * columns + c] + count(&j, p) * between * between;
		}
		mean[c] = m;
		variance[c] = squares / rows;
	}
	stochdepth_put_back(j.sums, SUMS);
	return !parts;
}

int stochdepth_moments_gradient(ffi_call *call, int rows, int columns, const float *x, const float *mean, const float *variance,
	const float *dy, float *dscale, float *doffset) {
	column_job j = {.rows = rows, .columns = columns, .x = x, .dy = dy, .mean = mean};
	int parts = sum_parts(call, &j);
	for (int c = 0; parts && c < columns; c++) {
		double sum = 0, product = 0;
		for (int p = 0; p < parts; p++) {
			sum += j.sums[(size_t)p * columns + c];
			product += j.products[(size_t)p * columns + c];
		}
		dscale[c] = product / sqrt((double)variance[c] + epsilon);
		doffset[c] = sum;
	}
	stochdepth_put_back(j.sums, SUMS);
	return !parts;
}
