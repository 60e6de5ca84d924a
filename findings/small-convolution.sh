#!/usr/bin/env bash
# JAX 0.10.2 (XLA on a CPU): a convolution 3x3 of images of 2x2 pixels takes some
# hundred times as long as the same product of patches.
#
# With 512 channels, 64 images of 2x2 pixels take longer than of 4x4, which have
# four times the arithmetic. It happens where the window is larger than the image,
# as in the last group of a ResNet-18 for images of 64x64 pixels, and grows faster
# than the channels: with 128 of them the factor is about 20. xla-cpu-pjrt 0.0.1,
# which GoMLX uses, takes as long.
#
# Instead: join the nine shifted images along the channels, and take one product
# with the kernel as a matrix.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_packages jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >compare.py <<'PY'
import time

import jax
import jax.numpy as jnp


def convolution(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), ((1, 1), (1, 1)),
                                        dimension_numbers=("NHWC", "HWIO", "NHWC"))


def product(x, kernel):
    images, side, _, channels = x.shape
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [around[:, row:row + side, column:column + side] for row in range(3) for column in range(3)]
    matrix = jnp.concatenate(patches, axis=-1).reshape(-1, 9 * channels)
    return (matrix @ kernel.reshape(9 * channels, -1)).reshape(x.shape)


def milliseconds(function, x, kernel):
    function = jax.jit(function)
    function(x, kernel).block_until_ready()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(x, kernel).block_until_ready()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


kernel = jax.random.normal(jax.random.key(1), (3, 3, 512, 512)) / 512
for side in 4, 2:
    x = jax.random.normal(jax.random.key(0), (64, side, side, 512))
    assert jnp.abs(convolution(x, kernel) - product(x, kernel)).max() < 1e-5
    conv, dot = milliseconds(convolution, x, kernel), milliseconds(product, x, kernel)
    print(f"{side}x{side} pixels: convolution {conv:.1f} ms, product {dot:.1f} ms", file=open("times", "a"))
    print(f"{side}x{side} pixels: the convolution takes more than ten times as long: {conv > 10 * dot}")
PY
seen=$(JAX_PLATFORMS=cpu venv/bin/python compare.py)
cat times
verdict "4x4 pixels: the convolution takes more than ten times as long: False
2x2 pixels: the convolution takes more than ten times as long: False" \
	"4x4 pixels: the convolution takes more than ten times as long: False
2x2 pixels: the convolution takes more than ten times as long: True" "$seen"
