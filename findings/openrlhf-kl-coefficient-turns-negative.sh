#!/bin/sh
# OpenRLHF 0.11.2: its adaptive KL controller makes the KL coefficient NEGATIVE, which then rewards leaving the reference.
#
# `AdaptiveKLController.update` is the formula of Ziegler et al. 2019 (section 2.2): coefficient x (1 + clip(KL / target - 1, -0.2,
# 0.2) x sequences / horizon), which in the paper is for 512 sequences and a horizon of 10,000. The trainer hands it all sequences of
# a rollout, batch size x samples per prompt. From 50,000 of them on, five times OpenRLHF's default horizon of 10,000, the factor of a
# KL under its target is 0 or less, and nothing bounds it: 1,024 prompts with 64 samples each turn 0.01 into -0.0031. Every later KL
# under the target flips the sign again, one over it makes the coefficient larger, with the wrong sign: away from the reference is then
# rewarded the more, the farther the policy is. At 50,000 sequences it is 0 for good.
#
# Seen with numpy 2.4.6 on Python 3.11. The file is run as the wheel has it; no PyTorch is needed.
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
# The wheel names one Python and platform, and holds plain Python.
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/openrlhf" --python-version 3.11 \
  --platform manylinux1_x86_64 --only-binary=:all: openrlhf==0.11.2
PYTHONPATH="$folder/openrlhf/openrlhf/trainer/ppo_utils" "$folder/venv/bin/python" - <<'PY'
from kl_controller import AdaptiveKLController

controller = AdaptiveKLController(init_kl_coef=0.01, target=6, horizon=10_000)
seen = []
for kl in [0, 12, 12, 0]:
    controller.update(kl, 1024 * 64)
    seen.append(float(controller.value))
print(seen)
assert abs(seen[0] + 0.0031072) < 1e-9, seen[0]
assert seen[2] < seen[1] < seen[0] < 0, "a KL over the target makes the penalty weaker, not stronger"
assert seen[3] > 0, "the next KL under the target flips the sign again"

lost = AdaptiveKLController(init_kl_coef=0.01, target=6, horizon=10_000)
for kl in [0, 12, 12, 12]:
    lost.update(kl, 50_000)
print(float(lost.value))
assert lost.value == 0, "0 cannot be left"
PY
