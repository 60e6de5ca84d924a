"""Takes training steps of a network with stochastic depth in JAX and reports how long each took.

`stochdepth bench --peers` starts it, writes a question to its standard input, in JSON, and reads the answer from its
standard output: see peers.go (question) and taken.go (answer). Weights, minibatch and the gates of each step come from a
file.

Modes: "cond" has a lax.cond for each block; "scan" has one in the body of a lax.scan over blocks of equal shape, so that
the program does not grow with the depth. For a closed block only the shortcut is computed.

"mask" computes all blocks, in one program without cond or scan, and gates of 0 and 1 multiply the branches, as usual
implementations do. So closed blocks are not cheaper, and their running averages move too. Losses in training do not
depend on that; evaluations do.

Each step reuses the arrays of the step before it (they are donated). Two more things make "cond" and "scan" as fast as
possible on a CPU: the gradients of convolutions are written as convolutions in the order of axes for which XLA is fast,
because inside a cond or scan other orders run many times slower; and only the outputs of convolutions are kept for the
gradient. In "mask" XLA sees the whole program and is left to decide.

In bfloat16 the activations have that type; parameters, statistics and the head stay in float32.
"""
import json
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name

EPSILON, MOMENTUM = 1e-5, 0.1  # of batch normalisation


def convolve(x, kernel, padding, stride=1, **dilation):
    return lax.conv_general_dilated(x, kernel.astype(x.dtype), (stride, stride), padding,
                                    dimension_numbers=("NHWC", "HWIO", "NHWC"), **dilation)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve3x3(x, kernel, stride):
    return convolve(x, kernel, ((1, 1), (1, 1)), stride)


def convolve3x3_forward(x, kernel, stride):
    return convolve3x3(x, kernel, stride), (x, kernel)


def convolve3x3_backward(stride, saved, dy):
    x, kernel = saved
    spread, ends = (stride, stride), 2 - stride
    dx = convolve(dy, kernel[::-1, ::-1].transpose(0, 1, 3, 2), ((1, stride), (1, stride)), lhs_dilation=spread)
    dkernel = convolve(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), ((1, ends), (1, ends)), rhs_dilation=spread)
    return dx, dkernel.transpose(1, 2, 0, 3).astype(kernel.dtype)


convolve3x3.defvjp(convolve3x3_forward, convolve3x3_backward)


def convolve3x3_plain(x, kernel, stride):
    """The same with JAX's own gradient."""
    return convolve(x, kernel, ((1, 1), (1, 1)), stride)


def normalize_train(x, p, averages):
    """Batch normalisation by the minibatch's statistics; also returns the new running averages."""
    dtype, x = x.dtype, x.astype(jnp.float32)
    count = x.shape[0] * x.shape[1] * x.shape[2]
    mean = x.mean((0, 1, 2))
    variance = jnp.maximum((x * x).mean((0, 1, 2)) - mean * mean, 0)
    new = {"running_mean": mean, "running_var": variance * (count / (count - 1))}
    moved = jax.tree.map(lambda old, now: (1 - MOMENTUM) * old + MOMENTUM * lax.stop_gradient(now), averages, new)
    return ((x - mean) * (lax.rsqrt(variance + EPSILON) * p["weight"]) + p["bias"]).astype(dtype), moved


def normalize_test(x, p, averages):
    y = (x - averages["running_mean"]) * (lax.rsqrt(averages["running_var"] + EPSILON) * p["weight"]) + p["bias"]
    return y.astype(x.dtype)


