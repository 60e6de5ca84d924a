"""Measures what the rate 0.2 of stochastic depth means in other libraries and compares it with data/rates.json. Run it
with: make rates

Networks are built with random weights. Where layers drop, those that a step calls are fed with ones; where a loop over
blocks skips some, the blocks that run are counted. At rate 1 a layer's or loop's own rate is set to 1. The script fails
if a network differs; --update records as measured what agrees. A network whose library is not installed is named and
left as it is: those of TensorFlow are measured with make rates RATES_TENSORFLOW=1."""

import argparse
import contextlib
import datetime
import functools
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import random
import sys
import types
import warnings

os.environ["KERAS_BACKEND"] = "torch" if importlib.util.find_spec("torch") else "tensorflow"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore")

import numpy as np

# PyTorch and TensorFlow have an environment each: in one process their copies of LLVM end it.
with contextlib.suppress(ModuleNotFoundError):
    import torch

    torch.set_num_threads(1)  # more are slower, as most networks are tiny
    torch.set_grad_enabled(False)
RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../data/rates.json")
RATE = 0.2
# How far a survival probability may be from the record: more than four standard deviations. The linear rules differ by
# 0.2 / 18 in a network of 18 blocks, so layers are drawn often; loops, which are slow, have one probability or none.
SAMPLES, TOLERANCE = 200_000, 0.005
CALLS = 100_000  # of a block that is drawn for the minibatch
STEPS, TOLERANCE_OF_LOOPS = 4000, 0.03
# Its name in the libraries' layers.
RATE_OF_A_LAYER = ("p", "drop_prob", "drop_path_rate", "drop_rate", "_drop_rate", "rate")

MEASURES = {}


def measures(name):
    """Registers a function that measures a network of data/rates.json, by its name."""
    return lambda function: MEASURES.setdefault(name, function)


def without_init(*packages):
    """Lets modules of packages be imported without the __init__ files above them, which ask for libraries that are not
    installed or want other versions of those that are."""
    for name in packages:
        library, *rest = name.split(".")
        package = sys.modules[name] = types.ModuleType(name)
        folder = importlib.machinery.PathFinder.find_spec(library).submodule_search_locations[0]
        package.__path__ = [os.path.join(folder, *rest)]


# --- Layers that drop ----------------------------------------------------------


def of_layers(blocks, feed):
    """Measures blocks, each a list of the layers that drop in it. feed gives a layer ones and returns what it makes of
    them: for some calls, each with some samples."""
    facts = {"survival": [], "tolerance": TOLERANCE}
    units, scales, evaluations, ones = set(), set(), set(), set()
    for layers in blocks:
        seen = []
        for layer in layers:
            out = feed(layer, True)
            kept = out[out != 0]
            p = kept.size / out.size
            seen.append(p)
            if (out != out[:, :1]).any():
                units.add("sample")
            elif (out != out[0]).any() or any((feed(layer, True) != out).any() for _ in range(100)):
                units.add("minibatch")
            evaluated = feed(layer, False)
            times = "changed" if abs(evaluated - p).max() > TOLERANCE else "times the survival probability"
            evaluations.add("as it is" if (evaluated == 1).all() else times)
            # Of a block that passes its input on, the scale cannot be seen.
            if p == 1 and (out != 1).any():
                scales.add("noise")
            elif 0 < p < 1 and np.allclose(kept, 1):
                scales.add("never" if (evaluated == 1).all() else "test")
            elif 0 < p < 1:
                scales.add("train" if abs(kept * p - 1).max() < 2 * TOLERANCE else "unknown")
            name = next(n for n in RATE_OF_A_LAYER if hasattr(layer, n))
            rate = getattr(layer, name)
            setattr(layer, name, rate * 0 + 1)
            try:
                ones.add(at_one(feed(layer, True)))
            except ValueError:
                ones.add("an error")
            setattr(layer, name, rate)
        if seen and max(seen) - min(seen) > 2 * TOLERANCE:
            raise ValueError(f"the layers of a block differ: {seen}")
        facts["survival"].append(float(np.mean(seen)) if seen else 1.0)
    for key, values in ("unit", units), ("scale", scales):
        facts[key] = ", ".join(sorted(values)) or "none"
    for key, values in ("evaluation", evaluations), ("at_rate_one", ones):
        if values:
            facts[key] = ", ".join(sorted(values))
    return facts


