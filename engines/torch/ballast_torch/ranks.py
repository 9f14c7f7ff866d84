"""The processes that hold a run's models together: rank 0 is spoken to, and every rank does the same calls in the same order."""
import os
import socket
import threading
import time
from contextlib import contextmanager

import torch
import torch.distributed as dist

from .ends import LOST, end, first_line
from .meeting import PATIENCE, meet

# Seconds between two signs of life of a rank, and for which a new connection for them is tried.
HEART, AGAIN = 1.0, 10.0


class Alone:
    """One process: what several would put together is there already."""

    rank, size = 0, 1
    # See Ranks; one process has all weights whole in any case.
    keeps = False

    def share(self, message):
        return message

    def gather(self, thing):
        return [thing]

    def sums(self, numbers):
        return list(numbers)

    def rows(self, count):
        """The rows of this rank among `count`."""
        return range(count)

    def silence(self):
        """The rank that has given no sign of life for longest, and for how many seconds."""
        return {"rank": 0, "seconds": 0.0}

    def take_back(self, call):
        """Tells every rank that a call was taken back."""

    def taken_back(self, call):
        return False


class Ranks:
    """One of several that have met."""

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.local_rank = int(os.environ["LOCAL_RANK"])
        # Whether others wait for this rank, or did when it failed.
        self.awaited = False
        # Whether weights that were gathered stay until a step changes them, and not for one pass only.
        self.keeps = False
        self._meshes = {}
        # For signs of life, beside the connection by which the ranks met: that one is not for several threads.
        self._place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
        self._store = dist.TCPStore(*self._place, is_master=False, wait_for_workers=False)
        self._seen = {}
        self._cancelled = set()
        self._asked = None
        threading.Thread(target=self._live, daemon=True).start()

    def mesh(self, device):
        """The mesh over which parameters are sharded, for a device's type."""
        if device.type not in self._meshes:
            with self.together():
                group = dist.group.WORLD if device.type == "cpu" else dist.new_group(backend="nccl", timeout=PATIENCE)
            self._meshes[device.type] = dist.device_mesh.DeviceMesh.from_group(group, device.type)
        return self._meshes[device.type]

    @contextmanager
    def together(self):
        """Around what all ranks do at once in a call that they otherwise make apart: one that fails inside leaves the others waiting."""
        before, self.awaited = self.awaited, True
        yield
        self.awaited = before

    def group(self, device):
        return self.mesh(device).get_group()

    def share(self, message):
        """Rank 0's message, on every rank."""
        place = [message]
        dist.broadcast_object_list(place, src=0)
        return place[0]

    def gather(self, thing):
        """What each rank has, on every rank, in the ranks' order."""
        things = [None] * self.size
        dist.all_gather_object(things, thing)
        return things

    def sums(self, numbers):
        """The sums over all ranks, number by number, in float64 and in the ranks' order: the same bits everywhere."""
        own = torch.tensor(numbers, dtype=torch.float64)
        each = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(each, own)
        total = torch.zeros_like(own)
        for one in each:
            total += one
        return total.tolist()

    def rows(self, count):
        return range(self.rank, count, self.size)

    # Signs of life

    def _live(self):
        beats = 0
        while True:
            beats += 1
            try:
                self._beat(beats)
            except Exception as error:
                self._connect_again(error)
            time.sleep(HEART)

    def _beat(self, beats):
        self._store.set(f"heart/{self.rank}", str(beats))
        if self._asked is not None and self._store.check([f"cancel/{self._asked}"]):
            self._cancelled.add(self._asked)
        if self.rank == 0:
            self._listen()

    def _connect_again(self, cause):
        """Without signs of life it would count as hung, and without rank 0, which has the store, it would wait for ever for the next call: it ends."""
        try:
            # The store itself would say on standard error that it tries.
            socket.create_connection(self._place, timeout=AGAIN).close()
            self._store = dist.TCPStore(*self._place, is_master=False, wait_for_workers=False)
        except (OSError, RuntimeError) as error:
            end(LOST, f"process {self.rank} of {self.size}: the first process is gone: {first_line(cause)}; {first_line(error)}")

    def _listen(self):
        now = time.monotonic()
        for rank in range(1, self.size):
            key = f"heart/{rank}"
            beat = self._store.get(key) if self._store.check([key]) else None
            if rank not in self._seen or self._seen[rank][0] != beat:
                self._seen[rank] = (beat, now)

    def silence(self):
        now = time.monotonic()
        return max(
            ({"rank": rank, "seconds": now - since} for rank, (_, since) in dict(self._seen).items()),
            key=lambda one: one["seconds"],
            default={"rank": 0, "seconds": 0.0},
        )

    def take_back(self, call):
        self._store.set(f"cancel/{call}", "1")

    def taken_back(self, call):
        """Whether rank 0 has taken this call back; known within a sign of life."""
        self._asked = call
        return call in self._cancelled


def ranks_here(missing=lambda ranks: None):
    """The ranks that the environment names (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), once all have met; `Alone` if it names none.

    While rank 0 waits, it calls `missing` with the ranks that are not there. Raises NotMet.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Alone()
    meet(missing)
    return Ranks()