def shortcut(x, outputs):
    """x; or where the shape changes, x pooled to half the side, with added channels of zeros."""
    batch, side, _, inputs = x.shape
    if inputs == outputs:
        return x
    pooled = x.reshape(batch, side // 2, 2, side // 2, 2, inputs).mean((2, 4))
    return jnp.pad(pooled, ((0, 0), (0, 0), (0, 0), (0, outputs - inputs)))


def block_train(x, block):
    """A block, given its parameters, running averages and gate; also returns the new running averages."""
    p, averages, gate = block
    inputs, outputs = p["conv1"]["weight"].shape[2:]

    @partial(jax.checkpoint, policy=jax.checkpoint_policies.save_only_these_names("convolution"))
    def opened(p, averages, x):
        f = checkpoint_name(convolve3x3(x, p["conv1"]["weight"], outputs // inputs), "convolution")
        f, first = normalize_train(f, p["bn1"], averages["bn1"])
        f = checkpoint_name(convolve3x3(jax.nn.relu(f), p["conv2"]["weight"], 1), "convolution")
        f, second = normalize_train(f, p["bn2"], averages["bn2"])
        return jax.nn.relu(f + shortcut(x, outputs)), {"bn1": first, "bn2": second}

    def closed(p, averages, x):  # without a ReLU, as x comes out of one
        return shortcut(x, outputs), averages

    return lax.cond(gate, opened, closed, p, averages, x)


def block_masked(x, block):
    """The same block computed whether it is open or closed, with its branch multiplied by the gate."""
    p, averages, gate = block
    inputs, outputs = p["conv1"]["weight"].shape[2:]
    f = convolve3x3_plain(x, p["conv1"]["weight"], outputs // inputs)
    f, first = normalize_train(f, p["bn1"], averages["bn1"])
    f = convolve3x3_plain(jax.nn.relu(f), p["conv2"]["weight"], 1)
    f, second = normalize_train(f, p["bn2"], averages["bn2"])
    return jax.nn.relu(gate.astype(x.dtype) * f + shortcut(x, outputs)), {"bn1": first, "bn2": second}


def block_test(x, block):
    p, averages, survival = block
    inputs, outputs = p["conv1"]["weight"].shape[2:]
    f = jax.nn.relu(normalize_test(convolve3x3(x, p["conv1"]["weight"], outputs // inputs), p["bn1"], averages["bn1"]))
    f = normalize_test(convolve3x3(f, p["conv2"]["weight"], 1), p["bn2"], averages["bn2"])
    return jax.nn.relu(survival.astype(x.dtype) * f + shortcut(x, outputs)), None


def through(stages, block, x, parameters, averages, numbers):
    """Passes x through all blocks. The blocks of a stage are stacked if there are several, and are a scan. numbers has one
    number for each block: its gate or its survival probability."""
    moved = []
    for (first, count), p, a in zip(stages, parameters, averages):
        if count == 1:
            x, new = block(x, (p, a, numbers[first]))
        else:
            x, new = lax.scan(block, x, (p, a, numbers[first:first + count]))
        moved.append(new)
    return x, moved


def head(x, p):
    return jnp.matmul(x.astype(jnp.float32).mean((1, 2)), p["weight"], precision="highest") + p["bias"]


def loss_of(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def make_step(stages, block, momentum, weight_decay):
    def forward(parameters, averages, images, labels, gates):
        x, stem = normalize_train(convolve3x3(images, parameters["stem"]["conv"]["weight"], 1), parameters["stem"]["bn"], averages["stem"])
        x, blocks = through(stages, block, jax.nn.relu(x), parameters["blocks"], averages["blocks"], gates)
        return loss_of(head(x, parameters["fc"]), labels), {"stem": stem, "blocks": blocks}

    @partial(jax.jit, donate_argnums=0)
    def step(state, images, labels, gates, rate):
        parameters, averages, velocity = state
        (loss, averages), gradient = jax.value_and_grad(forward, has_aux=True)(parameters, averages, images, labels, gates)
        gradient = jax.tree.map(lambda d, p: d + weight_decay * p, gradient, parameters)
        velocity = jax.tree.map(lambda v, d: momentum * v + d, velocity, gradient)
        parameters = jax.tree.map(lambda p, d, v: p - rate * (d + momentum * v), parameters, gradient, velocity)
        return (parameters, averages, velocity), loss

    return step


def make_evaluation(stages):
    @jax.jit
    def evaluate(state, images, labels, survival):
        parameters, averages, _ = state
        x = normalize_test(convolve3x3(images, parameters["stem"]["conv"]["weight"], 1), parameters["stem"]["bn"], averages["stem"])
        x, _ = through(stages, block_test, jax.nn.relu(x), parameters["blocks"], averages["blocks"], survival)
        logits = head(x, parameters["fc"])
        return (logits.argmax(1) != labels).sum(), loss_of(logits, labels)

    return evaluate


def read(path):
    """The tensors of a safetensors file. (Not every machine with JAX has the package for it.)"""
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    types = {"F32": np.float32, "I32": np.int32, "U8": np.uint8}
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"]) for name, t in header.items()}


def load(tensors, scan):
    """The stages [(first block, count)], parameters and running averages, from tensors with the names of `stochdepth
    export`."""
    def part(name, *keys):
        return {key: tensors[f"{name}.{key}"] for key in keys}

    def kernel(name):
        return {"weight": tensors[name + ".weight"].transpose(2, 3, 1, 0)}

    names = [f"blocks.{k}" for k in range(len(tensors["survival"]))]
    parameters = [{"conv1": kernel(n + ".conv1"), "bn1": part(n + ".bn1", "weight", "bias"),
                   "conv2": kernel(n + ".conv2"), "bn2": part(n + ".bn2", "weight", "bias")} for n in names]
    averages = [{bn: part(f"{n}.{bn}", "running_mean", "running_var") for bn in ("bn1", "bn2")} for n in names]
    stages = []
    for k, p in enumerate(parameters):
        if scan and stages and p["conv1"]["weight"].shape == parameters[k - 1]["conv1"]["weight"].shape:
            stages[-1] = (stages[-1][0], stages[-1][1] + 1)
        else:
            stages.append((k, 1))

    def stacked(blocks):
        return [blocks[first] if count == 1 else jax.tree.map(lambda *v: np.stack(v), *blocks[first:first + count])
                for first, count in stages]

    return stages, {
        "stem": {"conv": kernel("stem.conv"), "bn": part("stem.bn", "weight", "bias")},
        "blocks": stacked(parameters),
        "fc": {"weight": tensors["fc.weight"].T, "bias": tensors["fc.bias"]},
    }, {"stem": part("stem.bn", "running_mean", "running_var"), "blocks": stacked(averages)}


def peak_mb():
    """The most memory that this process has held."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith("VmHWM"))


def answer(ask):
    jax.config.update("jax_platforms", ask["device"])
    if ask["device"] == "cuda" and ask["dtype"] == "float32":
        jax.config.update("jax_default_matmul_precision", "highest")  # no TF32
    tensors = read(ask["start"])
    stages, parameters, averages = load(tensors, ask["mode"] == "scan")
    state = jax.tree.map(jnp.array, (parameters, averages, jax.tree.map(np.zeros_like, parameters)))
    pixels, labels = tensors["batch.pixels"].astype(np.float32), tensors["batch.labels"]
    images = jnp.array((pixels - tensors["normalization.mean"]) / tensors["normalization.deviation"],
                       jnp.bfloat16 if ask["dtype"] == "bfloat16" else jnp.float32)
    step = make_step(stages, block_masked if ask["mode"] == "mask" else block_train, ask["momentum"], ask["weight_decay"])
    times, losses, device_labels = [], [], jnp.array(labels)
    for i, row in enumerate(tensors["gates"].astype(bool)):
        rate = 0.0 if i < ask["untimed"] else ask["learning_rate"]
        start = time.perf_counter()
        state, loss = step(state, images, device_labels, row, rate)
        jax.block_until_ready(state)
        losses.append(float(loss))
        times.append((time.perf_counter() - start) * 1e3)
    taken = {"steps_ms": times, "losses": losses[:ask["losses"]], "peak_mb": peak_mb(), "version": jax.__version__}

    evaluations, errors = [], 0
    index = np.arange(ask["evaluation_images"]) % len(labels)
    images, labels, survival = images[index], jnp.array(labels[index]), jnp.array(tensors["survival"])
    evaluate = make_evaluation(stages)
    for _ in range(ask["evaluations"]):
        start = time.perf_counter()
        wrong, _ = evaluate(state, images, labels, survival)
        errors = int(wrong)
        evaluations.append((time.perf_counter() - start) * 1e3)
    return dict(taken, evaluations_ms=evaluations, evaluation_errors=errors)


def main():
    out, sys.stdout = sys.stdout, sys.stderr  # standard output is for the answer alone
    json.dump(answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    main()
