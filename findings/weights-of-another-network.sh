#!/usr/bin/env bash
# timm 1.0.31: the weights of resnetaa50 load into resnet50 with strict=True and no
# complaint, and the network then computes something else.
#
# resnetaa50 averages neighbouring pixels where resnet50 leaves out every other one.
# That has no weights, so names and shapes are the same, and they are all that PyTorch
# compares. The same holds for resnetblur18, resnetblur50 and each one's plain network;
# a file of weights does not say which of them it is for.
#
# Instead: keep the name beside the weights (config.json), and compare a few logits.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_packages timm==1.0.31 torch==2.15.0 torchvision==0.29.2
cat >load.py <<'PY'
import timm, torch

torch.manual_seed(1)
pixels = torch.randn(4, 3, 64, 64)
for trained, other in [("resnetaa50", "resnet50"), ("resnetblur18", "resnet18")]:
    one, two = timm.create_model(trained).eval(), timm.create_model(other).eval()
    answer = two.load_state_dict(one.state_dict(), strict=True)
    with torch.no_grad():
        a, b = one(pixels), two(pixels)
    away = ((a - b).norm() / (a - a.mean(0)).norm()).item()
    print(f"{trained} in {other}: {answer}, logits {'equal' if away < 1e-5 else 'others'}")
PY
seen=$(venv/bin/python load.py)
verdict "an error, or equal logits" \
	"resnetaa50 in resnet50: <All keys matched successfully>, logits others
resnetblur18 in resnet18: <All keys matched successfully>, logits others" "$seen"
