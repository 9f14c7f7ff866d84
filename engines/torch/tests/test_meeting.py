"""Ranks meet over the interface of the rendezvous, wait for each other, and say what is in the way."""
import ctypes
import datetime
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import torch

from ballast_torch import meeting
from ballast_torch.meeting import NotMet, interface_towards, interface_with, meet
from ballast_torch.ranks import ranks_here

LINUX = os.path.exists("/sys/class/net/lo")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Processes:
    """Forked processes, one a rank, each with what it wrote: PyTorch is imported already."""

    def __init__(self, case, address, port, size=2):
        self.case, self.place = case, {"WORLD_SIZE": str(size), "LOCAL_RANK": "0", "MASTER_ADDR": address, "MASTER_PORT": str(port)}
        self.folder = tempfile.mkdtemp()
        case.addCleanup(shutil.rmtree, self.folder)
        self.pids = {}

    def start(self, rank, work, before=lambda: None):
        pid = os.fork()
        if pid == 0:
            try:
                os.environ.update(self.place, RANK=str(rank))
                for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                    os.environ.pop(name, None)
                torch.set_num_threads(1)
                before()
                said = str(work())
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            Path(self.folder, str(rank)).write_text(said)
            os._exit(0)
        self.pids[rank] = pid

    def said(self, seconds=90):
        """What each returned, in the ranks' order; those that do not end in time are killed."""
        until, found = time.monotonic() + seconds, {}
        for rank, pid in sorted(self.pids.items()):
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > until:
                    os.kill(pid, 9)
                    os.waitpid(pid, 0)
                    break
                time.sleep(0.1)
            path = Path(self.folder, str(rank))
            found[rank] = path.read_text() if path.exists() else "did not end"
        return list(found.values())


def leave(ranks):
    """Rank 0 goes last: it has the store, without which the others end."""
    if ranks.rank == 0:
        time.sleep(1)


def summed(rank):
    """Meets the others, and adds over all."""

    def work():
        ranks = ranks_here()
        found = ranks.sums([rank + 1.0])
        leave(ranks)
        return found, os.environ["GLOO_SOCKET_IFNAME"]

    return work


def in_namespace(name):
    def enter():
        descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
        # CLONE_NEWNET
        if ctypes.CDLL(None).setns(descriptor, 0x40000000) != 0:
            raise OSError("setns")

    return enter


class MeetingTest(unittest.TestCase):
    def test_two_machines_whose_own_names_are_loopback(self):
        """Two network namespaces with a cable between them; the host's name is what /etc/hosts says, on Debian 127.0.1.1."""
        names = [f"ballast{os.getpid()}{end}" for end in "ab"]
        ip = lambda *words: subprocess.run(["ip", *words], check=True, capture_output=True)
        try:
            for name in names:
                ip("netns", "add", name)
                self.addCleanup(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
            cable = [f"b{os.getpid() % 1000000}{end}" for end in "ab"]
            ip("link", "add", cable[0], "netns", names[0], "type", "veth", "peer", "name", cable[1], "netns", names[1])
            for i, name in enumerate(names):
                ip("-n", name, "addr", "add", f"10.99.0.{i + 1}/24", "dev", cable[i])
                for device in ("lo", cable[i]):
                    ip("-n", name, "link", "set", device, "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"no right to make network namespaces here ({error}): two machines were not tried")
        both = Processes(self, "10.99.0.1", 29500)
        for rank, name in enumerate(names):
            both.start(rank, summed(rank), in_namespace(name))
        self.assertEqual(both.said(), [str(([3.0], device)) for device in cable])

    @unittest.skipUnless(LINUX, "interfaces are found on Linux only")
    def test_interfaces(self):
        self.assertEqual(interface_with("127.0.0.1"), "lo")
        self.assertIsNone(interface_with("203.0.113.7"))
        self.assertEqual(interface_towards("localhost", 1), "lo")

    def test_waits_and_tells_for_whom(self):
        """A rank that left while it waited is missing again; once all have met, one may be silent for longer than connecting may take."""
        three = Processes(self, "127.0.0.1", free_port(), 3)
        told = []

        def first():
            def missing(ranks):
                if not told or told[-1] != ranks:
                    told.append(ranks)

            ranks = ranks_here(missing)
            time.sleep(5)
            found = ranks.sums([1.0])
            leave(ranks)
            return told, found

        def other():
            return ranks_here().sums([1.0])

        with mock.patch.object(meeting, "CONNECT", datetime.timedelta(seconds=3)), mock.patch.object(meeting, "GONE", 2.0):
            three.start(0, first)
            three.start(1, other)
            time.sleep(3)
            os.kill(three.pids[1], 9)
            os.waitpid(three.pids.pop(1), 0)
            time.sleep(3)
            three.start(1, other)
            three.start(2, other)
            said = three.said()
        self.assertEqual(said[1:], ["[3.0]", "[3.0]"])
        self.assertTrue(said[0].startswith("([[1, 2], [2], [1, 2], "), said[0])
        self.assertTrue(said[0].endswith(", []], [3.0])"), said[0])

    def test_other_versions_are_refused(self):
        both = Processes(self, "127.0.0.1", free_port())
        both.start(0, ranks_here)

        def other():
            with mock.patch.object(meeting, "own_versions", return_value={"machine": "gpu-b", "versions": {"torch": torch.__version__.split("+")[0], "transformers": "5.1.0"}}):
                return ranks_here()

        both.start(1, other)
        for said in both.said():
            self.assertRegex(said, r"^NotMet: process 1 on gpu-b has transformers 5\.1\.0, and process 0 on \S+ 5\.\d+\.\d+: install the same on all machines")

    def test_what_is_in_the_way(self):
        place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        with self.assertRaisesRegex(NotMet, "no machine has the name nowhere.invalid here"):
            meet(environment={**place, "MASTER_ADDR": "nowhere.invalid"})
        with mock.patch.object(meeting, "WAIT", 1.0), self.assertRaisesRegex(NotMet, "no run came to 127.0.0.1:.* within 1 s .*refused"):
            meet(environment=dict(place))
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            with self.assertRaisesRegex(NotMet, f"port {port} is taken on this machine"):
                meet(environment={**place, "RANK": "0", "MASTER_PORT": port})


if __name__ == "__main__":
    unittest.main()
