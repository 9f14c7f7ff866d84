"""Weights that models share: a folder's, read once and never written, for as long as a model stands on them."""
import os
import re
import weakref

import torch

from .model_files import ModelFiles


class SharedWeights:
    """`tensors`: by name, as passes read them."""

    def __init__(self, files, specs, read, dtype, device):
        # The open files give float32 values once more, if passes round them; a folder that is replaced later doesn't change them.
        self._files, self._read = files, read
        self.tensors = {}
        for name, _, shape in specs:
            self.tensors[name] = torch.empty(shape, dtype=dtype, device=device)
            if dtype == torch.float32:
                read(files, name, self.tensors[name])
            else:
                self.tensors[name].copy_(self.value_of(name))

    def value_of(self, name):
        """A parameter in float32; None if there is none of this name."""
        if name not in self.tensors:
            return None
        held = self.tensors[name]
        if held.dtype == torch.float32:
            return held
        value = torch.empty(held.shape, device=held.device)
        self._read(self._files, name, value)
        return value


class Shelf:
    """The shared weights of a worker, by the identity of their files; those on which no model stands are forgotten."""

    def __init__(self):
        self._held = weakref.WeakValueDictionary()

    def open(self, folder, specs, read, dtype, device):
        """A folder's weights: those that are held if its files are still the same. `read` copies a tensor of the files by its name."""
        identity = _identity_of(folder)
        held = self._held.get(identity)
        if held is None:
            held = self._held[identity] = SharedWeights(ModelFiles(folder), specs, read, dtype, device)
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
