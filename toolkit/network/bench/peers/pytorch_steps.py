"""Takes training steps of a network with stochastic depth in PyTorch and reports how long each took.

`stochdepth bench --peers` starts it, writes a question to its standard input, in JSON, and reads the answer from its
standard output: see peers.go (question) and taken.go (answer). Weights, minibatch and the gates of each step come from a
file.

Modes, each also with "channels_last":

"eager" and "compile" (torch.compile of each block by itself, so that gates stay in Python): a closed block is not
computed, a Python `if` leaves it out.

"compile masked": torch.compile of the whole network with its loss, forward and backward, on a GPU as CUDA graphs. All
blocks are computed, and gates of 0 and 1 multiply the branches, as usual implementations do. So closed blocks are not
cheaper, and their running averages move too. Losses in training do not depend on that; evaluations do.

In bfloat16 convolutions and products are computed in it by autocast; weights, statistics and the loss stay in float32.
"""
import json
import math
import os
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class Stem(nn.Module):
    """The paper's, with a kernel of 3x3, or that of the networks for ImageNet, with 7x7; pre-activated blocks have a
    convolution only."""

    def __init__(self, channels, size, normalizes):
        super().__init__()
        self.pools = size > 3
        self.conv = conv(3, channels, size, 1 + self.pools)
        if normalizes:
            self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = self.conv(x)
        if hasattr(self, "bn"):
            x = F.relu(self.bn(x), inplace=True)
        return F.max_pool2d(x, 3, 2, padding=1) if self.pools else x


class Patches(nn.Module):
    """A transformer's stem: a linear layer over patches, and a learned position for each."""

    def __init__(self, weight, positions):
        super().__init__()
        self.side = math.isqrt(weight.shape[1] // 3)
        self.patches = nn.Linear(*reversed(weight.shape))
        self.positions = nn.Parameter(torch.empty_like(positions))

    def forward(self, x):
        x = x.unflatten(3, (-1, self.side)).unflatten(2, (-1, self.side)).permute(0, 2, 4, 3, 5, 1)
        return self.patches(x.flatten(3).flatten(1, 2)) + self.positions


class Head(nn.Module):
    """The average over pixels or tokens, normalised before if blocks end without an activation."""

    def __init__(self, width, normalization):
        super().__init__()
        if normalization == "bn":
            self.bn = nn.BatchNorm2d(width)
        if normalization == "norm":
            self.norm = nn.LayerNorm(width)

    def forward(self, x):
        if hasattr(self, "norm"):
            return self.norm(x).mean(1)
        if hasattr(self, "bn"):
            x = F.relu(self.bn(x), inplace=True)
        return x.mean((2, 3))


class Block(nn.Module):
    """The paper's block. Where the channels double, the side is halved."""

    def __init__(self, inputs, outputs, survival, projects):
        super().__init__()
        self.inputs, self.outputs, self.stride = inputs, outputs, 2 if outputs == 2 * inputs else 1
        self.layers()
        if projects:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, self.stride), nn.BatchNorm2d(outputs))
        self.register_buffer("survival", survival, persistent=False)

    def layers(self):
        self.conv1 = conv(self.inputs, self.outputs, 3, self.stride)
        self.bn1 = nn.BatchNorm2d(self.outputs)
        self.conv2 = conv(self.outputs, self.outputs, 3)
        self.bn2 = nn.BatchNorm2d(self.outputs)

    def branch(self, x):
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))

    def shortcut(self, x):
        """x; or where the shape changes, x projected, or pooled to half the side, with added channels of zeros."""
        if hasattr(self, "downsample"):
            return self.downsample(x)
        if self.inputs == self.outputs:
            return x
        return F.pad(F.avg_pool2d(x, self.stride), (0, 0, 0, 0, 0, self.outputs - self.inputs))

    def closed(self, x):
        """What a closed block computes. Without a projection it needs no ReLU, as x comes out of one."""
        return F.relu(self.downsample(x), inplace=True) if hasattr(self, "downsample") else self.shortcut(x)

    def forward(self, x, gate=None):
        """gate, if there is one, is a tensor that multiplies the branch."""
        f = self.branch(x)
        if gate is not None:
            f = f * gate
        if not self.training:
            f = f * self.survival
        f += self.shortcut(x)
        return self.end(f)

    def end(self, x):
        return F.relu(x, inplace=True)


