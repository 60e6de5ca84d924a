"""Twenty training steps in PyTorch with each key of a recipe beyond the paper's, for TestRecipesAsInPyTorch.

    pytorch_recipes.py PEERS > pytorch_recipes.json

PEERS is toolkit/network/bench/peers, whose network takes the steps, in float64: 8 layers, images of 8x8 pixels. Weights and
images are the same numbers in both languages. For each case it prints the settings, the losses, the loss at test after the
steps, and the gates and the draws of the mixed images. Made with torch 2.15.0 and timm 1.0.31.
"""
import json
import sys

import numpy as np
import timm.data.mixup
import torch
import torch.nn.functional as F
from timm.loss import SoftTargetCrossEntropy
from timm.optim import param_groups_weight_decay
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

sys.path.insert(0, sys.argv[1])
from pytorch_steps import Network  # noqa: E402

BATCH, SIDE, CLASSES, STEPS = 6, 8, 10, 20
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


class Numbers:
    """The same numbers as in the test: a linear congruential generator."""

    def __init__(self):
        self.x = 1

    def next(self):
        self.x = (self.x * 1664525 + 1013904223) % 2**32
        return self.x >> 8

    def uniform(self):  # from -1/2 to 1/2
        return self.next() / 2**24 - 0.5


def start():
    """The network, images and labels."""
    numbers, shapes = Numbers(), {"stem.conv.weight": torch.empty(16, 3, 3, 3), "fc.weight": torch.empty(CLASSES, 64),
                                  "survival": torch.tensor([5 / 6, 4 / 6, 1 / 2])}
    for k, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)]):
        shapes[f"blocks.{k}.conv1.weight"] = torch.empty(outputs, inputs, 3, 3)
        shapes[f"blocks.{k}.conv2.weight"] = torch.empty(outputs, outputs, 3, 3)
    network = Network(shapes).double()
    with torch.no_grad():
        for name, p in sorted(network.named_parameters()):
            middle, width = (0, (24 / p[0].numel()) ** 0.5) if p.dim() > 1 else (0.75, 0.5) if name.endswith("weight") else (0, 0.2)
            p.copy_(torch.tensor([middle + width * numbers.uniform() for _ in range(p.numel())]).view(p.shape))
    pixels = [numbers.next() % 256 for _ in range(BATCH * SIDE * SIDE * 3)]
    images = (torch.tensor(pixels).view(BATCH, SIDE, SIDE, 3).permute(0, 3, 1, 2).double() - 127.5) / 64
    return network, images, torch.tensor([numbers.next() % CLASSES for _ in range(BATCH)])


class Mixup(timm.data.mixup.Mixup):
    """timm's, which notes its draws: own share of the label; share inside of the box; top, left, bottom, right."""

    def _params_per_batch(self):
        share, cuts = super()._params_per_batch()
        share = float(np.float32(share))
        if not cuts:
            self.draws.append([share, share, 0, 0, SIDE, SIDE])
        return share, cuts


def noted(box_and_share):
    def note(*args, **kwargs):
        (top, bottom, left, right), share = box_and_share(*args, **kwargs)
        Mixup.draws.append([float(share), 0, int(top), int(left), int(bottom), int(right)])
        return (top, bottom, left, right), share

    return note


timm.data.mixup.cutmix_bbox_and_lam = noted(timm.data.mixup.cutmix_bbox_and_lam)


def train(settings):
    of = lambda key, otherwise=0: settings.get(key, otherwise)  # noqa: E731
    network, images, labels = start()
    rate, decay = of("learning_rate"), of("weight_decay", 1e-4)
    groups = [{"params": list(network.parameters()), "weight_decay": decay}]
    if of("weight_decay_of") == "weights":
        groups = param_groups_weight_decay(network, decay)
    if of("optimizer") == "adamw":
        betas = tuple(float(b) for b in of("betas", "0.9,0.999").split(","))
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=betas)
    else:
        optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    scheduler = None
    if of("schedule") == "cosine" or of("milestones"):  # an epoch is a step
        warm = of("warmup_epochs")
        warmup = {"linear": LinearLR}.get(of("warmup"), ConstantLR)(optimizer, of("warmup_rate") / rate, total_iters=warm)
        drops = [int(STEPS * float(m)) - warm for m in of("milestones", "").split(",") if m]
        after = MultiStepLR(optimizer, drops) if drops else CosineAnnealingLR(optimizer, STEPS - warm)
        scheduler = SequentialLR(optimizer, [warmup, after], milestones=[warm])
    averaged = of("ema") and AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(of("ema")), use_buffers=True)
    smoothing, np_seed = of("label_smoothing"), 3
    mixup, Mixup.draws = None, []
    if of("mixup") or of("cutmix"):
        np.random.seed(np_seed)
        mixup = Mixup(of("mixup"), of("cutmix"), label_smoothing=smoothing, num_classes=CLASSES)
    draws, gates, losses = Numbers(), [], []
    network.train()
    for _ in range(STEPS):
        gates.append([draws.uniform() < 0.2 if of("death_rate") else True for _ in range(3)])
        optimizer.zero_grad()
        for block, is_open in zip(network.blocks, gates[-1]):
            for p in block.parameters():
                if not is_open and not of("freeze_closed"):
                    p.grad = torch.zeros_like(p)
        if mixup:
            mixed, targets = mixup(images.clone(), labels)
            loss = SoftTargetCrossEntropy()(network(mixed, gates[-1]), targets)
        else:
            loss = F.cross_entropy(network(images, gates[-1]), labels, label_smoothing=smoothing)
        loss.backward()
        if of("clip_gradient"):
            torch.nn.utils.clip_grad_norm_(network.parameters(), of("clip_gradient"))
        optimizer.step()
        if scheduler:
            scheduler.step()
        if averaged:
            averaged.update_parameters(network)
        losses.append(loss.item())
    tested = averaged.module if averaged else network
    tested.eval()
    with torch.no_grad():
        test = F.cross_entropy(tested(images), labels).item()
    return {"settings": {k: str(v).lower() for k, v in settings.items()}, "losses": losses, "test": test,
            "gates": [[int(g) for g in row] for row in gates], "draws": Mixup.draws}


sgd, adamw = {"learning_rate": 0.02}, {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.05}
print("[" + ",\n".join(json.dumps(train(settings)) for settings in [
    sgd,
    adamw,
    dict(adamw, weight_decay=2, weight_decay_of="weights"),
    dict(adamw, death_rate=0.5),
    dict(adamw, death_rate=0.5, freeze_closed=True),
    dict(sgd, schedule="cosine", warmup_epochs=5, warmup_rate=0.004),
    dict(adamw, schedule="cosine"),
    dict(adamw, betas="0.8,0.95", schedule="cosine", warmup="linear", warmup_epochs=5, warmup_rate=0.0003),
    dict(sgd, milestones="0.5,0.75", warmup="linear", warmup_epochs=4, warmup_rate=0.002),
    dict(sgd, label_smoothing=0.1),
    dict(sgd, clip_gradient=0.5),
    dict(sgd, ema=0.9),
    dict(sgd, mixup=0.8),
    dict(sgd, cutmix=1.0),
    dict(adamw, schedule="cosine", warmup_epochs=2, warmup_rate=0.0001, weight_decay_of="weights", clip_gradient=1, ema=0.8,
         label_smoothing=0.1, mixup=0.8, cutmix=1.0, death_rate=0.5),
]) + "]")
