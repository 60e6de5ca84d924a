"""Steps of small networks in PyTorch whose branches are dropped by other libraries, for TestAgainstLibrariesOfPyTorch.

    pytorch_libraries.py DIR

Reads DIR/questions.json, a list of questions: "library" (a key of LIBRARIES, or "composer block" or "composer sample"),
"block" (a key of BLOCKS), the "survival" probabilities, and a file of "weights" under the names of `stochdepth export`.
DIR/batch.safetensors has the minibatch, in float64. For each question one evaluation and one training step are computed, in
float64, with gates as the library draws them, from the first seed that draws the question's "gates" [batch][blocks], if it has
any. The question's "answer" is a file with the evaluation's logits, the gates, the training's loss, the gradients, and the
averages after it.

Prints the versions of the libraries, in JSON. Composer is needed for its questions only, and of it only the file with its
blocks: the whole of it refuses this PyTorch.
"""
import importlib.metadata
import importlib.util
import json
import sys

import timm.layers
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import resnet

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

LIBRARIES = {
    "torchvision batch": lambda p: torchvision.ops.StochasticDepth(1 - p, "batch"),
    "torchvision row": lambda p: torchvision.ops.StochasticDepth(1 - p, "row"),
    "timm": lambda p: timm.layers.DropPath(1 - p),
    "timm unscaled": lambda p: timm.layers.DropPath(1 - p, scale_by_keep=False),
}


def conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class Shortcut(nn.Module):
    """Where the shape changes: pixels averaged over 2x2 if the side is halved, then channels of zeros."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.added, self.stride = outputs - inputs, stride

    def forward(self, x):
        return F.pad(F.avg_pool2d(x, self.stride), (0, 0, 0, 0, 0, self.added))


class Block(nn.Module):
    """H = f(H) + id(H); drop is the library's layer."""

    def __init__(self, drop, inputs, outputs, stride):
        super().__init__()
        self.shortcut = nn.Identity() if inputs == outputs else Shortcut(inputs, outputs, stride)
        self.drop, self.gates = drop, None
        drop.register_forward_hook(self.look)

    def look(self, drop, args, out):
        self.gates = out.flatten(1).ne(0).any(1).double()

    def forward(self, x):
        return self.drop(self.branch(x)) + self.shortcut(x)


class Basic(Block):
    def __init__(self, drop, inputs, outputs, stride):
        super().__init__(drop, inputs, outputs, stride)
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)

    def branch(self, x):
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))

    def forward(self, x):
        return F.relu(super().forward(x))


class Preactivation(Block):
    def __init__(self, drop, inputs, outputs, stride):
        super().__init__(drop, inputs, outputs, stride)
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs, 3)

    def branch(self, x):
        return self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))


class Bottleneck(Block):
    def __init__(self, drop, inputs, outputs, stride):
        super().__init__(drop, inputs, outputs, stride)
        middle = outputs // 4
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, middle, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(middle), conv(middle, middle, 3, stride)
        self.bn3, self.conv3 = nn.BatchNorm2d(middle), conv(middle, outputs, 1)

    def branch(self, x):
        x = self.conv1(F.relu(self.bn1(x)))
        return self.conv3(F.relu(self.bn3(self.conv2(F.relu(self.bn2(x))))))