class OriginalBottleneck(Block):
    """The block of 50 layers and more for ImageNet, as in torchvision with the stride in the middle."""

    def layers(self):
        middle = self.outputs // 4
        self.conv1 = conv(self.inputs, middle, 1)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = conv(middle, middle, 3, self.stride)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = conv(middle, self.outputs, 1)
        self.bn3 = nn.BatchNorm2d(self.outputs)

    def branch(self, x):
        return self.bn3(self.conv3(F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True))), inplace=True)))


class Preactivation(Block):
    """The block of He et al. 2016, in which each convolution follows a normalisation and ReLU."""

    def layers(self):
        self.bn1 = nn.BatchNorm2d(self.inputs)
        self.conv1 = conv(self.inputs, self.outputs, 3, self.stride)
        self.bn2 = nn.BatchNorm2d(self.outputs)
        self.conv2 = conv(self.outputs, self.outputs, 3)

    def branch(self, x):
        x = self.conv1(F.relu(self.bn1(x), inplace=True))
        return self.conv2(F.relu(self.bn2(x), inplace=True))

    def end(self, x):
        return x


class Bottleneck(Preactivation):
    """The same with three convolutions, of which the middle one has a quarter of the channels."""

    def layers(self):
        middle = self.outputs // 4
        self.bn1 = nn.BatchNorm2d(self.inputs)
        self.conv1 = conv(self.inputs, middle, 1)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv2 = conv(middle, middle, 3, self.stride)
        self.bn3 = nn.BatchNorm2d(middle)
        self.conv3 = conv(middle, self.outputs, 1)

    def branch(self, x):
        return self.conv3(F.relu(self.bn3(super().branch(x)), inplace=True))


class Transformer(nn.Module):
    """A pre-normalised encoder's attention and MLP as one block."""

    def __init__(self, width, hidden, survival, heads=4):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp1, self.mlp2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.register_buffer("survival", survival, persistent=False)

    def branch(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        a = self.projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return a + self.mlp2(F.gelu(self.mlp1(self.norm2(x + a)), approximate="tanh"))

    def closed(self, x):
        return x

    def forward(self, x, gate=None):
        f = self.branch(x)
        if gate is not None:
            f = f * gate
        return x + (f if self.training else f * self.survival)


class Network(nn.Module):
    """The network, with the names that `stochdepth export` gives its parts."""

    def __init__(self, tensors):
        super().__init__()
        self.fc = nn.Linear(*reversed(tensors["fc.weight"].shape))
        normalization = next((kind for kind in ("bn", "norm") if f"head.{kind}.weight" in tensors), None)
        self.head = Head(self.fc.in_features, normalization)
        self.blocks = nn.ModuleList()
        if "stem.patches.weight" in tensors:
            self.stem = Patches(tensors["stem.patches.weight"], tensors["stem.positions"])
            for k, survival in enumerate(tensors["survival"]):
                self.blocks.append(Transformer(*reversed(tensors[f"blocks.{k}.mlp1.weight"].shape), survival))
            return
        preactivated, bottleneck = normalization == "bn", "blocks.0.conv3.weight" in tensors
        self.stem = Stem(*tensors["stem.conv.weight"].shape[::3], not preactivated)
        kind = ((Block, OriginalBottleneck), (Preactivation, Bottleneck))[preactivated][bottleneck]
        for k, survival in enumerate(tensors["survival"]):
            part = f"blocks.{k}."
            inputs, outputs = tensors[part + "conv1.weight"].shape[1], len(tensors[f"{part}conv{2 + bottleneck}.weight"])
            self.blocks.append(kind(inputs, outputs, survival, part + "downsample.0.weight" in tensors))

    def forward(self, x, gates=None):
        """gates has one gate for each block: truth values, by which closed blocks are left out, or a tensor of 0 and 1, which
        multiplies the branches. None: all are open, as at test."""
        x = self.stem(x)
        for k, block in enumerate(self.blocks):
            if isinstance(gates, torch.Tensor):
                x = block(x, gates[k])
            else:
                x = block(x) if gates is None or gates[k] else block.closed(x)
        return self.fc(self.head(x))


def read(path):
    """The tensors of a safetensors file. (Not every machine with PyTorch has the package for it.)"""
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    types = {"F32": np.float32, "I32": np.int32, "U8": np.uint8}
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"]).copy())
            for name, t in header.items()}


