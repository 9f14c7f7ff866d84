"""Hugging Face's safetensors files: tensors by name from a folder, whole or in shards, and files that are on the disk before they are named."""
import json
import os
import re
import struct

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from .errors import damaged, is_out_of_memory
from .memory import give_back_pages_of

WEIGHTS = "model.safetensors"
ADAPTER = "adapter_model.safetensors"
OPTIMIZER = "optimizer.safetensors"
# Most bytes of an index, and most shards.
MOST_INDEX = 16 << 20
MOST_SHARDS = 10_000
# Bytes that are read until the pages of the files, which are mapped, are given back.
MOST_PAGES = 1 << 26


class ModelFiles:
    """The tensors of a folder, read one by one. Raises a checkpoint error for what is missing or damaged."""

    def __init__(self, folder):
        self.folder = folder
        self._read_bytes = 0
        index = os.path.join(folder, f"{WEIGHTS}.index.json")
        whole = os.path.join(folder, WEIGHTS)
        self._files = {}
        names = _shards_of(index) if not os.path.exists(whole) and os.path.exists(index) else [WEIGHTS]
        for name in names:
            path = os.path.join(folder, name)
            opened = _open(path)
            for tensor in opened.keys():
                if tensor in self._files:
                    raise damaged(
                        f"{folder} has {tensor} twice, in {os.path.basename(self._files[tensor][1])} and {name}",
                        "Copy the folder again from where it came from.",
                    )
                self._files[tensor] = (opened, path)

    def __contains__(self, name):
        return name in self._files

    def shape(self, name):
        return list(self._files[name][0].get_slice(name).get_shape())

    def read(self, name, into, parameter=None):
        """Copies a tensor, or the rows that are held of it, into one of any float type; it must have the shape and be finite."""
        if name not in self._files:
            raise damaged(f"{self.folder} has no parameter {name}")
        opened, path = self._files[name]
        wanted = into.shape if parameter is None else parameter.shape
        found = self.shape(name)
        if torch.Size(found).numel() != wanted.numel() or (len(found) == len(wanted) and found != list(wanted)):
            raise damaged(f"{path}: {name} has shape {found}, config.json wants {list(wanted)}")
        into.copy_(_rows(opened, name, parameter).view(into.shape))
        self._read_bytes += 4 * into.numel()
        if self._read_bytes >= MOST_PAGES:
            self.give_back_pages()
        bad = into.numel() - int(torch.isfinite(into).sum())
        if bad > 0:
            raise damaged(
                f"{path}: {bad} of {into.numel()} numbers of {name} are NaN, infinite or beyond float32",
                "Use an earlier checkpoint, or export the model again: nothing can be computed with these.",
            )

    def give_back_pages(self):
        """Of files that stay open they would count as this process's memory."""
        for path in {path for _, path in self._files.values()}:
            give_back_pages_of(path)
        self._read_bytes = 0


def _rows(opened, name, parameter):
    """A tensor of an open file; of a sharded parameter only the rows that are held are read."""
    if parameter is None or not parameter.sharded:
        return opened.get_tensor(name)
    return opened.get_slice(name)[parameter.first : parameter.first + parameter.held[0]]


class TensorFile:
    """One file of tensors that belong to parameters, such as an optimizer's."""

    def __init__(self, path):
        self.path, self._opened = path, _open(path)
        self.names = set(self._opened.keys())
        self.metadata = self._opened.metadata() or {}

    def read(self, name, parameter):
        """What is held of a tensor with a parameter's shape."""
        if name not in self.names or torch.Size(self._opened.get_slice(name).get_shape()).numel() != parameter.shape.numel():
            raise damaged(f"{self.path} does not fit the model: {name}")
        found = _rows(self._opened, name, parameter)
        if not bool(torch.isfinite(found).all()):
            raise damaged(f"{self.path}: numbers of {name} are NaN, infinite or beyond float32")
        return found.view(parameter.held)


def _shards_of(index):
    """The names of the files that an index names."""

    def refuse(why):
        return damaged(f"{index} cannot be used: {why}", "Copy the folder again from where it came from.")

    if not os.path.isfile(index):
        raise refuse("it is not a file")
    if os.path.getsize(index) > MOST_INDEX:
        raise refuse(f"its {os.path.getsize(index)} bytes are above {MOST_INDEX}")
    try:
        with open(index, encoding="utf-8") as file:
            found = json.load(file)
    except (ValueError, RecursionError) as error:
        raise refuse(f"it is not JSON ({error})") from error
    placed = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(placed, dict) or not placed:
        raise refuse("it has no weight_map")
    for tensor, name in placed.items():
        # A name, never a path: an index could otherwise have any file of the machine read.
        if not isinstance(name, str) or not re.fullmatch(r"[^/\\:\0]{1,200}\.safetensors", name):
            raise refuse(f"it places {tensor} in {str(name)[:200]!r}, which is not the name of a shard")
    names = sorted(set(placed.values()))
    if len(names) > MOST_SHARDS:
        raise refuse(f"it names {len(names)} shards, above {MOST_SHARDS}")
    return names


def _open(path):
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise damaged(f"cannot read {path}: there is no such file") from error
    except SafetensorError as error:
        raise damaged(f"{path} is truncated or damaged: {error}", "Use an earlier checkpoint, or copy the file again.") from error
    except OSError as error:
        # Nothing is said of its content: it may be without permission, on a disk that fails, or there is no memory to map it.
        if is_out_of_memory(error):
            raise
        raise damaged(f"cannot read {path}: {error.strerror or error}", "Check the file's permissions, and the disk.") from error


def write_tensors(path, shapes, read, metadata=None):
    """Writes float32 tensors as one file and flushes it to the disk. `shapes`: of each name, in order; `read` gives a tensor when it is its turn."""
    header, at = {"__metadata__": {"format": "pt", **(metadata or {})}}, 0
    for name, shape in shapes.items():
        bytes = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + bytes]}
        at += bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    # Beside its place and renamed, so that the name never stands for half a file.
    temporary = f"{path}.writing"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in shapes:
            numbers = read(name).detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
            file.write(memoryview(np.ascontiguousarray(numbers)).cast("B"))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
