"""Makes networks of other code with random weights, for TestAgainstElsewhere, and loads what was exported.

pytorch_elsewhere.py make FOLDER DTYPE NAME ...: writes NAME.safetensors, and images with their logits to NAME.logits.safetensors, and
    the gradients of a training step with the labels 0, 1, ... to NAME.gradients.safetensors.
pytorch_elsewhere.py load FOLDER DTYPE NAME ...: loads NAME.back.safetensors and writes the logits to NAME.back.logits.safetensors.
"""
import sys

import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn


class Zeros(nn.Module):
    """Every other pixel, with channels of zeros on both sides."""

    def forward(self, x):
        zeros = x.shape[1] // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros))


class Block(nn.Module):
    def __init__(self, inputs, outputs, shortcut, option):
        super().__init__()
        stride = outputs // inputs
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.name = shortcut
        if stride == 1:
            setattr(self, shortcut, nn.Sequential())
        elif option == "A":
            setattr(self, shortcut, Zeros())
        else:
            setattr(self, shortcut, nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)))

    def forward(self, x):
        f = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(f + getattr(self, self.name)(x))


class ForCIFAR(nn.Module):
    """The networks of pytorch_resnet_cifar10 (shortcut, linear) and pytorch-cifar-models (downsample, fc), with their names."""

    def __init__(self, blocks, shortcut, option, last):
        super().__init__()
        self.conv1, self.bn1, self.last = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), last
        inputs = 16
        for group, outputs in enumerate((16, 32, 64)):
            layer = []
            for _ in range(blocks):
                layer.append(Block(inputs, outputs, shortcut, option))
                inputs = outputs
            setattr(self, f"layer{group + 1}", nn.Sequential(*layer))
        setattr(self, last, nn.Linear(64, 10))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return getattr(self, self.last)(x.mean((2, 3)))


SIDES = {"timm-vit_tiny_patch16_224": 48, "timm-deit_small_patch16_224": 32}  # in pixels; else 75, or 32 for CIFAR


def network(name):
    library, _, kind = name.partition("-")
    if library == "torchvision":
        return torchvision.models.get_model(kind, weights=None, num_classes=10)
    if library == "timm":
        sizes = {"img_size": SIDES[name]} if name in SIDES else {}
        return timm.create_model(kind, pretrained=False, num_classes=10, **sizes)
    return {"akamaster": lambda: ForCIFAR(3, "shortcut", "A", "linear"),
            "akamasterB": lambda: ForCIFAR(2, "shortcut", "B", "linear"),
            "chenyaofo": lambda: ForCIFAR(3, "downsample", "B", "fc")}[library]()


def logits(net, images):
    with torch.no_grad():
        return net.eval()(images)


def main(what, folder, dtype, *names):
    torch.set_default_dtype(getattr(torch, dtype))
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        net, path = network(name), f"{folder}/{name}"
        if what == "load":
            net.load_state_dict(load_file(path + ".back.safetensors"))  # strict: no name more, no name less
            images = load_file(path + ".logits.safetensors")["images"]
            save_file({"logits": logits(net, images)}, path + ".back.logits.safetensors")
            continue
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                nn.init.uniform_(m.weight, 0.2, 0.8)
                nn.init.normal_(m.bias, std=0.2)
                nn.init.normal_(m.running_mean, std=0.2)
                nn.init.uniform_(m.running_var, 0.5, 1.5)
            elif isinstance(m, nn.LayerNorm):
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.normal_(m.bias, std=0.2)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, std=1 / m.in_features**0.5)
                nn.init.normal_(m.bias, std=0.2)
        if hasattr(net, "cls_token"):
            nn.init.normal_(net.cls_token)
            nn.init.normal_(net.pos_embed, std=0.5)
        side = SIDES.get(name, 75 if "-" in name else 32)
        images = torch.randn(2, 3, side, side)
        save_file({k: v.contiguous().clone() for k, v in net.state_dict().items()}, path + ".safetensors")
        save_file({"images": images, "logits": logits(net, images)}, path + ".logits.safetensors")
        F.cross_entropy(net.train()(images), torch.arange(len(images))).backward()
        save_file({k: p.grad.contiguous() for k, p in net.named_parameters()}, path + ".gradients.safetensors")


main(*sys.argv[1:])
