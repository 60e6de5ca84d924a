// The gradient of a kernel by Winograd's method, F(3x3, 4x4): the convolution of winograd.h with all transforms transposed
// except the input's, which is the same. Included by image.h.

// gradient_column is the transpose of output_column.
static inline void gradient_column(const vector *y, vector *d) {
	vector a = y[0] + 2 * y[2], b = ROOT * (y[1] + 2 * y[3]), c = y[0] + 0.5f * y[2], e = HALF_ROOT * (y[1] + 0.5f * y[3]);
	d[0] = y[0];
	d[1] = a + b, d[2] = a - b, d[3] = c + e, d[4] = c - e;
	d[5] = y[3];
}

// summed_column is the transpose of kernel_column.
static inline void summed_column(const vector *u, vector *w) {
	vector a = u[1] + u[2], b = u[1] - u[2], c = u[3] + u[4], d = u[3] - u[4];
	w[0] = u[0] + a * (1.0f / 6) - c * (2.0f / 3);
	w[1] = b * (ROOT / 6) - d * (ROOT / 3);
	w[2] = a * (1.0f / 3) - c * (1.0f / 3) + u[5];
}

TRANSFORM(transform_gradient, gradient_column, 4, 6)
TRANSFORM(transform_sums, summed_column, 6, 3)

// winograd_gradient transforms the 4x4 pixels at dy into d, [6, 6] arrays that are pitch apart.
static inline void winograd_gradient(const float *dy, long row, int channels, float *d, long pitch) {
	for (int c = 0; c < channels; c += LANES)
		transform_gradient(dy + c, row, channels, d + c, 6 * pitch, pitch);
}

// outer_product adds to sums [PIXELS, out] the products of v [tiles, in] and d [tiles, out], for PIXELS of in and LANES of
// out.
static inline void outer_product(const float *v, const float *d, int in, int out, int tiles, float *sums) {
	vector sum[PIXELS];
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] = (vector){};
	for (int t = 0; t < tiles; t++, v += in, d += out) {
		vector g = load(d);
		_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) sum[i] += g * v[i];
	}
	_Pragma("GCC unroll 16") for (int i = 0; i < PIXELS; i++) add(sums + (long)i * out, sum[i]);
}

// winograd_sums adds to sums [6, 6] of [in, out] what an image contributes.
static void winograd_sums(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	long row = (long)(c->width + 2) * c->in;
	int across = c->width / 4, all = all_tiles(c), tiles = together(c);
	long vpitch = apart((long)tiles * c->in), dpitch = apart((long)tiles * c->out), pitch = apart((long)c->in * c->out);
	float *v = work, *d = work + 36 * vpitch;
	for (int first = 0; first < all; first += tiles) {
		for (int t = 0; t < tiles; t++) {
			int h = (first + t) / across * 4, w = (first + t) % across * 4;
			winograd_input(padded + h * row + w * c->in, row, c->in, v + (long)t * c->in, vpitch);
			winograd_gradient(dy + h * dyrow + w * c->out, dyrow, c->out, d + (long)t * c->out, dpitch);
		}
		for (int e = 0; e < 36; e++)
			for (int i = 0; i < c->in; i += PIXELS)
				for (int o = 0; o < c->out; o += LANES)
					outer_product(v + e * vpitch + i, d + e * dpitch + o, c->in, c->out, tiles, sums + e * pitch + (long)i * c->out + o);
	}
}

// winograd_summed transforms sums [6, 6] of [in, out] into dw [3, 3, in, out].
static void winograd_summed(const convolution *c, const float *sums, float *dw) {
	long size = (long)c->in * c->out, pitch = apart(size);
	for (long i = 0; i < size; i += LANES)
		transform_sums(sums + i, 6 * pitch, pitch, dw + i, 3 * size, size);
}
