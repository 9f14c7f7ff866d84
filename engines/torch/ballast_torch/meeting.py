"""How the ranks that the environment names find each other: they wait until all are there, and say what is in the way.

All connect to a store of rank 0's at MASTER_ADDR:MASTER_PORT, and then each to each other (gloo), on ports that the system chooses.
"""
import ctypes
import datetime
import json
import os
import socket
import sys
import time

import torch
import torch.distributed as dist
import transformers

from .ends import first_line

# A rank waits for the next call as long as the trainer does, such as for a decision. Days: beyond 24 of them some timers overflow.
PATIENCE = datetime.timedelta(days=20)
# For rank 0's machine, which may begin later, a rank waits an hour. How long rank 0 waits for the others is the trainer's business.
WAIT = 3600.0
# Once all are there they connect to each other.
CONNECT = datetime.timedelta(seconds=120)
# Seconds between two signs of a rank that waits, and without one until it counts as gone.
HEART, GONE = 0.5, 10.0


class NotMet(Exception):
    """The ranks cannot meet; why, and what to do."""


def meet(missing=lambda ranks: None, environment=os.environ):
    """Joins the ranks into one group. While rank 0 waits, it calls `missing` with the ranks that are not there. Raises NotMet."""
    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    try:
        interface = interface_towards(address, port)
    except socket.gaierror as error:
        raise NotMet(f"no machine has the name {address} here ({error.strerror})") from error
    if not environment.get("GLOO_SOCKET_IFNAME") and interface is not None:
        # By default gloo listens on the address of the host's own name, which is often 127.0.1.1.
        environment["GLOO_SOCKET_IFNAME"] = interface
        environment.setdefault("NCCL_SOCKET_IFNAME", f"={interface}")
    if rank == 0:
        store = _host(address, port)
        _await(store, size, missing)
    else:
        store = _join(address, port)
        _announce(store, rank)
    try:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=CONNECT)
        # Everybody reaches everybody before anybody waits for days.
        dist.barrier()
    except RuntimeError as error:
        by = environment.get("GLOO_SOCKET_IFNAME", "the host's own name")
        raise NotMet(
            f"process {rank} of {size} met the others at {address}:{port}, but they cannot connect to each other over {by}: {first_line(error)} "
            "(every TCP port between the machines must be open; GLOO_SOCKET_IFNAME=NAME takes a different network interface)"
        ) from error
    dist.distributed_c10d._set_pg_timeout(PATIENCE)
    store.set_timeout(PATIENCE)


def own_versions():
    """What must be the same in all processes, and where this one is. Builds for a CPU and for devices (2.13.0+cpu) count as one version."""
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    return {"machine": socket.gethostname(), "versions": versions}


def _host(address, port):
    try:
        return dist.TCPStore(address, port, is_master=True, wait_for_workers=False, timeout=CONNECT)
    except RuntimeError as error:
        if "EADDRINUSE" in str(error):
            raise NotMet(f"port {port} is taken on this machine: set engine.rendezvous to a different one, on all machines") from error
        raise NotMet(f"the processes cannot meet at {address}:{port}: {first_line(error)}") from error


def _await(store, size, missing):
    seen = {}
    while True:
        now = time.monotonic()
        for rank in range(1, size):
            key = f"here/{rank}"
            beat = store.get(key) if store.check([key]) else None
            if beat is not None and seen.get(rank, (None,))[0] != beat:
                seen[rank] = (beat, now)
                _compare(store, rank)
        absent = [rank for rank in range(1, size) if rank not in seen or now - seen[rank][1] > GONE]
        missing(absent)
        if not absent:
            store.set("met", "1")
            return
        time.sleep(HEART / 5)


def _compare(store, rank):
    """Refuses a rank whose packages are of other versions than rank 0's: their numbers may differ, or the order in which they wait for each other."""
    own, key = own_versions(), f"versions/{rank}"
    if not store.check([key]):
        raise NotMet(f"process {rank} is of an older Ballast than process 0: install the same on all machines")
    other = json.loads(store.get(key))
    for package, version in own["versions"].items():
        found = other["versions"].get(package)
        if found == version:
            continue
        why = (
            f"process {rank} on {other['machine']} has {package} {found}, and process 0 on {own['machine']} {version}: "
            "install the same on all machines (engines/torch/requirements.txt)"
        )
        store.set("refused", why)
        # The others read it before this process ends, and the store with it.
        time.sleep(3 * HEART)
        raise NotMet(why)


def _join(address, port):
    until, cause = time.monotonic() + WAIT, None
    while time.monotonic() < until:
        try:
            # The store itself would say on standard error that it tries.
            socket.create_connection((address, port), timeout=10).close()
            return dist.TCPStore(address, port, is_master=False, wait_for_workers=False, timeout=CONNECT)
        except OSError as error:
            cause = error
            time.sleep(HEART)
        except RuntimeError as error:
            raise NotMet(f"what answers at {address}:{port} is not the run's first process: {first_line(error)}") from error
    raise NotMet(f"no run came to {address}:{port} within {WAIT:.0f} s ({cause}): is that the run's engine.rendezvous, and may its port be reached from here?")


def _announce(store, rank):
    beats = 0
    store.set(f"versions/{rank}", json.dumps(own_versions()))
    while not store.check(["met"]):
        if store.check(["refused"]):
            raise NotMet(store.get("refused").decode())
        beats += 1
        store.set(f"here/{rank}", str(beats))
        time.sleep(HEART)


def interface_towards(address, port):
    """The network interface over which this machine reaches an address, or, on the machine that has it, the one that has it. None if the system does not tell.

    Raises socket.gaierror for a name that nobody knows.
    """
    for family, kind, _, _, place in socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            try:
                # Sends nothing: the system only chooses the route.
                probe.connect(place)
            except OSError:
                continue
            found = interface_with(probe.getsockname()[0])
        if found is not None:
            return found
    return None


class _Interface(ctypes.Structure):
    """struct ifaddrs, as far as it is read."""


_Interface._fields_ = [("next", ctypes.POINTER(_Interface)), ("name", ctypes.c_char_p), ("flags", ctypes.c_uint), ("address", ctypes.c_void_p)]
# Where a socket address has the numbers, and how many they are.
_NUMBERS = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}


def interface_with(address):
    """The network interface that has an address. None if there is none, or not on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    library, first = ctypes.CDLL(None, use_errno=True), ctypes.POINTER(_Interface)()
    if library.getifaddrs(ctypes.byref(first)) != 0:
        return None
    try:
        at = first
        while at:
            one, at = at.contents, at.contents.next
            family = int.from_bytes(ctypes.string_at(one.address, 2), sys.byteorder) if one.address else None
            if family in _NUMBERS:
                start, count = _NUMBERS[family]
                numbers = ctypes.string_at(one.address, start + count)[start:]
                if socket.inet_ntop(family, numbers) == address.split("%")[0]:
                    return one.name.decode()
        return None
    finally:
        library.freeifaddrs(first)
