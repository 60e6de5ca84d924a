// Winograd's convolution F(2x2, 3x3) (Lavin and Gray 2015, arXiv 1509.09308): 16 products instead of 36 for
// each 2x2 outputs and pair of channels. Included by image.h.

enum { TILES = 16 }; // transformed together, tiles of 2x2 outputs

// winograd says whether a convolution is computed this way.
static int winograd(const convolution *c) {
	int rows = 2 * TILES / c->width; // of tiles
	return c->stride == 1 && c->in % LANES == 0 && c->width % 2 == 0 && rows > 0 && rows * c->width == 2 * TILES && c->height % (2 * rows) == 0;
}

// winograd_kernel transforms a kernel: w [3, 3, in, out] becomes [4, 4, in, out].
static void winograd_kernel(const convolution *c, const float *w, float *u) {
	long size = (long)c->in * c->out;
	for (long i = 0; i < size; i += LANES) {
		vector half[4][3];
		for (int j = 0; j < 3; j++) {
			vector a = load(w + j * size + i), b = load(w + (3 + j) * size + i), d = load(w + (6 + j) * size + i);
			half[0][j] = a, half[1][j] = (a + b + d) * 0.5f, half[2][j] = (a - b + d) * 0.5f, half[3][j] = d;
		}
		for (int k = 0; k < 4; k++) {
			vector a = half[k][0], b = half[k][1], d = half[k][2];
			store(u + (4 * k + 0) * size + i, a);
			store(u + (4 * k + 1) * size + i, (a + b + d) * 0.5f);
			store(u + (4 * k + 2) * size + i, (a - b + d) * 0.5f);
			store(u + (4 * k + 3) * size + i, d);
		}
	}
}

// winograd_input transforms the 4x4 pixels at x: v [4, 4] of pitch apart.
static inline void winograd_input(const float *x, long row, int channels, float *v, long pitch) {
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

// winograd_output transforms m [4, 4] of pitch apart into the 2x2 pixels at y.
static inline void winograd_output(const float *m, long pitch, int channels, float *y, long line) {
	for (int c = 0; c < channels; c += LANES) {
		vector s[2][4];
		_Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) {
			vector m0 = load(m + j * pitch + c), m1 = load(m + (4 + j) * pitch + c), m2 = load(m + (8 + j) * pitch + c), m3 = load(m + (12 + j) * pitch + c);
			s[0][j] = m0 + m1 + m2, s[1][j] = m1 - m2 - m3;
		}
		_Pragma("GCC unroll 2") for (int k = 0; k < 2; k++) {
			store(y + k * line + c, s[k][0] + s[k][1] + s[k][2]);
			store(y + k * line + channels + c, s[k][1] - s[k][2] - s[k][3]);
		}
	}
}

// winograd_product is m [PIXELS, out] = v [PIXELS, in] u [in, out], for LANES of out.
static inline void winograd_product(const float *v, const float *u, int in, int out, float *m) {
	vector sum[PIXELS];
	_Pragma("GCC unroll 16") for (int t = 0; t < PIXELS; t++) sum[t] = (vector){};
	for (int k = 0; k < in; k++, v++, u += out) {
		vector w = load(u);
		_Pragma("GCC unroll 16") for (int t = 0; t < PIXELS; t++) sum[t] += w * v[(long)t * in];
	}
	_Pragma("GCC unroll 16") for (int t = 0; t < PIXELS; t++) store(m + (long)t * out, sum[t]);
}

// winograd_convolve needs work of [16, TILES, in + out].
static void winograd_convolve(const convolution *c, const float *padded, const float *u, float *y, float *work) {
	long row = (long)(c->width + 2) * c->in, line = (long)c->width * c->out;
	int across = c->width / 2, rows = TILES / across;
	float *v = work, *m = work + 16L * TILES * c->in;
	for (int h = 0; h < c->height; h += 2 * rows) {
		for (int t = 0; t < TILES; t++)
			winograd_input(padded + (h + t / across * 2) * row + t % across * 2 * c->in, row, c->in, v + (long)t * c->in, (long)TILES * c->in);
		for (int e = 0; e < 16; e++)
			for (int t = 0; t < TILES; t += PIXELS)
				for (int o = 0; o < c->out; o += LANES)
					winograd_product(v + ((long)e * TILES + t) * c->in, u + (long)e * c->in * c->out + o, c->in, c->out, m + ((long)e * TILES + t) * c->out + o);
		for (int t = 0; t < TILES; t++)
			winograd_output(m + (long)t * c->out, (long)TILES * c->out, c->out, y + (h + t / across * 2) * line + t % across * 2 * c->out, line);
	}
}
