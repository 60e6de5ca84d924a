"""Three training steps of a PyTorch implementation that is not ours, for TestAgainstPyTorch.

    pytorch_steps.py PEERS DIR float32|float64

PEERS is a folder with peer_common.py and peer_torch.py: a stochastic-depth ResNet with build(n,
death_rate, parameters), trainer(model, x, y), and the initial weights, the batch and the gates in
peer_common. Writes DIR/start.safetensors (weights under the names of `stochdepth export`, the batch,
the gates) and DIR/end.safetensors (weights after three steps, the losses).
"""
import sys

import numpy as np
import torch
from safetensors.torch import save_file

peers, out, dtype = sys.argv[1], sys.argv[2], getattr(torch, sys.argv[3])
sys.path.insert(0, peers)
import peer_common as pc  # noqa: E402
import peer_torch  # noqa: E402

N, RATE, BATCH, STEPS = 3, 0.5, 32, 3


def named(model):
    tensors = {}
    for key, value in model.state_dict().items():
        for old, new in ((".net.0.", ".conv1."), (".net.1.", ".bn1."), (".net.3.", ".conv2."), (".net.4.", ".bn2."),
                         ("stem.0.", "stem.conv."), ("stem.1.", "stem.bn.")):
            key = key.replace(old, new)
        tensors[key] = value.clone().contiguous()
    return tensors


torch.manual_seed(0)
torch.set_num_threads(1)
model = peer_torch.build(N, RATE, pc.init_params(N)).to(dtype)
images, labels = pc.make_batch(BATCH)
draw = pc.Gates(N, RATE)
gates = [draw.draw() for _ in range(STEPS)]
save_file(dict(named(model), **{
    "batch.images": torch.from_numpy(images.transpose(0, 2, 3, 1).copy()).to(dtype),
    "batch.labels": torch.from_numpy(labels.astype(np.float32)),
    "batch.gates": torch.from_numpy(np.array(gates, np.float32)),
}), out + "/start.safetensors")
step = peer_torch.trainer(model, torch.from_numpy(images).to(dtype), torch.from_numpy(labels).long())
losses = [step(g) for g in gates]
save_file(dict(named(model), losses=torch.tensor(losses, dtype=torch.float64)), out + "/end.safetensors")