class Transformer(Block):
    def __init__(self, drop, width, hidden, heads=4):
        super().__init__(drop, width, width, 1)
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp1, self.mlp2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def branch(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        a = self.projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return a + self.mlp2(F.gelu(self.mlp1(self.norm2(x + a)), approximate="tanh"))


def composer_block(method):
    """Makes torchvision's blocks of ResNet-50 stochastic with Composer's own function."""
    folder = importlib.util.find_spec("composer").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("layers", folder + "/algorithms/stochastic_depth/stochastic_layers.py")
    layers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(layers)

    def make(p, inputs, outputs, stride):
        shortcut = None if inputs == outputs else Shortcut(inputs, outputs, stride)
        block = resnet.Bottleneck(inputs, outputs // 4, stride, shortcut)
        block.gates = None

        def look(module, args, out):
            block.gates = torch.ones(len(out))

        block.bn3.register_forward_hook(look)  # not called where the branch is not computed
        return layers.make_resnet_bottleneck_stochastic(block, 0, 1, 1 - p, "uniform", method)

    def drop_samples(x, *rest):
        out = dropped(x, *rest)
        masks.append(out.flatten(1).ne(0).any(1).double())
        return out

    dropped, masks = layers._sample_drop, []
    layers._sample_drop = drop_samples
    return make, masks


BLOCKS = {"basic": Basic, "preactivation": Preactivation, "bottleneck": Bottleneck, "transformer": Transformer}


class Network(nn.Module):
    def __init__(self, question, weights):
        super().__init__()
        kind, survival = question["block"], question["survival"]
        shapes = {name: list(t.shape) for name, t in weights.items()}
        self.blocks, self.stem, self.head, self.masks = nn.ModuleList(), nn.Module(), nn.Module(), None
        self.fc = nn.Linear(*reversed(shapes["fc.weight"]))
        if kind == "transformer":
            self.stem.patches = nn.Linear(*reversed(shapes["stem.patches.weight"]))
            self.stem.positions = nn.Parameter(torch.empty(shapes["stem.positions"]))
            self.head.norm = nn.LayerNorm(self.fc.in_features)
            for k, p in enumerate(survival):
                drop = LIBRARIES[question["library"]](p)
                self.blocks.append(Transformer(drop, *reversed(shapes[f"blocks.{k}.mlp1.weight"])))
            return
        self.stem.conv = conv(3, shapes["stem.conv.weight"][0], 3)
        if "stem.bn.weight" in weights:
            self.stem.bn = nn.BatchNorm2d(self.stem.conv.out_channels)
        if "head.bn.weight" in weights:
            self.head.bn = nn.BatchNorm2d(self.fc.in_features)
        if question["library"].startswith("composer "):
            make, masks = composer_block(question["library"].split()[1])
            self.masks = masks if question["library"] == "composer sample" else None
        else:
            def make(p, *shape):
                return BLOCKS[kind](LIBRARIES[question["library"]](p), *shape)
        last = "conv3" if "blocks.0.conv3.weight" in weights else "conv2"
        channels = self.stem.conv.out_channels
        for k, p in enumerate(survival):
            outputs = shapes[f"blocks.{k}.{last}.weight"][0]
            stride = 2 if k > 0 and outputs > channels else 1
            self.blocks.append(make(p, channels, outputs, stride))
            channels = outputs

    def forward(self, x):
        for block in self.blocks:
            block.gates = torch.zeros(len(x))
        if self.masks:
            self.masks.clear()
        if isinstance(self.blocks[0], Transformer):
            patches = x.unflatten(3, (-1, 4)).unflatten(2, (-1, 4)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
            x = self.stem.patches(patches) + self.stem.positions
        else:
            x = self.stem.conv(x)
            x = F.relu(self.stem.bn(x)) if hasattr(self.stem, "bn") else x
        for block in self.blocks:
            x = block(x)
        if hasattr(self.head, "norm"):
            return self.fc(self.head.norm(x).mean(1))
        x = F.relu(self.head.bn(x)) if hasattr(self.head, "bn") else x
        return self.fc(x.mean((2, 3)))

    def gates(self):
        """The gates of the last step, [batch, blocks]."""
        return torch.stack(self.masks or [block.gates for block in self.blocks], 1)


def answer(question, images, labels):
    weights = load_file(question["weights"])
    network = Network(question, weights)

    def restart():
        missing, unknown = network.load_state_dict(weights, strict=False)
        if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
            raise ValueError(f"the weights lack {missing} and have besides {unknown}")

    restart()
    with torch.no_grad():
        answers = {"evaluation": network.eval()(images)}
    network.train()
    for seed in range(10000):
        restart()
        torch.manual_seed(seed)
        loss = F.cross_entropy(network(images), labels)
        if not question["gates"] or network.gates().tolist() == question["gates"]:
            break
    else:
        raise ValueError(f"no seed draws the gates {question['gates']}")
    loss.backward()
    answers |= {"gates": network.gates(), "loss": loss.detach().reshape(1)}
    for name, p in network.named_parameters():
        answers[name] = torch.zeros_like(p) if p.grad is None else p.grad
    answers |= {name: b for name, b in network.named_buffers() if "running" in name}
    save_file({name: t.contiguous() for name, t in answers.items()}, question["answer"])


def main(folder):
    with open(folder + "/questions.json") as f:
        questions = json.load(f)
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    try:
        versions["composer"] = importlib.metadata.version("mosaicml")
    except importlib.metadata.PackageNotFoundError:
        questions = [q for q in questions if not q["library"].startswith("composer ")]
    batch = load_file(folder + "/batch.safetensors")
    for question in questions:
        answer(question, batch["images"].permute(0, 3, 1, 2), batch["labels"].long())
    json.dump(versions, sys.stdout)


main(*sys.argv[1:])