def at_one(out):
    """What a layer at rate 1 makes of ones."""
    for word, is_so in ("closed", out == 0), ("NaN", np.isnan(out)), ("infinite", np.isinf(out)), ("open", out == 1):
        if is_so.all():
            return word
    return "mixed"


def feed_torch(layer, training):
    layer.train(training)
    return layer(torch.ones(SAMPLES, 1, 1, 1)).reshape(1, -1).numpy()


def drops(layer):
    return type(layer).__name__.endswith(("DropPath", "StochasticDepth"))


def torch_network(network, block, size, where=lambda b: True):
    """Measures the blocks of the class names block, in their order, where they have a shortcut. Layers that a step does
    not call do not count."""
    called = set()
    for m in network.modules():
        if drops(m):
            m.register_forward_hook(lambda m, args, out: called.add(m))
    network.train()
    network(torch.randn(2, *size))
    blocks = [b for b in network.modules() if type(b).__name__ in block.split() and where(b)]
    layers = [[m for m in b.modules() if m in called] for b in blocks]
    if stray := called.difference(*layers):
        raise ValueError(f"{len(stray)} layers drop outside the blocks {block}")
    return of_layers(layers, feed_torch)


IMAGE = (3, 224, 224)


@measures("torchvision/efficientnet_b0")
def _():
    from torchvision import models

    return torch_network(models.efficientnet_b0(stochastic_depth_prob=RATE), "MBConv", IMAGE, lambda b: b.use_res_connect)


@measures("torchvision/convnext_tiny")
def _():
    from torchvision import models

    return torch_network(models.convnext_tiny(stochastic_depth_prob=RATE), "CNBlock", IMAGE)


@measures("torchvision/swin_t")
def _():
    from torchvision import models

    return torch_network(models.swin_t(), "SwinTransformerBlock", IMAGE)  # the rate is its own


def timm_network(name, block, where=lambda b: True):
    import timm

    return torch_network(timm.create_model(name, drop_path_rate=RATE), block, IMAGE, where)


for row, name, block in (
    ("resnet50", "resnet50", "Bottleneck"),
    ("vit_tiny", "vit_tiny_patch16_224", "Block"),
    ("convnext_tiny", "convnext_tiny", "ConvNeXtBlock"),
    ("swin_tiny", "swin_tiny_patch4_window7_224", "SwinTransformerBlock"),
    ("mixer", "mixer_s32_224", "MixerBlock"),
):
    measures("timm/" + row)(lambda name=name, block=block: timm_network(name, block))


@measures("timm/efficientnet_b0")
def _():
    return timm_network("efficientnet_b0", "DepthwiseSeparableConv InvertedResidual", lambda b: b.has_skip)


def transformers_network(name, block, rate=RATE, size=IMAGE, **settings):
    import transformers

    config = getattr(transformers, name + "Config")(drop_path_rate=rate, **settings)
    return torch_network(getattr(transformers, name + "Model")(config), block, size)


for row, name, block in (
    ("convnext", "ConvNext", "ConvNextLayer"),
    ("beit", "Beit", "BeitLayer"),
    ("swin", "Swin", "SwinLayer"),
    ("dinov2", "Dinov2", "Dinov2Layer"),
):
    measures("transformers/" + row)(lambda name=name, block=block: transformers_network(name, block))


@measures("transformers/cvt-13")
def _():
    return transformers_network("Cvt", "CvtLayer", [RATE] * 3)


@measures("transformers/swin2sr")
def _():
    small = {"size": (3, 16, 16), "image_size": 16, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4}
    facts = transformers_network("Swin2SR", "Swin2SRLayer", **small)
    if set(transformers_network("Swin2SR", "Swin2SRLayer", 1.0, **small)["survival"]) == {1}:
        facts["at_rate_one"] = "open"
    return facts


@measures("monai/SwinUNETR")
def _():
    from monai.networks.nets.swin_unetr import SwinTransformer

    network = SwinTransformer(1, 12, (7, 7, 7), (2, 2, 2), (2, 2, 2, 2), (3, 6, 12, 24), drop_path_rate=RATE)
    return torch_network(network, "SwinTransformerBlock", (1, 32, 32, 32))


for row, name, block, settings in (
    ("resnet50", "ResNet", "Bottleneck", {"depth": 50}),
    ("convnext-tiny", "ConvNeXt", "ConvNeXtBlock", {"arch": "tiny"}),
    ("mlp-mixer", "MlpMixer", "MixerBlock", {"arch": "base"}),
):
    @measures("mmpretrain/" + row)
    def _(name=name, block=block, settings=settings):
        from mmpretrain import models

        return torch_network(getattr(models, name)(**settings, drop_path_rate=RATE), block, IMAGE)


