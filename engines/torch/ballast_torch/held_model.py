"""One model in the worker's memory: float32 values in one flat array, the copies of them that a pass reads, gradients and Adam's moments.

A model that trains everything has all of its parameters there; one that stands on shared weights only its own: an adapter's, and a scalar head.

In float32 the trunk's parameters are views of the flat array. In bf16 they are views of a second, rounded one, while the flat array keeps the values
that steps add to; trained models share one rounded array (turns.py), and a model that is only read has only that. Gradients of every pass are added in
float32.

With the optimizer offloaded (ZeRO-Offload, Ren et al. 2021), flat array, gradients and moments are on the host, where steps happen; the device has what
passes read: a second array in either type.
"""
import copy
import os
import weakref
from contextlib import contextmanager

import torch

from . import architectures
from .errors import damaged, usage
from .head import LanguageHead
from .low_rank import factors_of, put_beside
from .model_files import ADAPTER, OPTIMIZER, WEIGHTS, TensorFile, write_tensors
from .parameters import whole
from .ranks import Alone

SCORE = ("score.weight", "score.bias")
# Entries of a gradient that are widened to float32 at once: 2 MB.
WIDENED = 1 << 19
# What precedes names in PEFT's files.
PEFT_PREFIX = "base_model.model."


class HeldModel:
    """The whole model in one process; sharded_model.py has the same model over several."""

    ranks = Alone()

    def __init__(self, *, id, config, decoder, heads, trunk, dtype, device, shared=None, own=None, scales=None, turns=None, host=None):
        """`config` is transformers', `decoder` Ballast's own: vocabularySize, context, tieEmbeddings, textIds, ...; values come afterwards.

        With `shared` weights, `own` has (name, group, shape) of the parameters that are not among them, and `scales` the factor on B A of each
        module with an adapter, by the module's name in files. `turns`: with whom it shares the array of rounded copies; it has its own otherwise.
        `host`: the device of float32 values, gradients and moments if they are offloaded; None keeps them where passes compute.
        """
        self.shared, self.own, self.scales = shared, own, scales or {}
        self.id, self.config, self.decoder, self.heads = id, config, decoder, list(heads)
        self.trunk, self.dtype, self.device = trunk, dtype, device
        self.offloads, self.host = host is not None, device if host is None else host
        self.tied = decoder["tieEmbeddings"]
        self.parameters = self._lay_out()
        self.by_name = {parameter.name: parameter for parameter in self.parameters}
        self.size = self.parameters[-1].end if self.parameters else 0
        own = architectures.own_head_name(config)
        self.embedding_name = architectures.embedding_name(config, trunk)
        self.head_name = self.embedding_name if self.tied else own
        # Float32 values; None in a bf16 model that is only read.
        self.master = torch.zeros(self.size, device=self.host)
        self.turns = turns if self._copies() else None
        self._room = self.rounded = self.scores = None
        # Scalar heads, which come last, are read in float32.
        self._before_scores = max((parameter.end for parameter in self.parameters if parameter.name not in SCORE), default=0)
        if self.turns is not None:
            self._room = self.turns.room(self._before_scores, dtype, device)
            self.rounded = self._room[: self._before_scores]
        elif self._copies():
            self.rounded = torch.empty(self._before_scores, dtype=dtype, device=device)
        if self.offloads and "scalar" in self.heads:
            self.scores = torch.empty(self.size - self._before_scores, device=device)
        self.gradient = self.m = self.v = None
        # Calls of a loss since the last step, and steps of Adam.
        self.accumulated = self.steps = 0
        self.frozen = False
        # False after a change that failed in its middle.
        self.whole = True
        self._pass_squares = []
        self._head_gradient = None
        # Parameters whose part of `gradient` holds numbers of an earlier step: the next pass writes it, and adds nothing.
        self._outdated = set()
        self._bind()

    def _copies(self):
        """Whether passes read copies of the flat array: rounded ones, or those on the device."""
        return self.dtype != torch.float32 or self.offloads

    @property
    def trained(self):
        """Numbers that are trained, all of them counted once."""
        return 0 if self.frozen else sum(parameter.shape.numel() for parameter in self.parameters)

    def weight_count(self):
        """Numbers that a pass reads, in this process or all."""
        return sum(parameter.numel() for parameter in self.trunk.parameters())

    def _lay_out(self):
        specs = self._whole_specs() if self.shared is None else [one for one in self.own if one[0] not in SCORE]
        if "scalar" in self.heads:
            specs.append((SCORE[0], "score", torch.Size([1, self.decoder["width"]])))
            specs.append((SCORE[1], "score", torch.Size([1])))
        parameters, at = [], 0
        # A step's arithmetic goes through runs of one group and one rule of decay.
        for name, group, shape in sorted(specs, key=lambda spec: (_rank(spec[1]), len(spec[2]) != 2)):
            parameters.append(self._place(name, group, shape, at))
            at = parameters[-1].end
        return parameters

    def _place(self, name, group, shape, start):
        return whole(name, group, shape, start)

    def _whole_specs(self):
        """All parameters but a scalar head's."""
        specs = trunk_specs(self.config, self.trunk)
        if "lm" in self.heads and not self.tied:
            specs.append(head_spec(self.config, self.decoder))
        return specs

    def _bind(self):
        """Makes the trunk's parameters views of the arrays, and catches each one's gradient as soon as a pass has it."""
        prefix = architectures.trunk_prefix(self.config)
        for name, _ in list(self.trunk.named_parameters()):
            module, _, own_name = name.rpartition(".")
            parameter = torch.nn.Parameter(self._read_view(prefix + name), requires_grad=prefix + name in self.by_name)
            setattr(self.trunk.get_submodule(module), own_name, parameter)
            if parameter.requires_grad:
                self._catch(prefix + name, parameter)
        beside = [*SCORE, *(name for module in self.scales for name in factors_of(module))]
        self.beside = {name: torch.nn.Parameter(self._read_view(name)) for name in beside if name in self.by_name}
        for name, parameter in self.beside.items():
            self._catch(name, parameter)
        for module, scale in self.scales.items():
            a, b = (self.beside[name] for name in factors_of(module))
            put_beside(self.trunk.get_submodule(module.removeprefix(prefix)), a, b, scale)
        if self.embedding_name in self.by_name and self._takes_rows():
            architectures.take_rows(self.trunk, weakref.ref(self))

    def _takes_rows(self):
        # On a device new memory costs nothing, and sums of rows would depend on the order of its threads.
        return self.device.type == "cpu"

    def _catch(self, name, parameter):
        # The parameter does not hold the model: its memory is free as soon as nothing else does.
        place, model = self.by_name[name], weakref.ref(self)
        parameter.register_post_accumulate_grad_hook(lambda found: model()._take(place, found))

    def _read_view(self, name):
        """A parameter as a pass reads it; the scalar head is always float32."""
        if name not in self.by_name:
            return self.shared.tensors[name]
        parameter = self.by_name[name]
        if name not in SCORE:
            return parameter.of(self.master if self.rounded is None else self.rounded)
        return parameter.of(self.master) if self.scores is None else parameter.of(self.scores, self._before_scores)

    def run(self, compute):
        """A pass's arithmetic: what needs the trunk's weights happens in `compute`, and in a backward pass right after it."""
        if self.turns is not None:
            self.turns.take(self)
        return compute()

    def run_gathered(self, compute):
        """The same for many forward passes without a gradient, of which processes need not make equal numbers."""
        return self.run(compute)

    def drop_gathered(self):
        """Of several processes: whatever each has gathered counts as gone."""

    def release(self):
        """Before it is forgotten: memory that would stay until Python looks for cycles."""

    def check_head(self, kind):
        if kind not in self.heads:
            raise usage(f"model {self.id} has no {kind} head (it has {', '.join(self.heads)})")

    def language_head(self, training=False):
        self.check_head("lm")
        takes = training and self.head_name in self.by_name
        return LanguageHead(self._read_view(self.head_name), self._impossible(), self._take_head if takes else None)

    def _impossible(self):
        text = self.decoder.get("textIds")
        if text is None:
            return None
        impossible_V = torch.zeros(self.decoder["vocabularySize"], dtype=torch.bool)
        impossible_V[text["below"] :] = True
        if text["missing"]:
            impossible_V[torch.tensor(text["missing"])] = True
        return impossible_V.to(self.device)

    def scalars(self, hidden_N_D):
        """One number per position, in float32. [N, D] -> [N]"""
        self.check_head("scalar")
        return (hidden_N_D.float() @ self.beside[SCORE[0]].t() + self.beside[SCORE[1]]).squeeze(1)

    # Values

    def read(self, files, *, heads_found, fresh_scalar, score_values):
        """Reads the folder's numbers; a head that it lacks, or that is to be fresh, gets `score_values` and bias 0."""
        for parameter in self.parameters:
            into = parameter.of(self.master)
            if parameter.name in SCORE:
                if fresh_scalar or "scalar" not in heads_found:
                    into.copy_(torch.tensor(score_values).view(into.shape)) if parameter.name == SCORE[0] else into.zero_()
                elif parameter.name in files:
                    files.read(parameter.name, into)
                continue
            read_from(files, self.config, parameter.name, into, parameter)
        self.round()

    def set_values(self, values):
        """Takes values of its own parameters, flat, in the order of `own`."""
        at = 0
        for name, _, shape in self.own:
            into = self.by_name[name].of(self.master)
            into.copy_(torch.from_numpy(values[at : at + shape.numel()].copy()).view(shape))
            at += shape.numel()
        self.round()

    def round(self):
        """After the float32 values have changed: the passes' copies."""
        if self.scores is not None:
            self.scores.copy_(self.master[self._before_scores :])
        if self.turns is not None:
            self.turns.changed(self)
        elif self.rounded is not None and self.master is not None:
            self.copy_rounded()

    def copy_rounded(self):
        # In parts: between devices PyTorch rounds into an array of its own first.
        for copy, values in zip(_parts(self.rounded), _parts(self.master[: len(self.rounded)])):
            copy.copy_(values)

    def freeze(self):
        """Nothing of the model will be trained: in bf16 it then needs no float32 values."""
        self.frozen = True
        if self.rounded is not None and self.turns is None and "scalar" not in self.heads:
            self.master = None

    @contextmanager
    def changing(self):
        """While values or moments are written: after a failure inside, the model is neither what it was nor what it was to become."""
        self.whole = False
        yield
        self.whole = True

    def widen(self):
        """The float32 values of a model that was frozen without them, to be written to."""
        if self.master is None:
            self.master = self.rounded.to(self.host, torch.float32, copy=True)

    def values(self):
        """The values of its own parameters in float32, as one flat array on `host`; only to be read."""
        return self.rounded.to(self.host, torch.float32) if self.master is None else self.master

    def value_of(self, name):
        """A parameter in float32 on `host`, its own or a shared one; None if it has none of this name."""
        if name in self.by_name:
            own = self.whole_of(self.by_name[name], self.rounded if self.master is None else self.master)
            return own.to(self.host, torch.float32)
        found = None if self.shared is None else self.shared.value_of(name)
        return None if found is None else found.to(self.host)

    def merged_value_of(self, name):
        """A parameter of the model without adapter that computes the same: W + scale B A beside an adapter, else the model's own."""
        value = self.value_of(name)
        module = name.removesuffix(".weight")
        if module not in self.scales:
            return value
        a, b = (self.value_of(factor) for factor in factors_of(module))
        product = self.scales[module] * (b @ a)
        return value + (product.t() if architectures.transposes(self.config) else product)

    def has(self, name):
        """Whether it has a parameter of this name, its own or a shared one."""
        return name in self.by_name or (self.shared is not None and name in self.shared.tensors)

    def check_copy(self, source, optimizer):
        """Whether this model can take the values of another, and its optimizer. Raises a usage error before anything is written."""
        for parameter in self.parameters:
            # The head of an untied model whose source has none.
            if parameter.name not in SCORE and not source.has(parameter.name):
                raise usage(f"model {source.id} has no {parameter.name} to copy")
        if optimizer and [(p.name, p.shape) for p in self.parameters] != [(p.name, p.shape) for p in source.parameters]:
            raise usage(f"the optimizer of {source.id} is of other heads than those of its copy")

    def copy_values(self, source, score_values):
        """Takes the values of a model, merged if that has an adapter and this one has none; `score_values` are of a head that it lacks."""
        merges = bool(source.scales) and not self.scales
        for parameter in self.parameters:
            into = parameter.of(self.master)
            found = source.merged_value_of(parameter.name) if merges else source.value_of(parameter.name)
            if found is not None:
                into.copy_(parameter.rows_of(found))
            elif parameter.name == SCORE[0]:
                into.copy_(torch.tensor(score_values).view(into.shape))
            else:
                # A scalar head's bias.
                into.zero_()
        self.round()

    def copy_optimizer(self, source):
        self.steps = source.steps
        if source.m is None:
            self.m = self.v = None
            return
        self.moments()
        self.m.copy_(source.m)
        self.v.copy_(source.v)

    def save(self, folder, optimizer):
        if "adapter" in self.decoder:
            values = self.values()
            # transformers 5 has the head under this name in every class, whatever its name in files.
            head = architectures.own_head_name(self.config)
            name_of = lambda p: PEFT_PREFIX + ("lm_head.weight" if p.name == head else p.name)
            self._write(os.path.join(folder, ADAPTER), {name_of(p): (p, values) for p in self.parameters})
        else:
            shapes = {p.name: p.shape for p in self.parameters}
            if self.shared is not None:
                shapes = {name: shape for name, _, shape in self._whole_specs()} | {
                    name: shapes[name] for name in SCORE if name in shapes
                }
            self._write_named(os.path.join(folder, WEIGHTS), shapes, self.value_of)
        if optimizer:
            kinds = [] if self.m is None else [("m", self.m), ("v", self.v)]
            places = {f"{kind}.{p.name}": (p, flat) for kind, flat in kinds for p in self.parameters}
            self._write(os.path.join(folder, OPTIMIZER), places, {"step": str(self.steps)})

    def _write(self, path, places, metadata=None):
        """`places`: a parameter and a flat array by the name in the file."""
        shapes = {name: parameter.shape for name, (parameter, _) in places.items()}
        self._write_named(path, shapes, lambda name: self.whole_of(*places[name]), metadata)

    def _write_named(self, path, shapes, read, metadata=None):
        write_tensors(path, shapes, read, metadata)

    def whole_of(self, parameter, flat):
        """All rows of a parameter's numbers in a flat array."""
        return parameter.of(flat)

    def load_optimizer(self, folder):
        path = os.path.join(folder, OPTIMIZER)
        file = TensorFile(path)
        steps = file.metadata.get("step", "")
        if not steps.isdigit():
            raise damaged(f"{path} has no step count")
        self.steps = int(steps)
        if self.steps == 0 and not file.names:
            return
        self.moments()
        for kind, flat in (("m", self.m), ("v", self.v)):
            for parameter in self.parameters:
                parameter.of(flat).copy_(file.read(f"{kind}.{parameter.name}", parameter))

    def moments(self):
        if self.m is None:
            self.m, self.v = torch.zeros_like(self.master), torch.zeros_like(self.master)

    # Gradients

    def begin_pass(self):
        if self.gradient is None:
            self.gradient = torch.zeros_like(self.master)
            self._outdate()
        self._pass_squares = []
        self._head_gradient = None

    def totals(self, groups):
        """Sums over all processes of what each has summed by group: squares and entries."""
        return groups

    def end_pass(self):
        """The squared norm of this pass's gradient, which has been added to the others."""
        if self._head_gradient is not None:
            self._add(self.by_name[self.head_name], self._head_gradient)
            self._head_gradient = None
        for name in self._outdated:
            self.by_name[name].of(self.gradient).zero_()
        self._outdated.clear()
        self.accumulated += 1
        return float(torch.stack(self._pass_squares).sum()) if self._pass_squares else 0.0

    def drop_pass(self):
        """After a pass that failed: no gradient is left of it, nor of the passes before it."""
        self.clear_gradient()
        for parameter in [*self.trunk.parameters(), *self.beside.values()]:
            parameter.grad = None

    def clear_gradient(self):
        self.accumulated = 0
        self._head_gradient = None
        if self.gradient is not None:
            self._outdate()

    def _outdate(self):
        self._outdated.update(self.by_name)

    def _take_head(self, gradient_V_N, hidden_N_D):
        """Where nothing is to be added to, the product is the gradient's place in the flat array."""
        into = None
        if self.head_name in self._outdated and not self.offloads:
            into = self.by_name[self.head_name].of(self.gradient)
        self._head_gradient = torch.mm(gradient_V_N, hidden_N_D, out=into)

    def _take_rows(self, ids_N, gradient_N_D):
        """The gradients of the embedding's rows, some of them several times: the last of a pass, after the head's."""
        place = self.by_name[self.embedding_name]
        gradient_N_D = gradient_N_D.float()
        if place.name == self.head_name and self._head_gradient is not None:
            # The embedding's two gradients are one: its norm is of their sum.
            gradient_V_D, self._head_gradient = self._head_gradient, None
            self._add(place, gradient_V_D.index_add_(0, ids_N, gradient_N_D))
            return
        sums_V_D = place.of(self.gradient)
        if place.name in self._outdated:
            self._outdated.discard(place.name)
            sums_V_D.zero_()
        rows_U, which_N = ids_N.unique(return_inverse=True)
        gradient_U_D = gradient_N_D.new_zeros(len(rows_U), gradient_N_D.shape[1]).index_add_(0, which_N, gradient_N_D)
        self._pass_squares.append(torch.linalg.vector_norm(gradient_U_D).double().square())
        sums_V_D.index_add_(0, rows_U, gradient_U_D)

    def _take(self, place, parameter):
        gradient = parameter.grad
        # Of an embedding whose rows were taken.
        if gradient is None:
            return
        parameter.grad = None
        if place.name == self.head_name and self._head_gradient is not None:
            # The embedding's two gradients are one: its norm is of their sum.
            for sums, part in zip(_parts(self._head_gradient), _parts(gradient)):
                sums.add_(part)
            gradient, self._head_gradient = self._head_gradient, None
        self._add(place, gradient)

    def _add(self, place, gradient):
        first = place.name in self._outdated
        self._outdated.discard(place.name)
        for sums, part in zip(_parts(place.of(self.gradient)), _parts(gradient)):
            if first:
                # The head's product may be in its place already.
                part = sums if part.data_ptr() == sums.data_ptr() else sums.copy_(part)
            else:
                part = part.to(self.host).float()
                sums.add_(part)
            self._pass_squares.append(torch.linalg.vector_norm(part).double().square())

    # Copies

    def like(self, id, heads):
        """A model of the same trunk with these heads, without values of its own."""
        placed = {id_of(parameter): torch.nn.Parameter(parameter.detach()) for parameter in self.trunk.parameters()}
        placed.update((id_of(parameter), parameter) for parameter in self.beside.values())
        trunk = copy.deepcopy(self.trunk, placed)
        return HeldModel(
            **{"id": id, "config": self.config, "decoder": self.decoder, "heads": heads, "trunk": trunk},
            **{"dtype": self.dtype, "device": self.device, "shared": self.shared, "own": self.own, "scales": self.scales},
            **{"turns": self.turns, "host": self.host if self.offloads else None},
        )

    def like_merged(self, id, heads, turns):
        """A model with these heads and no adapter, without values; what the adapter leaves as it is is still that of the shared weights."""
        moved = {f"{module}.weight" for module in self.scales}
        own = [spec for spec in trunk_specs(self.config, self.trunk) if spec[0] in moved]
        return self._without_adapter(id, heads, turns=turns, shared=self.shared, own=own)

    def like_whole(self, id, heads, turns):
        """The same with all parameters its own, to be trained."""
        return self._without_adapter(id, heads, turns=turns)

    def _without_adapter(self, id, heads, **place):
        decoder = {key: value for key, value in self.decoder.items() if key != "adapter"}
        trunk = architectures.build_trunk(self.config, self.device)
        same = {"config": self.config, "dtype": self.dtype, "device": self.device, "host": self.host if self.offloads else None}
        return self._made(id=id, decoder=decoder, heads=heads, trunk=trunk, **same, **place)

    def _made(self, **place):
        return HeldModel(**place)


