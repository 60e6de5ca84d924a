// Convolutions of factors rounded to bfloat16, on any processor: the direct convolutions of image.h, on rounded copies.
// Included by image.h.

// round_to_bfloat16 rounds to the nearest number of 8 bits, and half way to the even one. A NaN stays a NaN.
static void round_to_bfloat16(const float *x, long size, float *y) {
	for (long i = 0; i < size; i++) {
		uint32_t bits;
		memcpy(&bits, x + i, sizeof bits);
		uint32_t rounded = x[i] != x[i] ? bits | 1 << 16 : bits + 0x7fff + (bits >> 16 & 1);
		rounded &= 0xffff0000;
		memcpy(y + i, &rounded, sizeof rounded);
	}
}

static size_t direct_size(const convolution *c) { return (size_t)9 * c->in * c->out; }

static void rounded_pack(const convolution *c, const float *w, float *packed) { round_to_bfloat16(w, direct_size(c), packed); }

static long rounded_image(const convolution *c) { return (long)(c->height * c->stride + 2) * (c->width * c->stride + 2) * c->in; }

static void rounded_convolve(const convolution *c, const float *padded, const float *packed, float *y, float *work) {
	round_to_bfloat16(padded, rounded_image(c), work);
	direct_convolve(c, work, packed, y);
}

static size_t rounded_work_size(const convolution *c) { return rounded_image(c) + (size_t)c->height * c->width * c->out; }

static void rounded_kernel_gradient(const convolution *c, const float *padded, const float *dy, long dyrow, float *sums, float *work) {
	long line = (long)c->width * c->out;
	float *gradient = work + rounded_image(c);
	round_to_bfloat16(padded, rounded_image(c), work);
	for (int h = 0; h < c->height; h++)
		round_to_bfloat16(dy + h * dyrow, line, gradient + h * line);
	direct_gradient(c, work, gradient, line, sums);
}

static void rounded_summed(const convolution *c, const float *sums, float *dw) { memcpy(dw, sums, direct_size(c) * sizeof(float)); }
