"""Gathering and summing numbers of several processes; on CPUs by sends from each to each.

There gloo's own all_gather and reduce_scatter take two to four times as long (PyTorch 2.13, loopback, 107 MiB: `findings/gloo-gathers-slower-than-sends.sh`).
"""
import torch
import torch.distributed as dist
from torch.distributed.fsdp._fully_shard._fsdp_collectives import DefaultAllGather, DefaultReduceScatter


def gather(output, own, group):
    """Every rank's numbers in `output`, in the ranks' order. `own` may be its place in there."""
    if output.device.type != "cpu":
        dist.all_gather_single(output, own, group=group)
        return
    rank, pieces = dist.get_rank(group), output.chunk(dist.get_world_size(group))
    _exchange({other: own for other in range(len(pieces)) if other != rank}, dict(enumerate(pieces)), rank, group)
    if pieces[rank].data_ptr() != own.data_ptr():
        pieces[rank].copy_(own)


def scatter_sum(output, whole, group):
    """In `output` this rank's piece of the sum over all ranks of `whole`, on CPUs added in the ranks' order."""
    if output.device.type != "cpu":
        dist.reduce_scatter_single(output, whole, group=group)
        return
    rank, pieces = dist.get_rank(group), whole.chunk(dist.get_world_size(group))
    found = {other: torch.empty_like(output) for other in range(len(pieces)) if other != rank}
    _exchange({other: pieces[other] for other in found}, found, rank, group)
    for other in range(len(pieces)):
        part = pieces[rank] if other == rank else found.pop(other)
        if other == 0:
            output.copy_(part)
        else:
            output.add_(part)


def _exchange(sent, received, rank, group):
    """Starts with the next rank, so that not all send to the same one at once."""
    size, waits = len(sent) + 1, []
    for step in range(1, size):
        to, source = (rank + step) % size, (rank - step) % size
        waits.append(dist.isend(sent[to], group=group, group_dst=to))
        waits.append(dist.irecv(received[source], group=group, group_src=source))
    for wait in waits:
        wait.wait()


class Gather(DefaultAllGather):
    def __call__(self, output_tensor, input_tensor, group, async_op=False):
        gather(output_tensor, input_tensor, group)


class ScatterSum(DefaultReduceScatter):
    """All that Ballast asks of it is a sum."""

    def __call__(self, output_tensor, input_tensor, group, op, async_op=False):
        scatter_sum(output_tensor, input_tensor, group)
