"""AdamW (Loshchilov and Hutter; PyTorch's placement of epsilon) over a held model's flat arrays, run by run of one group and one rule of decay."""
import math

import torch

from .errors import usage


def runs_of(model):
    """(group, decays, start, end) of the longest stretches with one group and one rule of decay."""
    runs = []
    for p in model.parameters:
        if runs and runs[-1][0] == p.group and runs[-1][1] == p.decays:
            runs[-1] = (p.group, p.decays, runs[-1][2], p.end)
        else:
            runs.append((p.group, p.decays, p.start, p.end))
    return runs


def optim_step(model, *, learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm, rateFactors=None):
    """Applies the accumulated gradient and clears it. One that is not finite is dropped, and touches nothing."""
    if model.accumulated == 0:
        raise usage(f"optimStep: no gradient was accumulated for model {model.id}")
    runs = runs_of(model)
    groups, entries = {}, {}
    for group, _, start, end in runs:
        piece = model.gradient[start:end]
        square, total = float(torch.linalg.vector_norm(piece)) ** 2, float(piece.sum())
        squares, totals = groups.get(group, (0.0, 0.0))
        groups[group] = (squares + square, totals + total)
    for parameter in model.parameters:
        entries[parameter.group] = entries.get(parameter.group, 0) + parameter.shape.numel()
    groups = model.totals(groups)
    norm = math.sqrt(sum(squares for squares, _ in groups.values())) if _finite(groups) else math.nan
    skipped = not math.isfinite(norm)
    if not skipped:
        _apply(model, runs, norm, learningRate, rateFactors or {}, beta1, beta2, epsilon, weightDecay, maxGradNorm)
    model.clear_gradient()
    moments = {}
    for group, (squares, total) in groups.items():
        mean = total / entries[group]
        moments[group] = {"mean": mean, "variance": max(0.0, squares / entries[group] - mean * mean)}
    return {
        "gradNorm": norm,
        "skipped": skipped,
        "groupNorms": {group: math.sqrt(squares) for group, (squares, _) in groups.items()},
        "groupMoments": moments,
    }


def _finite(groups):
    return all(math.isfinite(squares) for squares, _ in groups.values())


def _apply(model, runs, norm, rate, factors, beta1, beta2, epsilon, decay, largest):
    model.moments()
    if largest is not None:
        factor = min(1.0, largest / (norm + 1e-6))
        if factor < 1:
            model.gradient.mul_(factor)
    step = torch.tensor(float(model.steps), device=model.host)
    with model.changing():
        for group, decays, start, end in runs:
            arrays = ([array[start:end]] for array in (model.master, model.gradient, model.m, model.v))
            torch._fused_adamw_(
                *arrays,
                [],
                # The kernel takes the number of this step.
                [step + 1],
                lr=rate * factors.get(group, 1.0),
                beta1=beta1,
                beta2=beta2,
                weight_decay=decay if decays else 0.0,
                eps=epsilon,
                amsgrad=False,
                maximize=False,
            )
        model.steps += 1
        model.round()


def slow_average(target, source, decay):
    """target = decay target + (1 - decay) source, in float32.

    A source with an adapter counts as merged: an average of factors would be the factors of nothing. What it keeps frozen stays as it is.
    """
    adapted = "adapter" in source.decoder
    if "adapter" in target.decoder and adapted:
        raise usage(
            f"ema: model {target.id} has an adapter, and an average of adapters is one of merged weights",
            "Make the target as a copy with merge.",
        )
    if not adapted and target.size != source.size:
        raise usage(f"ema: models of {target.size} and {source.size} parameters differ")
    target.widen()
    if adapted:
        moving = {f"{module}.weight" for module in source.scales} | set(source.by_name)
        with target.changing():
            for parameter in target.parameters:
                if parameter.name in moving:
                    parameter.of(target.master).lerp_(parameter.rows_of(source.merged_value_of(parameter.name)), 1 - decay)
            target.round()
    else:
        values = source.values()
        with target.changing():
            target.master.lerp_(values, 1 - decay)
            target.round()
