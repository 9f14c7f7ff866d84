"""Three processes gather and sum numbers: equal to what one would write down, and the same bits on each."""
import os
import shutil
import socket
import tempfile
import unittest

import torch
import torch.distributed as dist
import torch.multiprocessing

from ballast_torch import pairwise

RANKS, EACH = 3, 5


def numbers(rank):
    return torch.sin(torch.arange(RANKS * EACH, dtype=torch.float32) * (rank + 1.7)) * 10**rank


def rank_of(rank, port, out):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(RANKS), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    if os.path.exists("/sys/class/net/lo"):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo")
    group = dist.group.WORLD
    apart, inside = torch.empty(RANKS * EACH), torch.empty(RANKS * EACH)
    own = numbers(rank)[:EACH].clone()
    pairwise.gather(apart, own, group)
    # In its place of the output, as FSDP2 has it.
    place = inside[rank * EACH : (rank + 1) * EACH]
    place.copy_(own)
    pairwise.gather(inside, place, group)
    total = torch.empty(EACH)
    pairwise.scatter_sum(total, numbers(rank), group)
    torch.save((apart, inside, total), f"{out}/{rank}")
    dist.barrier()


class PairwiseTest(unittest.TestCase):
    def test_gathers_and_sums(self):
        out = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, out)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.spawn(rank_of, (port, out), nprocs=RANKS)
        gathered = [float(x) for rank in range(RANKS) for x in numbers(rank)[:EACH]]
        for rank in range(RANKS):
            apart, inside, total = torch.load(f"{out}/{rank}")
            self.assertEqual(apart.tolist(), gathered)
            self.assertEqual(inside.tolist(), gathered)
            for i, found in enumerate(total):
                sum_in_order = numbers(0)[rank * EACH + i]
                for other in range(1, RANKS):
                    sum_in_order = sum_in_order + numbers(other)[rank * EACH + i]
                self.assertEqual(float(found), float(sum_in_order))


if __name__ == "__main__":
    unittest.main()