def _parts(array):
    """Views of an array, of few enough entries each that a widened one is small."""
    return array.split(max(1, WIDENED // max(1, array[:1].numel())))


def id_of(parameter):
    """The key under which `copy.deepcopy` looks for what stands in for an object."""
    return id(parameter)


def _rank(group):
    order = {"embeddings": -1, "final": 1 << 30, "lm_head": (1 << 30) + 1, "score": (1 << 30) + 2}
    return order[group] if group in order else int(group.removeprefix("block."))


def trunk_specs(config, trunk):
    """(name in files, group, shape) of a trunk's parameters."""
    prefix = architectures.trunk_prefix(config)
    return [
        (prefix + name, architectures.group_of(name), parameter.shape) for name, parameter in trunk.named_parameters()
    ]


def head_spec(config, decoder):
    """(name, group, shape) of a language head that is separate from the embedding."""
    return (architectures.own_head_name(config), "lm_head", torch.Size([decoder["vocabularySize"], decoder["width"]]))


def read_from(files, config, name, into, parameter=None):
    """Reads a parameter, or what is held of it, by its name or by that without the trunk's prefix, as some files have it."""
    bare = name.removeprefix(architectures.trunk_prefix(config))
    files.read(name if name in files or bare not in files else bare, into, parameter)