@measures("composer/resnet50")
def _():
    without_init("composer", "composer.algorithms", "composer.algorithms.stochastic_depth", "composer.utils")
    from composer.algorithms.stochastic_depth.stochastic_layers import make_resnet_bottleneck_stochastic
    from composer.utils.module_surgery import count_module_instances, replace_module_classes
    from torchvision.models.resnet import Bottleneck, resnet50

    network = resnet50()
    settings = {"module_count": count_module_instances(network, Bottleneck), "drop_rate": RATE}
    make = functools.partial(
        make_resnet_bottleneck_stochastic, drop_distribution="linear", stochastic_method="block", **settings
    )
    replace_module_classes(network, {Bottleneck: make})
    blocks = [b for b in network.modules() if isinstance(b, Bottleneck)]
    for b in blocks:
        for name, layer in b.named_children():
            if name != "relu":
                setattr(b, name, torch.nn.Identity())  # so that the branch of ones is ones

    def feed(block, training):
        block.train(training)
        return torch.stack([block(torch.ones(2, 1, 1, 1)) - 1 for _ in range(CALLS if training else 1)]).flatten(1).numpy()

    return of_layers([[b] for b in blocks], feed)


def feed_keras(layer, training):
    return np.asarray(layer(np.ones((SAMPLES, 1, 1, 1), "float32"), training=training)).reshape(1, -1)


def keras_network(network, in_block):
    """Measures a network of Keras: one layer for each block, some of which only pass their input on."""
    layers = [l for l in network.layers if in_block(l)]
    return of_layers([[] if type(l).__name__ == "Activation" else [l] for l in layers], feed_keras)


@measures("keras/EfficientNetB0")
def _():
    import keras

    network = keras.applications.EfficientNetB0(weights=None)  # the rate is its own
    return keras_network(network, lambda l: type(l).__name__ == "Dropout" and l.name.startswith("block"))


@measures("keras/ConvNeXtTiny")
def _():
    from keras.src.applications.convnext import MODEL_CONFIGS, ConvNeXt

    tiny = MODEL_CONFIGS["tiny"]
    network = ConvNeXt(tiny["depths"], tiny["projection_dims"], drop_path_rate=RATE, weights=None)
    return keras_network(network, lambda l: l.name.endswith(("_identity", "_stochastic_depth")))


@measures("keras-hub/dinov2")
def _():
    models = "keras_hub.src.models"
    without_init("keras_hub", "keras_hub.src", models, models + ".dinov2", "keras_hub.src.utils")
    from keras_hub.src.models.dinov2.dinov2_layers import DINOV2Encoder

    encoder = DINOV2Encoder(num_layers=2, hidden_dim=8, num_heads=2, intermediate_dim=16, drop_path_rate=RATE)
    layers = [l.drop_path for l in encoder.layers]
    for l in layers:
        l.build((SAMPLES, 1, 1, 1))
        noise = feed_keras(l, True)
        if max(abs(noise.min() - 1), abs(noise.max() - 2.25), abs(noise.mean() - 1.625)) > TOLERANCE:
            raise ValueError(f"the noise is from {noise.min()} to {noise.max()}, {noise.mean()} on average")
    return of_layers([[l] for l in layers], feed_keras)


@measures("tf-keras/ResNetRS50")
def _():
    import tensorflow
    from tf_keras.src.applications.resnet_rs import ResNetRS

    tensorflow.random.set_seed(1)
    network = ResNetRS(50, input_shape=(64, 64, 3), drop_connect_rate=RATE, weights=None)
    return keras_network(network, lambda l: type(l).__name__ == "Dropout" and l.name.startswith("Block"))


@measures("tf-models-official/resnet50")
def _():
    import tensorflow

    vision = ("", ".modeling", ".modeling.backbones", ".modeling.layers", ".ops")
    without_init("official", "official.core", "official.modeling", *("official.vision" + v for v in vision))
    # The blocks of language models, of which the module of the ResNet's blocks derives others.
    language = types.SimpleNamespace(TransformerEncoderBlock=object, TransformerScaffold=object)
    sys.modules["official.nlp"] = types.SimpleNamespace(modeling=types.SimpleNamespace(layers=language))
    from official.vision.modeling.backbones.resnet import ResNet

    tensorflow.random.set_seed(1)
    network, called = ResNet(50, init_stochastic_depth_rate=RATE), []
    for b in network.layers:
        if type(b).__name__ == "BottleneckBlock":
            b._stochastic_depth = lambda x, training, layer=b._stochastic_depth: called.append(layer) or x
    network(tensorflow.ones((1, 64, 64, 3)), training=True)
    return of_layers([[l] for l in called], feed_keras)


