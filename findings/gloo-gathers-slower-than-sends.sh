#!/bin/sh
# torch 2.13.0, backend gloo: all_gather and reduce_scatter of large tensors on CPUs take longer than they need.
#
# Two processes gather 107 MiB by `all_gather_single` (which FSDP2 calls) in 0.11 s; the same numbers by an isend and an irecv of each process
# take 0.04 s. `reduce_scatter_single` leaves each process with one half of the sum and takes 0.14 s, twice the 0.07 s of `all_reduce`, which leaves
# both with all of it. With four processes the gather takes 3.5 times as long as the sends (an AMD EPYC with two cores, loopback).
#
# Exits 0 while a gather takes at least 1.5 times as long as the sends, and a reduce_scatter longer than an all_reduce; otherwise not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cat > "$folder/collectives.py" <<'EOF'
import os
import socket
import time

import torch
import torch.distributed as dist
import torch.multiprocessing

RANKS, NUMBERS = 2, 28_000_000


def best(operation):
    times = []
    for _ in range(7):
        dist.barrier()
        started = time.perf_counter()
        operation()
        times.append(time.perf_counter() - started)
    return min(times)


def process(rank, port):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(RANKS), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    whole, part = torch.randn(NUMBERS), torch.empty(NUMBERS // RANKS)
    own = torch.randn(NUMBERS // RANKS)
    pieces = list(whole.chunk(RANKS))
    other = 1 - rank

    def sends():
        for work in (dist.isend(own, other), dist.irecv(pieces[other], other)):
            work.wait()
        pieces[rank].copy_(own)

    times = dict(
        all_gather=best(lambda: dist.all_gather_single(whole, own)),
        sends=best(sends),
        reduce_scatter=best(lambda: dist.reduce_scatter_single(part, whole)),
        all_reduce=best(lambda: dist.all_reduce(whole)),
    )
    if rank == 0:
        print({name: round(seconds, 3) for name, seconds in times.items()}, "seconds, the best of seven")
        assert times["all_gather"] > 1.5 * times["sends"]
        assert times["reduce_scatter"] > times["all_reduce"]


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(process, (port,), nprocs=RANKS)
EOF
"$folder/venv/bin/python" "$folder/collectives.py"
