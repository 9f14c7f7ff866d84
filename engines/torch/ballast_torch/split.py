"""A call's rows over the ranks: each takes every size-th sequence, and rank 0's answer has all of them in order again.

A rank without a row of its own computes the first one, at weight 0: all ranks must make the same passes.
"""
import numpy as np


def forward_part(sequences, ranks):
    """This rank's sequences, at least one."""
    return _texts(sequences, _own(len(sequences["lengths"]), ranks))


def loss_part(loss, ranks):
    """This rank's part of a loss, at least one sequence (pair)."""
    pairs = loss["name"] == "pairwise"
    count = len((loss["chosen"] if pairs else loss["sequences"])["lengths"])
    rows, idle = _own(count, ranks), ranks.rank >= count
    part = {}
    for key, value in loss.items():
        if isinstance(value, np.ndarray):
            part[key] = value[rows]
        elif isinstance(value, dict) and "tokens" in value:
            part[key] = _texts(value, rows)
        elif isinstance(value, dict) and "values" in value:
            part[key] = {"values": _join(value["values"], value["lengths"], rows), "lengths": value["lengths"][rows]}
        else:
            part[key] = value
    if idle:
        weights = part["weights"]
        part["weights"] = np.zeros_like(weights) if pairs else {**weights, "values": np.zeros_like(weights["values"])}
    return part


def join(outputs, lengths, ranks):
    """All ranks' outputs, flat, in the order of the call's rows; `lengths` are those of the rows, of which a rank's first is no row if it has none."""
    rows = [list(range(rank, len(lengths), ranks.size)) for rank in range(ranks.size)]
    order = np.argsort(np.concatenate([np.array(own, dtype=np.int64) for own in rows]), kind="stable")
    joined = {}
    for name in outputs[0]:
        pieces = []
        for own, output in zip(rows, outputs):
            ends = np.cumsum([lengths[row] for row in own])
            pieces += np.split(output[name][: ends[-1] if len(own) else 0], ends[:-1]) if own else []
        joined[name] = np.concatenate([pieces[at] for at in order])
    return joined


def _own(count, ranks):
    """Indices of this rank's rows; if there is none for it, the first one."""
    return list(ranks.rows(count)) or [0]


def _texts(sequences, rows):
    part = {key: value[rows] for key, value in sequences.items() if key != "tokens"}
    return {**part, "tokens": _join(sequences["tokens"], sequences["lengths"], rows)}


def _join(values, lengths, rows):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return np.concatenate([values[starts[row] : starts[row + 1]] for row in rows])