# --- Loops that skip blocks ------------------------------------------------------


def of_loop(network, blocks, set_rate, width, ran_in=None):
    """Measures a network without dropout whose loop skips some of blocks, at the rate that set_rate sets. ran_in says
    which blocks ran from what the network adds to its input; without it, those that are called."""
    x = torch.randn(3, 4, width)
    ran, parts = [0] * len(blocks), set()
    for i, b in enumerate(blocks):
        def count(module, args, i=i):
            ran[i] += 1
            parts.add(len(args[0]))
        b.register_forward_pre_hook(count)

    def step(rate, training):
        """The blocks that run, and the output."""
        set_rate(rate)
        network.train(training)
        ran[:] = [0] * len(blocks)
        out = network(x)
        return tuple(ran_in(out - x) if ran_in else ran), getattr(out, "last_hidden_state", out)

    def choices(rate, training, steps=100):
        """The different choices of blocks among some steps."""
        return {step(rate, training)[0] for _ in range(steps)}

    all_run, plain = step(0, True)
    if set(all_run) != {1}:
        raise ValueError(f"at rate 0 the blocks run {all_run} times")
    survival = np.mean([step(RATE, True)[0] for _ in range(STEPS)], axis=0)
    facts = {"survival": survival.tolist(), "tolerance": TOLERANCE_OF_LOOPS}
    facts["unit"] = "minibatch" if parts == {len(x)} else "sample"
    facts["evaluation"] = "as it is" if choices(RATE, False) == {all_run} else "still dropped"

    def unscaled(training):
        """Whether a step that happens to run all blocks gives what it gives at rate 0."""
        for _ in range(10000):
            blocks_run, out = step(RATE, training)
            if blocks_run == all_run:
                return torch.allclose(out, plain, atol=1e-5)
        raise ValueError("no step in 10000 runs all blocks")

    facts["scale"] = "train" if not unscaled(True) else "test" if not unscaled(False) else "never"
    ones = choices(1, True)
    counts = {sum(r) for r in ones}
    facts["at_rate_one"] = (
        "closed" if counts == {0}
        else "open" if ones == {all_run}
        else "closed, but for the first" if ones == {(1,) + (0,) * (len(blocks) - 1)}
        else "one layer runs" if counts == {1}
        else "mixed"
    )
    return facts


def speech_encoder(name):
    import transformers

    still = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0)
    config = getattr(transformers, name + "Config")(hidden_size=16, num_attention_heads=2, intermediate_size=16, **still)
    encoder = getattr(transformers, name + "Model")(config).encoder
    return of_loop(encoder, encoder.layers, lambda rate: setattr(encoder.config, "layerdrop", rate), 16)


measures("transformers/wav2vec2")(lambda: speech_encoder("Wav2Vec2"))
measures("transformers/wavlm")(lambda: speech_encoder("WavLM"))


@measures("x-transformers/Encoder")
def _():
    from x_transformers import Encoder

    encoder = Encoder(dim=16, depth=3, heads=2, attn_dim_head=8, layer_dropout=RATE)

    def set_rate(rate):
        encoder.layer_dropouts = (rate,) * len(encoder.layers)

    return of_loop(encoder, [block for _, block, _ in encoder.layers], set_rate, 16)


@measures("vit-pytorch/cait")
def _():
    from vit_pytorch.cait import CaiT

    settings = {"image_size": 16, "patch_size": 8, "num_classes": 2, "dim": 16, "depth": 6, "cls_depth": 2, "heads": 2}
    encoder = CaiT(**settings, dim_head=8, mlp_dim=16, layer_dropout=RATE).patch_transformer
    attentions = [attention for attention, _ in encoder.layers]
    return of_loop(encoder, attentions, lambda rate: setattr(encoder, "layer_dropout", rate), 16)


