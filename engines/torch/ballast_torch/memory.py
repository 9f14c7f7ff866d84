"""Gives memory back to the system that nothing needs at the moment. On Linux only; elsewhere it does nothing."""
import ctypes
import os
import sys

# Numbers of a model from which on freed memory goes back after each call. Below, it is soon needed again, and to get it anew costs time:
# the limit is that of the embedded engine, 64 MB of parameters and gradients.
LARGE = 1 << 23
# madvise(2)
_DONTNEED = 4


def _library():
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    # musl has no malloc_trim.
    return library if hasattr(library, "malloc_trim") else None


_C = _library()


def give_back_freed():
    """What the allocator keeps between live arrays: some 450 MB after a step of a model of 135 million parameters."""
    if _C is not None:
        _C.malloc_trim(0)


def give_back_pages_of(path):
    """The pages of a file that is mapped and only read: they are read again if they are needed again."""
    if _C is None:
        return
    path = os.path.realpath(path)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            place, _, _, _, _, *name = line.rstrip("\n").split(None, 5)
            if name == [path]:
                start, end = (int(address, 16) for address in place.split("-"))
                _C.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)