def peak_mb():
    """The most memory that this process has held."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith("VmHWM"))


def answer(ask):
    mode, device = ask["mode"].split(), ask["device"]
    layout = torch.channels_last if "channels_last" in mode else torch.contiguous_format
    masked = "masked" in mode
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.backends.cudnn.benchmark = True

    tensors = read(ask["start"])
    gates = tensors.pop("gates")
    rows = gates.float().to(device) if masked else gates.bool().tolist()
    labels = tensors.pop("batch.labels").long().to(device)
    mean, deviation = tensors.pop("normalization.mean"), tensors.pop("normalization.deviation")
    images = ((tensors.pop("batch.pixels").float() - mean) / deviation).permute(0, 3, 1, 2).to(device).contiguous(memory_format=layout)
    network = Network(tensors)
    del tensors["survival"]
    network.load_state_dict(tensors)
    network.to(device).to(memory_format=layout)

    def compute(images, labels, gates=None):
        """The loss and the logits; gradients are of the loss alone."""
        with torch.autocast(device, torch.bfloat16, enabled=ask["dtype"] == "bfloat16"):
            logits = network(images, gates)
        return F.cross_entropy(logits.float(), labels), logits.detach()

    if masked:
        compute = torch.compile(compute, dynamic=False, fullgraph=True, mode="reduce-overhead" if device == "cuda" else None)
    elif "compile" in mode:
        for block in network.blocks:
            block.compile(dynamic=False)

    optimizer = torch.optim.SGD(network.parameters(), lr=ask["learning_rate"], momentum=ask["momentum"],
                                weight_decay=ask["weight_decay"], nesterov=True, fused=True)
    network.train()
    times, losses = [], []
    for i, row in enumerate(rows):
        optimizer.param_groups[0]["lr"] = 0.0 if i < ask["untimed"] else ask["learning_rate"]
        start = time.perf_counter()
        if masked:
            torch.compiler.cudagraph_mark_step_begin()  # CUDA graphs may now write into the results of the step before
        optimizer.zero_grad()  # to None, which is faster than to add to zeros
        # The gradients of closed blocks are zero, not None, so that weight decay and momentum move their weights too, as in the
        # authors' program. With masks they are zero anyway.
        for block, is_open in zip(network.blocks, () if masked else row):
            if not is_open:
                for p in block.parameters():
                    p.grad = torch.zeros_like(p)
        loss, _ = compute(images, labels, row)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())  # waits for the device
        times.append((time.perf_counter() - start) * 1e3)
    taken = {"steps_ms": times, "losses": losses[:ask["losses"]], "peak_mb": peak_mb(), "version": torch.__version__}

    evaluations, errors = [], 0
    network.eval()
    index = torch.arange(ask["evaluation_images"], device=device) % len(labels)
    with torch.inference_mode():
        images, labels = images[index].contiguous(memory_format=layout), labels[index]
        for _ in range(ask["evaluations"]):
            start = time.perf_counter()
            if masked:
                torch.compiler.cudagraph_mark_step_begin()
            loss, logits = compute(images, labels)
            loss.item()
            errors = (logits.argmax(1) != labels).sum().item()
            evaluations.append((time.perf_counter() - start) * 1e3)
    return dict(taken, evaluations_ms=evaluations, evaluation_errors=errors)


def main():
    out, sys.stdout = sys.stdout, sys.stderr  # standard output is for the answer alone
    with tempfile.TemporaryDirectory() as cache:  # empty: nothing compiled in an earlier start is used, unless asked for
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", cache)
        json.dump(answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    main()
