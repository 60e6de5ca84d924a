"""Three training steps in PyTorch, for TestAgainstPyTorch, of the network in toolkit/network/bench/peers.

    pytorch_steps.py PEERS DIR float32|float64

PEERS is that folder. Writes DIR/start.safetensors (random weights under the names of `stochdepth export`, a minibatch, the
gates of each step) and DIR/end.safetensors (weights after the steps, the losses).
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

peers, out, dtype = sys.argv[1], sys.argv[2], getattr(torch, sys.argv[3])
sys.path.insert(0, peers)
from pytorch_steps import Network  # noqa: E402

N, BATCH, STEPS = 3, 32, 3
rng = np.random.default_rng(0)


def save(path, tensors):
    """Writes a safetensors file."""
    header, data = {}, b""
    for name, t in tensors.items():
        t = t.detach().contiguous().numpy()
        header[name] = {"dtype": {"float32": "F32", "float64": "F64"}[str(t.dtype)], "shape": t.shape,
                        "data_offsets": [len(data), len(data) + t.nbytes]}
        data += t.tobytes()
    header = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(len(header).to_bytes(8, "little") + header + data)


def named(network):
    return {name: t.clone() for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}


torch.set_num_threads(1)
widths = [16] * (N + 1) + [32] * N + [64] * N
survival = 1 - 0.5 * torch.arange(1, 3 * N + 1, dtype=dtype) / (3 * N)
shapes = {"stem.conv.weight": torch.empty(16, 3, 3, 3), "fc.weight": torch.empty(10, 64), "survival": survival}
for k, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
    shapes[f"blocks.{k}.conv1.weight"] = torch.empty(outputs, inputs, 3, 3)
    shapes[f"blocks.{k}.conv2.weight"] = torch.empty(outputs, outputs, 3, 3)
network = Network(shapes).to(dtype)
with torch.no_grad():
    for name, p in network.named_parameters():
        if p.dim() > 1:
            p.copy_(torch.from_numpy(rng.normal(0, (2 / p[0].numel()) ** 0.5, p.shape)))
        else:
            p.copy_(torch.from_numpy(rng.uniform(0.5, 1, p.shape) if name.endswith("weight") else rng.normal(0, 0.1, p.shape)))
images = torch.from_numpy(rng.normal(0, 1, (BATCH, 3, 32, 32))).to(dtype)
labels = torch.from_numpy(rng.integers(0, 10, BATCH))
gates = torch.from_numpy(rng.uniform(0, 1, (STEPS, 3 * N))) < survival
save(out + "/start.safetensors", dict(named(network), **{
    "batch.images": images.permute(0, 2, 3, 1), "batch.labels": labels.float(), "batch.gates": gates.float()}))

for p in network.parameters():
    p.grad = torch.zeros_like(p)
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True)
network.train()
losses = []
for row in gates.tolist():
    optimizer.zero_grad(set_to_none=False)
    loss = F.cross_entropy(network(images, row), labels)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
save(out + "/end.safetensors", dict(named(network), losses=torch.tensor(losses, dtype=torch.float64)))
