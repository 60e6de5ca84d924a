// Winograd's convolution F(4x4, 3x3) (Lavin and Gray 2015, arXiv 1509.09308, Section 4.2): 36 products instead of 144
// for each 4x4 outputs and pair of channels. Included by image.h.

enum { TILES = 16 };                // of 4x4 outputs that are transformed together, or all of an image that has fewer
enum { FEW = 4 };                   // vectors of channels that are computed together if there are fewer tiles than PIXELS
enum { LINE = 64 / sizeof(float) }; // floats in a line of the cache

static inline int all_tiles(const convolution *c) { return c->height / 4 * (c->width / 4); }
static inline int together(const convolution *c) { return all_tiles(c) < TILES ? all_tiles(c) : TILES; }

// apart is the distance between arrays of size floats that are transformed together. With a power of two as the distance,
// they would share the same few lines of the cache.
static inline long apart(long size) { return size + LANES; }

// tiled reports whether images are transformed in tiles.
static int tiled(const convolution *c) {
	return c->stride == 1 && c->in % LANES == 0 && c->width % 4 == 0 && c->height % 4 == 0 && all_tiles(c) % together(c) == 0;
}

// winograd reports whether a convolution is computed this way.
static int winograd(const convolution *c) {
	return tiled(c) && (together(c) % PIXELS == 0 || (together(c) % (PIXELS / FEW) == 0 && c->out % (FEW * LANES) == 0));
}

// The transforms of a column or a row: of 6 inputs, of 3 weights, and of 6 products into 4 outputs. Polynomials are
// evaluated at 0, +-sqrt(2), +-1/sqrt(2) and infinity: rounding errors are half as large as with 0, +-1, +-2 and infinity.

#define ROOT 1.41421356237309504880f
#define HALF_ROOT 0.70710678118654752440f

static inline void input_column(const vector *x, vector *v) {
	vector a = x[4] - 0.5f * x[2], b = ROOT * (x[3] - 0.5f * x[1]), c = x[4] - 2 * x[2], d = HALF_ROOT * (x[3] - 2 * x[1]);
	v[0] = x[0] - 2.5f * x[2] + x[4];
	v[1] = a + b, v[2] = a - b, v[3] = c + d, v[4] = c - d;
	v[5] = x[1] - 2.5f * x[3] + x[5];
}

static inline void kernel_column(const vector *w, vector *u) {
	vector a = w[0] * (1.0f / 6) + w[2] * (1.0f / 3), b = w[1] * (ROOT / 6), c = w[0] * (-2.0f / 3) - w[2] * (1.0f / 3), d = w[1] * (-ROOT / 3);
	u[0] = w[0];
	u[1] = a + b, u[2] = a - b, u[3] = c + d, u[4] = c - d;
	u[5] = w[2];
}

static inline void output_column(const vector *m, vector *y) {
	vector a = m[1] + m[2], b = ROOT * (m[1] - m[2]), c = m[3] + m[4], d = HALF_ROOT * (m[3] - m[4]);
	y[0] = m[0] + a + c, y[1] = b + d, y[2] = 2 * a + 0.5f * c, y[3] = 2 * b + 0.5f * d + m[5];
}

// A transform takes ROWS x ROWS vectors at x, with rows row apart and columns step apart, to RESULTS x RESULTS vectors at y.
// It applies COLUMN to each column, then to each row.
#define TRANSFORM(NAME, COLUMN, ROWS, RESULTS) \
	static inline void NAME(const float *x, long row, long step, float *y, long yrow, long ystep) { \
		vector half[RESULTS][ROWS]; \
		_Pragma("GCC unroll 6") for (int j = 0; j < ROWS; j++) { \
			vector column[ROWS], t[RESULTS]; \
			_Pragma("GCC unroll 6") for (int k = 0; k < ROWS; k++) column[k] = load(x + k * row + j * step); \
			COLUMN(column, t); \
			_Pragma("GCC unroll 6") for (int k = 0; k < RESULTS; k++) half[k][j] = t[k]; \
		} \
		_Pragma("GCC unroll 6") for (int k = 0; k < RESULTS; k++) { \
			vector t[RESULTS]; \
			COLUMN(half[k], t); \
			_Pragma("GCC unroll 6") for (int j = 0; j < RESULTS; j++) store(y + k * yrow + j * ystep, t[j]); \
		} \
	}

TRANSFORM(transform_input, input_column, 6, 6)
TRANSFORM(transform_kernel, kernel_column, 3, 6)
TRANSFORM(transform_output, output_column, 6, 4)

