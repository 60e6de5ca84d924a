// The gradient of a kernel by Winograd's method, F(3x3, 2x2): 16 products instead of 36 for each 2x2 pixels of the
// output's gradient and pair of channels. It is F(2x2, 3x3) (Lavin and Gray 2015, arXiv 1509.09308, Section 4.1) with
// each transform transposed, and as exact as the direct sum. Included by image.h.

enum { GRADIENT_TILES = 32 }; // that are transformed together

// winograd_gradient says whether the gradient of a kernel is computed this way.
static int winograd_gradient(const convolution *c) {
	int tiles = tiles_of(c, 2);
	return c->stride == 1 && c->in % PIXELS == 0 && c->in % LANES == 0 && c->width % 2 == 0 && c->height % 2 == 0 && tiles % together(tiles, GRADIENT_TILES) == 0;
}

// tile_input transforms the 4x4 pixels at x: v [4, 4] of pitch apart.
static inline void tile_input(const float *x, long row, int channels, float *v, long pitch) {
	for (int c = 0; c < channels; c += LANES) {
		vector d[4][4];
		_Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) {
			vector x0 = load(x + j * channels + c), x1 = load(x + row + j * channels + c), x2 = load(x + 2 * row + j * channels + c),
			       x3 = load(x + 3 * row + j * channels + c);
			d[0][j] = x0 - x2, d[1][j] = x1 + x2, d[2][j] = x2 - x1, d[3][j] = x1 - x3;
		}
		_Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) {
			store(v + (4 * k + 0) * pitch + c, d[k][0] - d[k][2]);
			store(v + (4 * k + 1) * pitch + c, d[k][1] + d[k][2]);
			store(v + (4 * k + 2) * pitch + c, d[k][2] - d[k][1]);
			store(v + (4 * k + 3) * pitch + c, d[k][1] - d[k][3]);
		}
	}
}

// tile_gradient transforms the 2x2 pixels at dy: d [4, 4] of pitch apart.
static inline void tile_gradient(const float *dy, long row, int channels, float *d, long pitch) {
	for (int c = 0; c < channels; c += LANES) {
		vector r[4][2];
		_Pragma("GCC unroll 2") for (int j = 0; j < 2; j++) {
			vector y0 = load(dy + j * channels + c), y1 = load(dy + row + j * channels + c);
			r[0][j] = y0, r[1][j] = y0 + y1, r[2][j] = y0 - y1, r[3][j] = -y1;
		}
		_Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) {
			store(d + (4 * k + 0) * pitch + c, r[k][0]);
			store(d + (4 * k + 1) * pitch + c, r[k][0] + r[k][1]);
			store(d + (4 * k + 2) * pitch + c, r[k][0] - r[k][1]);
			store(d + (4 * k + 3) * pitch + c, -r[k][1]);
		}
	}
}

// outer_product adds to sums [PIXELS, out] the products of v [tiles, in] and d [tiles, out], for PIXELS of in and LANES of out.
static inline void outer_product(const float *v, const float *d, int in, int out, int tiles, float *sums) {
	vector sum[PIXELS];
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] = load(sums + (long)i * out);
	for (int t = 0; t < tiles; t++, v += in, d += out) {
		vector g = load(d);
		_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] += g * v[i];
	}
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) store(sums + (long)i * out, sum[i]);
}

static size_t winograd_sums_work(const convolution *c) { return 16 * (apart((long)GRADIENT_TILES * c->in) + apart((long)GRADIENT_TILES * c->out)); }

// winograd_sums adds to sums [4, 4] of [in, out] what an image gives. It needs work of winograd_sums_work floats.
static void winograd_sums(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	long row = (long)(c->width + 2) * c->in;
	int across = c->width / 2, all = tiles_of(c, 2), tiles = together(all, GRADIENT_TILES);
	long vpitch = apart((long)tiles * c->in), dpitch = apart((long)tiles * c->out), pitch = apart((long)c->in * c->out);
	float *v = work, *d = work + 16 * vpitch;
	for (int first = 0; first < all; first += tiles) {
		for (int t = 0; t < tiles; t++) {
			int h = (first + t) / across * 2, w = (first + t) % across * 2;
			tile_input(padded + h * row + w * c->in, row, c->in, v + (long)t * c->in, vpitch);
			tile_gradient(dy + h * dyrow + w * c->out, dyrow, c->out, d + (long)t * c->out, dpitch);
		}
		for (int e = 0; e < 16; e++)
			for (int i = 0; i < c->in; i += PIXELS)
				for (int o = 0; o < c->out; o += LANES)
					outer_product(v + e * vpitch + i, d + e * dpitch + o, c->in, c->out, tiles, sums + e * pitch + (long)i * c->out + o);
	}
}

// winograd_summed transforms sums [4, 4] of [in, out] into dw [3, 3, in, out].
static void winograd_summed(const convolution *c, const float *sums, float *dw) {
	long size = (long)c->in * c->out, pitch = apart(size);
	for (long i = 0; i < size; i += LANES) {
		vector half[3][4];
		for (int j = 0; j < 4; j++) {
			vector a = load(sums + j * pitch + i), b = load(sums + (4 + j) * pitch + i), d = load(sums + (8 + j) * pitch + i), e = load(sums + (12 + j) * pitch + i);
			half[0][j] = a + (b + d) * 0.5f, half[1][j] = (b - d) * 0.5f, half[2][j] = (b + d) * 0.5f + e;
		}
		for (int k = 0; k < 3; k++) {
			vector a = half[k][0], b = half[k][1], d = half[k][2], e = half[k][3];
			store(dw + (3 * k + 0) * size + i, a + (b + d) * 0.5f);
			store(dw + (3 * k + 1) * size + i, (b - d) * 0.5f);
			store(dw + (3 * k + 2) * size + i, (b + d) * 0.5f + e);
		}
	}
}
