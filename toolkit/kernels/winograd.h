// Winograd's convolution F(2x2, 3x3) (Lavin and Gray 2015, arXiv 1509.09308): 16 products instead of 36 for
// each 2x2 outputs and pair of channels. Included by image.h.

enum { TILES = 16, GRADIENT_TILES = 32 }; // of 2x2 outputs that are transformed together, in winograd_convolve and winograd_sums

// apart is the distance of the 16 arrays of size floats that are transformed together: their numbers would share
// the same few lines of the cache if it were a power of two.
static inline long apart(long size) { return size + LANES; }

// winograd_work is how many floats convolutions and kernel gradients need beside their arguments.
static size_t winograd_work(const convolution *c) { return 16 * (apart((long)GRADIENT_TILES * c->in) + apart((long)GRADIENT_TILES * c->out)); }

// winograd says whether a convolution is computed this way.
static int winograd(const convolution *c) {
	int rows = 2 * TILES / c->width; // of tiles
	return c->stride == 1 && c->in % LANES == 0 && c->width % 2 == 0 && rows > 0 && rows * c->width == 2 * TILES && c->height % (2 * rows) == 0;
}

// winograd_kernel transforms a kernel: w [3, 3, in, out] becomes u [4, 4] of [in, out].
static void winograd_kernel(const convolution *c, const float *w, float *u) {
	long size = (long)c->in * c->out, pitch = apart(size);
	for (long i = 0; i < size; i += LANES) {
		vector half[4][3];
		for (int j = 0; j < 3; j++) {
			vector a = load(w + j * size + i), b = load(w + (3 + j) * size + i), d = load(w + (6 + j) * size + i);
			half[0][j] = a, half[1][j] = (a + b + d) * 0.5f, half[2][j] = (a - b + d) * 0.5f, half[3][j] = d;
		}
		for (int k = 0; k < 4; k++) {
			vector a = half[k][0], b = half[k][1], d = half[k][2];
			store(u + (4 * k + 0) * pitch + i, a);
			store(u + (4 * k + 1) * pitch + i, (a + b + d) * 0.5f);
			store(u + (4 * k + 2) * pitch + i, (a - b + d) * 0.5f);
			store(u + (4 * k + 3) * pitch + i, d);
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

// winograd_convolve needs work of winograd_work floats.
static void winograd_convolve(const convolution *c, const float *padded, const float *u, float *y, float *work) {
	long row = (long)(c->width + 2) * c->in, line = (long)c->width * c->out;
	long vpitch = apart((long)TILES * c->in), upitch = apart((long)c->in * c->out), mpitch = apart((long)TILES * c->out);
	int across = c->width / 2, rows = TILES / across;
	float *v = work, *m = work + 16 * vpitch;
	for (int h = 0; h < c->height; h += 2 * rows) {
		for (int t = 0; t < TILES; t++)
			winograd_input(padded + (h + t / across * 2) * row + t % across * 2 * c->in, row, c->in, v + (long)t * c->in, vpitch);
		for (int e = 0; e < 16; e++)
			for (int t = 0; t < TILES; t += PIXELS)
				for (int o = 0; o < c->out; o += LANES)
					winograd_product(v + e * vpitch + (long)t * c->in, u + e * upitch + o, c->in, c->out, m + e * mpitch + (long)t * c->out + o);
		for (int t = 0; t < TILES; t++)
			winograd_output(m + (long)t * c->out, mpitch, c->out, y + (h + t / across * 2) * line + t % across * 2 * c->out, line);
	}
}

// --- The gradient of the kernel: the same convolution the other way round, F(3x3, 2x2) ---

// winograd_gradient transforms the 2x2 pixels at dy as the transposed of winograd_output does: d [4, 4] of pitch apart.
static inline void winograd_gradient(const float *dy, long row, int channels, float *d, long pitch) {
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

// winograd_outer adds to sums [PIXELS, out] the products of v [tiles, in] and d [tiles, out], for PIXELS of in and LANES of out.
static inline void winograd_outer(const float *v, const float *d, int in, int out, int tiles, float *sums) {
	vector sum[PIXELS];
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] = load(sums + (long)i * out);
	for (int t = 0; t < tiles; t++, v += in, d += out) {
		vector g = load(d);
		_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] += g * v[i];
	}
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) store(sums + (long)i * out, sum[i]);
}

// winograd_sums adds to sums [4, 4] of [in, out] what an image gives. It needs work as winograd_convolve does.
static void winograd_sums(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	long row = (long)(c->width + 2) * c->in;
	int across = c->width / 2, all = c->height / 2 * across, tiles = all < GRADIENT_TILES ? all : GRADIENT_TILES;
	long vpitch = apart((long)tiles * c->in), dpitch = apart((long)tiles * c->out), pitch = apart((long)c->in * c->out);
	float *v = work, *d = work + 16 * vpitch;
	for (int first = 0; first < all; first += tiles) {
		for (int t = 0; t < tiles; t++) {
			int h = (first + t) / across * 2, w = (first + t) % across * 2;
			winograd_input(padded + h * row + w * c->in, row, c->in, v + (long)t * c->in, vpitch);
			winograd_gradient(dy + h * dyrow + w * c->out, dyrow, c->out, d + (long)t * c->out, dpitch);
		}
		for (int e = 0; e < 16; e++)
			for (int i = 0; i < c->in; i += PIXELS)
				for (int o = 0; o < c->out; o += LANES)
					winograd_outer(v + e * vpitch + i, d + e * dpitch + o, c->in, c->out, tiles, sums + e * pitch + (long)i * c->out + o);
	}
}

// winograd_kernel_gradient transforms sums [4, 4] of [in, out] into dw [3, 3, in, out], as the transposed of winograd_kernel does.
static void winograd_kernel_gradient(const convolution *c, const float *sums, float *dw) {
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
