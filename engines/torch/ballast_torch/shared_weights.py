"""Weights that models share: a folder's, read once and never written, for as long as a model stands on them."""
import os
import re
import weakref

import torch

from .model_files import ModelFiles
from .parameters import part
from .sharding import ShardedTrunk


class SharedWeights:
    """`tensors`: by name, as passes read them: whole, or this rank's rows of them."""

    def __init__(self, files, specs, read, *, ranks, config, trunk, dtype, device):
        # The open files give float32 values once more, if passes round them; a folder that is replaced later doesn't change them.
        self._files, self._read, self._device = files, read, device
        self._shapes = {name: shape for name, _, shape in specs}
        self.tensors = {}
        self.sharded = None
        if ranks.size > 1:
            self._shard(specs, ranks, config, trunk, dtype)
        else:
            self._hold(dtype)
        files.give_back_pages()

    def _hold(self, dtype):
        for name, shape in self._shapes.items():
            self.tensors[name] = torch.empty(shape, dtype=dtype, device=self._device)
            if dtype == torch.float32:
                self._read(self._files, name, self.tensors[name])
            else:
                self.tensors[name].copy_(self.value_of(name))

    def _shard(self, specs, ranks, config, trunk, dtype):
        own_head = next((shape for name, group, shape in specs if group == "lm_head"), None)
        self.sharded = ShardedTrunk(
            config, trunk, own_head, ranks=ranks, device=self._device, stored=dtype, dtype=dtype, trained=False
        )
        for name, group, shape in specs:
            parameter = part(name, group, shape, 0, ranks)
            numbers = torch.zeros(parameter.end, dtype=dtype, device=self._device)
            self._read(self._files, name, parameter.of(numbers), parameter)
            self.tensors[name] = numbers
            self.sharded.bind(name, numbers)

    def value_of(self, name):
        """A parameter in float32, whole; None if there is none of this name."""
        if name not in self.tensors:
            return None
        held = self.tensors[name]
        if held.dtype == torch.float32 and self.sharded is None:
            return held
        value = torch.empty(self._shapes[name], device=self._device)
        self._read(self._files, name, value)
        return value


class Shelf:
    """The shared weights of a worker, by the identity of their files; those on which no model stands are forgotten."""

    def __init__(self):
        self._held = weakref.WeakValueDictionary()

    def open(self, folder, specs, read, **place):
        """A folder's weights: those that are held if its files are still the same. `read` copies a tensor of the files by its name."""
        identity = _identity_of(folder)
        held = self._held.get(identity)
        if held is None:
            held = self._held[identity] = SharedWeights(ModelFiles(folder), specs, read, **place)
        return held


def _identity_of(folder):
    """The folder's real path, with size, time of change and inode of each file of weights."""
    path = os.path.realpath(folder)
    marks = [path]
    for name in sorted(os.listdir(path)):
        if re.fullmatch(r"config\.json|model.*\.(safetensors|json)", name):
            status = os.stat(os.path.join(path, name))
            marks.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(marks)