@measures("fairseq2/StandardTransformerEncoder")
def _():
    without_init("fairseq2", "fairseq2.models", "fairseq2.models.transformer")
    from fairseq2.models.transformer.encoder import StandardTransformerEncoder

    class Mark(torch.nn.Module):
        """A layer that adds one to a feature of its own: all layers are called, also those that are dropped."""

        def __init__(self, feature):
            super().__init__()
            self.register_buffer("mark", torch.eye(16)[feature])

        def forward(self, x, *rest):
            return x + self.mark

    encoder = StandardTransformerEncoder([Mark(l) for l in range(6)])
    encoder.forward = functools.partial(encoder.forward, seqs_layout=None)

    def ran_in(marks):
        marks = marks[..., : len(encoder.layers)].round().int().flatten(0, 1)
        if (marks != marks[0]).any():
            raise ValueError("the samples differ")
        return marks[0].tolist()

    return of_loop(encoder, encoder.layers, lambda rate: setattr(encoder, "layer_drop_p", rate), 16, ran_in)


# --- The record -----------------------------------------------------------------


def recorded(network, blocks):
    """The survival probabilities of the record at RATE; blocks is their number where any is possible."""
    fractions = network.get("fractions")
    if fractions:
        fractions = fractions * blocks if len(fractions) == 1 else fractions
    else:
        n, groups = network.get("blocks", blocks), network.get("groups", [])
        fractions = {
            "linear": [l / n for l in range(1, n + 1)],
            "linear-from-zero": [l / max(n - 1, 1) for l in range(n)],
            "stagewise": [s / (len(groups) + 1) for s, blocks in enumerate(groups, 2) for _ in range(blocks)],
            "uniform": [1] * n,
        }[network["rule"]]
    return [1 - f * RATE for f in fractions]


def differences(network, facts):
    """What a measurement says otherwise than the record, in words."""
    got, want = facts["survival"], recorded(network, len(facts["survival"]))
    if len(got) != len(want):
        yield f"{len(got)} blocks, recorded {len(want)}"
    for l, (g, w) in enumerate(zip(got, want), 1):
        if abs(g - w) > facts["tolerance"]:
            yield f"block {l} survives with {g:.3f}, recorded {w:.3f}"
    for key in ("unit", "scale", "evaluation", "at_rate_one"):
        if key in facts and facts[key] != network[key]:
            yield f"{key} is {facts[key]}, recorded {network[key]}"


def version(library):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("mosaicml" if library == "composer" else library).split("+")[0]


def absent(error):
    """The library whose absence is the error, if that is the error."""
    if isinstance(error, ModuleNotFoundError):
        library = error.name.split(".")[0]
        return None if importlib.machinery.PathFinder.find_spec(library) else library


def write(table):
    """Writes the record, a network on each line."""
    with open(RECORD, "w") as f:
        f.write("{\n")
        for key, value in table.items():
            if key != "networks":
                f.write(f"  {json.dumps(key)}: {json.dumps(value)},\n")
        f.write('  "networks": [\n    ' + ",\n    ".join(map(json.dumps, table["networks"])) + "\n  ]\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--update", action="store_true", help="record as measured, today, what agrees")
    parser.add_argument("networks", nargs="*", help="the networks to measure (default: all)")
    options = parser.parse_args()
    with open(RECORD) as f:
        table = json.load(f)
    names = [n["name"] for n in table["networks"]]
    if unknown := [n for n in [*options.networks, *MEASURES] if n not in names]:
        sys.exit(f"{RECORD} has no {', '.join(unknown)}")
    today, differ, agree = datetime.date.today().isoformat(), 0, []
    for network in table["networks"]:
        name = network["name"]
        library = name.split("/")[0]
        if options.networks and name not in options.networks:
            continue
        if name not in MEASURES:
            words = "not measured by this script"
        elif not version(library):
            words = "not measured: it is not installed"
        else:
            random.seed(1)
            np.random.seed(1)
            if "torch" in sys.modules:
                torch.manual_seed(1)
            missing = None
            try:
                found = list(differences(network, MEASURES[name]()))
            except Exception as e:  # another version of the library may build or call it otherwise
                found, missing = [f"cannot be measured: {type(e).__name__}: {e}"], absent(e)
            if not found and version(library) != table["versions"][library] and not options.update:
                found = [f"as recorded, but in {version(library)}; recorded in {table['versions'][library]}"]
            words = "differs: " + "; ".join(found) if found else "as recorded"
            if missing:
                words = f"not measured: {missing} is not installed"
            else:
                differ += bool(found)
            agree += [] if found else [network]
        print(f"{name:36} {words}", flush=True)
    if options.update:
        for network in agree:
            network["seen"] = "measured"
            network.pop("date", None)
            if today != table["date"]:
                network["date"] = today
            table["versions"][network["name"].split("/")[0]] = version(network["name"].split("/")[0])
        write(table)
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
