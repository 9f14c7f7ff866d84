"""Where a model's parameters are in its flat arrays: whole in one process, or the rows that one of several holds."""
from dataclasses import dataclass

import torch


@dataclass
class Parameter:
    """A parameter's name in files, its group, its whole shape, and the numbers of the flat arrays from `start` to `end` that are its own.

    Of a sharded one a rank holds the rows from `first` on, as many as `held` says; the numbers after them, to `end`, are 0 and nobody's.
    """

    name: str
    group: str
    shape: torch.Size
    start: int
    held: torch.Size
    first: int
    end: int
    sharded: bool = False

    @property
    def decays(self):
        """Whether weight decay applies: to matrices only."""
        return len(self.shape) == 2

    def of(self, flat, skipped=0):
        """What is held of it in a flat array, or in one without the first numbers."""
        start = self.start - skipped
        return flat[start : start + self.held.numel()].view(self.held)

    def rows_of(self, whole):
        """What is held of a tensor that has all of its rows."""
        return whole[self.first : self.first + self.held[0]] if self.sharded else whole


def whole(name, group, shape, start):
    return Parameter(name, group, shape, start, shape, 0, start + shape.numel())


def part(name, group, shape, start, ranks):
    """The rows of rank r are those that torch.chunk gives it: all ranks but the last ones have the same number."""
    most = -(-shape[0] // ranks.size)
    first = min(most * ranks.rank, shape[0])
    row = shape[1:].numel()
    held = torch.Size([min(most, shape[0] - first), *shape[1:]])
    return Parameter(name, group, shape, start, held, first, start + most * row, sharded=True)
