#!/usr/bin/env bash
# timm 1.0.31: calculate_drop_path_rates(rate, depths, stagewise=True) gives the blocks
# of a stage different rates. Its documentation says "same rate within each stage", and
# "When depths is a list, stagewise defaults to True", which it does not either.
#
# The list is only cut into stages; its numbers are those of stagewise=False. Who sets
# the flag to train as TensorFlow's ResNet-RS does, with one rate for a stage, trains by
# the linear rule instead.
#
# Instead: repeat a rate for each stage, [[r] * n for r, n in zip(rates, depths)].
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_packages timm==1.0.31 torch==2.15.0 torchvision==0.29.2
cat >rates.py <<'PY'
from timm.layers import calculate_drop_path_rates as rates

def rounded(list):
    return [[round(r, 3) for r in stage] for stage in list]

print("stagewise:", rounded(rates(0.4, [2, 3], stagewise=True)))
print("not:      ", rounded([rates(0.4, [2, 3], stagewise=False)]))
print("default:  ", rounded([rates(0.4, [2, 3])]))
PY
seen=$(venv/bin/python rates.py)
verdict "Rates of two stages, of 2 and 3 blocks, up to 0.4
stagewise: [[0.0, 0.0], [0.4, 0.4, 0.4]]
not:       [[0.0, 0.1, 0.2, 0.3, 0.4]]
default:   as stagewise" \
	"stagewise: [[0.0, 0.1], [0.2, 0.3, 0.4]]
not:       [[0.0, 0.1, 0.2, 0.3, 0.4]]
default:   [[0.0, 0.1, 0.2, 0.3, 0.4]]" "$seen"
