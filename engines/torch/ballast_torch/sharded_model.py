"""A held model over several processes: weights, gradients and moments of the trunk and the head in rows, adapters and scalar heads on every rank.

What every rank holds whole is stepped by every rank, with the same bits.
"""
import torch
import torch.distributed as dist

from . import architectures, pairwise
from .errors import EngineError
from .held_model import SCORE, HeldModel
from .low_rank import LowRank, factors_of, wear
from .parameters import part, whole
from .sharding import ShardedTrunk


class ShardedModel(HeldModel):
    def __init__(self, *, ranks, **place):
        self.ranks = ranks
        super().__init__(**place)

    def _copies(self):
        # Passes round the rows of a trunk as they gather them.
        return self.dtype != torch.float32 and self.shared is not None

    def _place(self, name, group, shape, start):
        return whole(name, group, shape, start) if self.shared or name in SCORE else part(name, group, shape, start, self.ranks)

    def _bind(self):
        if self.shared is None:
            own_head = next((p.shape for p in self.parameters if p.name == self.head_name and not self.tied), None)
            self.sharded = ShardedTrunk(
                self.config, self.trunk, own_head, ranks=self.ranks, device=self.device,
                stored=torch.float32, dtype=self.dtype, trained=True,
            )  # fmt: skip
            for parameter in self.parameters:
                if parameter.sharded:
                    self.sharded.bind(parameter.name, self.master[parameter.start : parameter.end])
        else:
            self.sharded, self.trunk = self.shared.sharded, self.shared.sharded.root.trunk
        beside = [*SCORE, *(name for module in self.scales for name in factors_of(module))]
        self.beside = {name: torch.nn.Parameter(self._read_view(name)) for name in beside if name in self.by_name}
        for name, parameter in self.beside.items():
            self._catch(name, parameter)
        prefix = architectures.trunk_prefix(self.config)
        self._products = {}
        for module, scale in self.scales.items():
            a, b = (self.beside[name] for name in factors_of(module))
            self._products[module.removeprefix(prefix)] = LowRank(a, b, scale)

    def _read_view(self, name):
        return super()._read_view(name) if name in self.beside_names() else self.sharded.weight(name)

    def beside_names(self):
        """Of the parameters that every rank holds whole."""
        return {parameter.name for parameter in self.parameters if not parameter.sharded}

    def run(self, compute):
        wear(self.trunk, self._products)
        return self.sharded.run(compute)

    def run_gathered(self, compute):
        wear(self.trunk, self._products)
        return self.sharded.run_gathered(compute)

    def drop_gathered(self):
        self.sharded.drop()

    def release(self):
        self.sharded.release()

    # Values

    def round(self):
        if self.shared is None:
            self.sharded.drop()
        super().round()

    def copy_values(self, source, score_values):
        same = self.shared is None and source.shared is None and all(p.name in source.by_name for p in self.parameters)
        if not same:
            super().copy_values(source, score_values)
            return
        for parameter in self.parameters:
            parameter.of(self.master).copy_(source.by_name[parameter.name].of(source.master))
        self.round()

    def whole_of(self, parameter, flat):
        if not parameter.sharded:
            return parameter.of(flat)
        rows = flat[parameter.start : parameter.end]
        all_rows = rows.new_empty(self.ranks.size * len(rows))
        pairwise.gather(all_rows, rows.contiguous(), self.ranks.group(self.device))
        return all_rows[: parameter.shape.numel()].view(parameter.shape)

    def _write_named(self, path, shapes, read, metadata=None):
        """Rank 0 writes; what it writes is gathered from all, also after it has failed. Then the call fails on all of them, before any other file."""
        left = dict.fromkeys(shapes)

        def next_of(name):
            del left[name]
            with self.ranks.together():
                return read(name)

        failure = None
        try:
            if self.ranks.rank == 0:
                super()._write_named(path, shapes, next_of, metadata)
        except Exception as error:
            if self.ranks.awaited:
                raise
            failure = error
        for name in list(left):
            next_of(name)
        failed = self.ranks.share(failure is not None)
        if failure is not None:
            raise failure
        if failed:
            raise EngineError("worker", f"process 0 could not write {path}")

    # Gradients

    def begin_pass(self):
        super().begin_pass()
        self._own_gradients = {}

    def _outdate(self):
        self.gradient.zero_()

    def _take(self, place, parameter):
        self._own_gradients[place.name] = parameter.grad.float()
        parameter.grad = None

    def end_pass(self):
        """The squared norm of this pass's gradient, summed over the ranks, whose rows have been added to the others."""
        squares = 0.0
        for parameter in self.parameters:
            if not parameter.sharded:
                continue
            gradient = self.sharded.take_gradient(parameter.name)
            if parameter.name == self.head_name and self._head_gradient is not None:
                head = self._scatter_head(parameter)
                gradient = head if gradient is None else gradient.add_(head)
            if gradient is not None:
                squares += float(torch.linalg.vector_norm(gradient).double().square())
                parameter.of(self.gradient).add_(gradient)
        self._head_gradient = None
        self.accumulated += 1
        return self.ranks.sums([squares])[0] + self._end_own()

    def totals(self, groups):
        names = [] if self.shared else sorted(group for group in groups if group != "score")
        sums = iter(self.ranks.sums([number for name in names for number in groups[name]]) if names else [])
        return {**groups, **{name: (next(sums), next(sums)) for name in names}}

    def _scatter_head(self, parameter):
        """This rank's rows of the head's gradient, summed over the ranks."""
        rows = self.gradient.new_zeros(self.ranks.size * (parameter.end - parameter.start))
        rows[: parameter.shape.numel()].copy_(self._head_gradient.reshape(-1))
        own = rows.new_empty(parameter.end - parameter.start)
        pairwise.scatter_sum(own, rows, self.ranks.group(self.device))
        return own[: parameter.held.numel()].view(parameter.held)

    def _end_own(self):
        """Adds the gradients of what every rank holds whole; their squared norm."""
        own = [parameter for parameter in self.parameters if not parameter.sharded]
        if not own:
            return 0.0
        # A rank may have none of a parameter; all have the same sum.
        parts = [self._own_gradients.pop(p.name, None) for p in own]
        flat = torch.cat([
            (torch.zeros(p.shape.numel(), device=self.device) if part is None else part.reshape(-1)) for p, part in zip(own, parts)
        ])  # fmt: skip
        dist.all_reduce(flat, group=self.ranks.group(self.device))
        at = 0
        for p in own:
            p.of(self.gradient).add_(flat[at : at + p.shape.numel()].view(p.shape))
            at += p.shape.numel()
        return float(torch.linalg.vector_norm(flat).double().square())

    # Copies

    def like(self, id, heads):
        trunk = self.trunk if self.shared is not None else architectures.build_trunk(self.config, self.device)
        return ShardedModel(
            **{"id": id, "config": self.config, "decoder": self.decoder, "heads": heads, "trunk": trunk, "ranks": self.ranks},
            **{"dtype": self.dtype, "device": self.device, "shared": self.shared, "own": self.own, "scales": self.scales},
        )

    def like_merged(self, id, heads, turns):
        # Of a sharded trunk all weights are in rows, or none.
        return self.like_whole(id, heads, turns)

    def _made(self, **place):
        return ShardedModel(ranks=self.ranks, **place)
