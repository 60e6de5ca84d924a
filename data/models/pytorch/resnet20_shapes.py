"""Trains a ResNet of 20 layers on synthetic shapes, in PyTorch alone, with the names of pytorch-cifar-models.

    go run ./data/models/pytorch data/cache/shapes-for-pytorch
    .venv-peers/bin/python data/models/pytorch/resnet20_shapes.py data/cache/shapes-for-pytorch data/models/pytorch

writes resnet20_shapes/model.safetensors and the config.json beside it, which has the normalisation. Nothing in it knows of
stochastic depth: all blocks are always open. It needs `make bench-peers` and Pillow, and takes minutes on two cores.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import nn

EPOCHS, BATCH, RATE = 10, 64, 0.1


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        stride = outputs // inputs
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        f = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(f + self.downsample(x))


class ResNet20(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1, self.bn1, inputs = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), 16
        for group, outputs in enumerate((16, 32, 64)):
            setattr(self, f"layer{group + 1}", nn.Sequential(Block(inputs, outputs), Block(outputs, outputs), Block(outputs, outputs)))
            inputs = outputs
        self.fc = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def read(folder):
    """The pictures of a part, [n, 3, 32, 32] from 0 to 1, with their labels by the order of the classes' names."""
    classes = sorted(p.name for p in folder.iterdir())
    files = [(p, label) for label, name in enumerate(classes) for p in sorted((folder / name).iterdir())]
    pictures = np.stack([np.asarray(Image.open(p).convert("RGB")) for p, _ in files])
    return torch.tensor(pictures).permute(0, 3, 1, 2).float() / 255, torch.tensor([label for _, label in files]), classes


def error(net, x, y):
    with torch.no_grad():
        return 100 * (net.eval()(x).argmax(1) != y).float().mean().item()


def main(pictures, out):
    torch.manual_seed(1)
    (x, y, classes), (tx, ty, _) = read(Path(pictures) / "train"), read(Path(pictures) / "test")
    mean, std = x.mean((0, 2, 3)), x.std((0, 2, 3))
    x, tx = [(v - mean.view(3, 1, 1)) / std.view(3, 1, 1) for v in (x, tx)]
    net = ResNet20(len(classes))
    optimizer = torch.optim.SGD(net.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * (len(x) // BATCH), pct_start=0.2)
    for epoch in range(EPOCHS):
        net.train()
        for batch in torch.randperm(len(x)).split(BATCH)[: len(x) // BATCH]:
            optimizer.zero_grad()
            F.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: test error {error(net, tx, ty):.1f} %", flush=True)
    folder = Path(out) / "resnet20_shapes"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    config = {"architecture": "resnet20", "num_classes": len(classes), "label_names": classes,
              "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [round(m, 4) for m in mean.tolist()],
                                 "std": [round(s, 4) for s in std.tolist()]}}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


main(*sys.argv[1:])