// winograd_kernel transforms a kernel: w [3, 3, in, out] becomes u [6, 6] of [in, out].
static void winograd_kernel(const convolution *c, const float *w, float *u) {
	long size = (long)c->in * c->out, pitch = apart(size);
	for (long i = 0; i < size; i += LANES)
		transform_kernel(w + i, 3 * size, size, u + i, 6 * pitch, pitch);
}

// winograd_input transforms the 6x6 pixels at x into v, [6, 6] arrays that are pitch apart.
static inline void winograd_input(const float *x, long row, int channels, float *v, long pitch) {
	for (int c = 0; c < channels; c += LANES)
		transform_input(x + c, row, channels, v + c, 6 * pitch, pitch);
}

// winograd_output transforms m, [6, 6] arrays that are pitch apart, into the 4x4 pixels at y.
static inline void winograd_output(const float *m, long pitch, int channels, float *y, long line) {
	for (int c = 0; c < channels; c += LANES)
		transform_output(m + c, 6 * pitch, pitch, y + c, line, channels);
}

// A product is m [ROWS, out] = v [ROWS, in] u [in, out], for VECTORS vectors of out.
#define PRODUCT(NAME, ROWS, VECTORS) \
	static inline void NAME(const float *v, const float *u, int in, int out, float *m) { \
		vector sum[ROWS][VECTORS]; \
		_Pragma("GCC unroll 16") for (int t = 0; t < ROWS; t++) \
			_Pragma("GCC unroll 4") for (int o = 0; o < VECTORS; o++) sum[t][o] = (vector){}; \
		for (int k = 0; k < in; k++, v++, u += out) \
			_Pragma("GCC unroll 4") for (int o = 0; o < VECTORS; o++) { \
				vector w = load(u + o * LANES); \
				_Pragma("GCC unroll 16") for (int t = 0; t < ROWS; t++) sum[t][o] += w * v[(long)t * in]; \
			} \
		_Pragma("GCC unroll 16") for (int t = 0; t < ROWS; t++) \
			_Pragma("GCC unroll 4") for (int o = 0; o < VECTORS; o++) store(m + (long)t * out + o * LANES, sum[t][o]); \
	}

PRODUCT(product_of_many, PIXELS, 1)
PRODUCT(product_of_few, PIXELS / FEW, FEW)

// winograd_product is m [tiles, out] = v [tiles, in] u [in, out].
static inline void winograd_product(const float *v, const float *u, int tiles, int in, int out, float *m) {
	if (tiles % PIXELS == 0) {
		for (int t = 0; t < tiles; t += PIXELS)
			for (int o = 0; o < out; o += LANES)
				product_of_many(v + (long)t * in, u + o, in, out, m + (long)t * out + o);
		return;
	}
	for (int t = 0; t < tiles; t += PIXELS / FEW)
		for (int o = 0; o < out; o += FEW * LANES)
			product_of_few(v + (long)t * in, u + o, in, out, m + (long)t * out + o);
}

// winograd_work is how many floats of memory winograd_convolve and winograd_sums need for their work.
static size_t winograd_work(const convolution *c) { return 36 * (apart((long)TILES * c->in) + apart((long)TILES * c->out)); }

static void winograd_convolve(const convolution *c, const float *padded, const float *u, float *y, float *work) {
	int across = c->width / 4, all = all_tiles(c), tiles = together(c);
	long row = (long)(c->width + 2) * c->in, line = (long)c->width * c->out;
	long vpitch = apart((long)tiles * c->in), upitch = apart((long)c->in * c->out), mpitch = apart((long)tiles * c->out);
	float *v = work, *m = work + 36 * vpitch;
	for (int first = 0; first < all; first += tiles) {
		for (int t = 0; t < tiles; t++) {
			int h = (first + t) / across * 4, w = (first + t) % across * 4;
			winograd_input(padded + h * row + w * c->in, row, c->in, v + (long)t * c->in, vpitch);
		}
		// Meanwhile the output's memory is prefetched: otherwise each store would wait for it.
		float *to = y + (long)first * 16 * c->out;
		long lines = (long)tiles * 16 * c->out / LINE;
		for (int e = 0; e < 36; e++) {
			for (long l = lines * e / 36; l < lines * (e + 1) / 36; l++) __builtin_prefetch(to + l * LINE, 1);
			winograd_product(v + e * vpitch, u + e * upitch, tiles, c->in, c->out, m + e * mpitch);
		}
		for (int t = 0; t < tiles; t++) {
			int h = (first + t) / across * 4, w = (first + t) % across * 4;
			winograd_output(m + (long)t * c->out, mpitch, c->out, y + h * line + w * c->out, line);
		}
	}
}
