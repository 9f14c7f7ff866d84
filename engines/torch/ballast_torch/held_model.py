"""One model in the worker's memory: float32 values in one flat array, the copies of them that a pass reads, gradients and Adam's moments.

A model that trains everything has all of its parameters there; one that stands on shared weights only its own: an adapter's, and a scalar head.

In float32 the trunk's parameters are views of the flat array. In bf16 they are views of a second, rounded one, while the flat array keeps the values
that steps add to; a model that is only read has only the rounded array. Gradients of every pass are added in float32.
"""
import copy
import os
import weakref
from dataclasses import dataclass

import torch

from . import architectures
from .errors import damaged, usage
from .head import LanguageHead
from .low_rank import factors_of, put_beside
from .model_files import ADAPTER, OPTIMIZER, WEIGHTS, ModelFiles, read_metadata, read_tensors, write_tensors

SCORE = ("score.weight", "score.bias")
# What precedes names in PEFT's files.
PEFT_PREFIX = "base_model.model."


@dataclass
class Parameter:
    """A parameter's place: its name in files, its group, its numbers in the flat arrays, and whether weight decay applies (matrices only)."""

    name: str
    group: str
    shape: torch.Size
    start: int

    @property
    def end(self):
        return self.start + self.shape.numel()

    @property
    def decays(self):
        return len(self.shape) == 2

    def of(self, flat):
        return flat[self.start : self.end].view(self.shape)


class HeldModel:
    def __init__(self, *, id, config, decoder, heads, trunk, dtype, device, shared=None, own=None, scales=None):
        """`config` is transformers', `decoder` Ballast's own: vocabularySize, context, tieEmbeddings, textIds, ...; values come afterwards.

        With `shared` weights, `own` has (name, group, shape) of the parameters that are not among them, and `scales` the factor on B A of each
        module with an adapter, by the module's name in files.
        """
        self.shared, self.own, self.scales = shared, own, scales or {}
        self.id, self.config, self.decoder, self.heads = id, config, decoder, list(heads)
        self.trunk, self.dtype, self.device = trunk, dtype, device
        self.tied = decoder["tieEmbeddings"]
        self.parameters = self._lay_out()
        self.by_name = {parameter.name: parameter for parameter in self.parameters}
        self.size = self.parameters[-1].end if self.parameters else 0
        own = architectures.own_head_name(config)
        self.head_name = architectures.embedding_name(config, trunk) if self.tied else own
        # Float32 values; None in a bf16 model that is only read.
        self.master = torch.zeros(self.size, device=device)
        self.rounded = torch.empty(self.size, dtype=dtype, device=device) if dtype != torch.float32 else None
        self.gradient = self.m = self.v = None
        # Calls of a loss since the last step, and steps of Adam.
        self.accumulated = self.steps = 0
        self.frozen = False
        self._pass_squares = []
        self._head_gradient = None
        self._bind()

    def _lay_out(self):
        specs = self._whole_specs() if self.shared is None else [one for one in self.own if one[0] not in SCORE]
        if "scalar" in self.heads:
            specs.append((SCORE[0], "score", torch.Size([1, self.decoder["width"]])))
            specs.append((SCORE[1], "score", torch.Size([1])))
        parameters, at = [], 0
        # A step's arithmetic goes through runs of one group and one rule of decay.
        for name, group, shape in sorted(specs, key=lambda spec: (_rank(spec[1]), len(spec[2]) != 2)):
            parameters.append(Parameter(name, group, shape, at))
            at += shape.numel()
        return parameters

    def _whole_specs(self):
        """All parameters but a scalar head's."""
        specs = trunk_specs(self.config, self.trunk)
        if "lm" in self.heads and not self.tied:
            specs.append(head_spec(self.config, self.decoder))
        return specs

    def _bind(self):
        """Makes the trunk's parameters views of the arrays, and catches each one's gradient as soon as a pass has it."""
        prefix = architectures.trunk_prefix(self.config)
        for name, parameter in self.trunk.named_parameters():
            parameter.data = self._read_view(prefix + name)
            parameter.requires_grad_(prefix + name in self.by_name)
            if parameter.requires_grad:
                self._catch(prefix + name, parameter)
        beside = [*SCORE, *(name for module in self.scales for name in factors_of(module))]
        self.beside = {name: torch.nn.Parameter(self._read_view(name)) for name in beside if name in self.by_name}
        for name, parameter in self.beside.items():
            self._catch(name, parameter)
        for module, scale in self.scales.items():
            a, b = (self.beside[name] for name in factors_of(module))
            put_beside(self.trunk.get_submodule(module.removeprefix(prefix)), a, b, scale)

    def _catch(self, name, parameter):
        # The parameter does not hold the model: its memory is free as soon as nothing else does.
        place, model = self.by_name[name], weakref.ref(self)
        parameter.register_post_accumulate_grad_hook(lambda found: model()._take(place, found))

    def _read_view(self, name):
        """A parameter as a pass reads it; the scalar head is always float32."""
        if name not in self.by_name:
            return self.shared.tensors[name]
        array = self.master if self.rounded is None or (name in SCORE and self.master is not None) else self.rounded
        view = self.by_name[name].of(array)
        return view.float() if name in SCORE else view

    def language_head(self, training=False):
        if "lm" not in self.heads:
            raise usage(f"model {self.id} has no lm head (it has {', '.join(self.heads)})")
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
        if "scalar" not in self.heads:
            raise usage(f"model {self.id} has no scalar head (it has {', '.join(self.heads)})")
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
            read_from(files, self.config, parameter.name, into)
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
        if self.rounded is not None and self.master is not None:
            self.rounded.copy_(self.master)

    def freeze(self):
        """Nothing of the model will be trained: in bf16 it then needs no float32 values."""
        self.frozen = True
        if self.rounded is not None and "scalar" not in self.heads:
            self.master = None

    def values(self):
        """The values of its own parameters in float32, as one flat array."""
        return self.rounded.float() if self.master is None else self.master

    def value_of(self, name):
        """A parameter in float32, its own or a shared one; None if it has none of this name."""
        if name in self.by_name:
            return self.by_name[name].of(self.rounded if self.master is None else self.master).float()
        return None if self.shared is None else self.shared.value_of(name)

    def merged_value_of(self, name):
        """A parameter of the model without adapter that computes the same: W + scale B A beside an adapter, else the model's own."""
        value = self.value_of(name)
        module = name.removesuffix(".weight")
        if module not in self.scales:
            return value
        a, b = (self.value_of(factor) for factor in factors_of(module))
        product = self.scales[module] * (b @ a)
        return value + (product.t() if architectures.transposes(self.config) else product)

    def copy_values(self, source, score_values):
        """Takes the values of a model, merged if that has an adapter and this one has none; `score_values` are of a head that it lacks."""
        merges = bool(source.scales) and not self.scales
        for parameter in self.parameters:
            into = parameter.of(self.master)
            found = source.merged_value_of(parameter.name) if merges else source.value_of(parameter.name)
            if found is not None:
                into.copy_(found)
            elif parameter.name == SCORE[0]:
                into.copy_(torch.tensor(score_values).view(into.shape))
            elif parameter.name == SCORE[1]:
                into.zero_()
            else:
                # The head of an untied model whose source has none.
                raise usage(f"model {source.id} has no {parameter.name} to copy")
        self.round()

    def copy_optimizer(self, source):
        names = [[(p.name, p.shape) for p in model.parameters] for model in (self, source)]
        if names[0] != names[1]:
            raise usage(f"the optimizer of {source.id} is of other heads than those of its copy")
        self.steps = source.steps
        if source.m is None:
            self.m = self.v = None
            return
        self.moments()
        self.m.copy_(source.m)
        self.v.copy_(source.v)

    def save(self, folder, optimizer):
        values = self.values()
        if "adapter" in self.decoder:
            tensors = ((f"{PEFT_PREFIX}{p.name}", p.of(values)) for p in self.parameters)
            write_tensors(os.path.join(folder, ADAPTER), tensors)
        else:
            names = [p.name for p in self.parameters]
            if self.shared is not None:
                wanted = [name for name, _, _ in self._whole_specs()]
                names = [name for name in [*wanted, *SCORE] if name in wanted or name in self.by_name]
            write_tensors(os.path.join(folder, WEIGHTS), ((name, self.value_of(name)) for name in names))
        if optimizer:
            kinds = [] if self.m is None else [("m", self.m), ("v", self.v)]
            tensors = ((f"{kind}.{p.name}", p.of(flat)) for kind, flat in kinds for p in self.parameters)
            write_tensors(os.path.join(folder, OPTIMIZER), tensors, {"step": str(self.steps)})

    def load_optimizer(self, folder):
        path = os.path.join(folder, OPTIMIZER)
        steps = read_metadata(path).get("step", "")
        if not steps.isdigit():
            raise damaged(f"{path} has no step count")
        self.steps = int(steps)
        tensors = read_tensors(path)
        if self.steps == 0 and not tensors:
            return
        self.moments()
        for kind, flat in (("m", self.m), ("v", self.v)):
            for parameter in self.parameters:
                found = tensors.get(f"{kind}.{parameter.name}")
                if found is None or found.numel() != parameter.shape.numel():
                    raise damaged(f"{path} does not fit the model: {kind}.{parameter.name}")
                if not bool(torch.isfinite(found).all()):
                    raise damaged(f"{path}: numbers of {kind}.{parameter.name} are NaN, infinite or beyond float32")
                parameter.of(flat).copy_(found.view(parameter.shape))

    def moments(self):
        if self.m is None:
            self.m, self.v = torch.zeros_like(self.master), torch.zeros_like(self.master)

    # Gradients

    def begin_pass(self):
        if self.gradient is None:
            self.gradient = torch.zeros_like(self.master)
        self._pass_squares = []
        self._head_gradient = None

    def end_pass(self):
        """The squared norm of this pass's gradient, which has been added to the others."""
        if self._head_gradient is not None:
            self._add(self.by_name[self.head_name], self._head_gradient)
            self._head_gradient = None
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
            self.gradient.zero_()

    def _take_head(self, gradient_V_D):
        self._head_gradient = gradient_V_D

    def _take(self, place, parameter):
        gradient = parameter.grad
        parameter.grad = None
        if place.name == self.head_name and self._head_gradient is not None:
            # The embedding's two gradients are one: its norm is of their sum.
            gradient = self._head_gradient.add_(gradient)
            self._head_gradient = None
        self._add(place, gradient)

    def _add(self, place, gradient):
        gradient = gradient.float()
        self._pass_squares.append(torch.linalg.vector_norm(gradient).double().square())
        place.of(self.gradient).add_(gradient)

    # Copies

    def like(self, id, heads):
        """A model of the same trunk with these heads, without values of its own."""
        placed = {id_of(parameter): torch.nn.Parameter(parameter.detach()) for parameter in self.trunk.parameters()}
        placed.update((id_of(parameter), parameter) for parameter in self.beside.values())
        trunk = copy.deepcopy(self.trunk, placed)
        return HeldModel(
            **{"id": id, "config": self.config, "decoder": self.decoder, "heads": heads, "trunk": trunk},
            **{"dtype": self.dtype, "device": self.device, "shared": self.shared, "own": self.own, "scales": self.scales},
        )

    def like_merged(self, id, heads):
        """A model with these heads and no adapter, all of whose parameters are its own, without values."""
        decoder = {key: value for key, value in self.decoder.items() if key != "adapter"}
        trunk = architectures.build_trunk(self.config, self.device)
        return HeldModel(
            id=id, config=self.config, decoder=decoder, heads=heads, trunk=trunk, dtype=self.dtype, device=self.device
        )


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


def read_from(files, config, name, into):
    """Reads a parameter by its name, or by that without the trunk's prefix, as some files have it."""
    bare = name.removeprefix(architectures.trunk_prefix(config))
    files.read(name if name in files or bare not in files else bare, into)


def open_trunk(folder, decoder, device):
    """The configuration and the trunk of a folder. `decoder` is what Ballast found in it, whose word counts on whether the embeddings are tied."""
    config = architectures.read_config(folder)
    if decoder["context"] != architectures.context_of(config):
        raise damaged(f"{folder}: transformers reads a context of {architectures.context_of(config)}, Ballast {decoder['context']}")
    return config, architectures.build_trunk(config, device)


def open_model(folder, *, id, decoder, heads, dtype, device, fresh_scalar, score_values, heads_found):
    """Reads a folder's model, all of which is trained."""
    config, trunk = open_trunk(folder, decoder, device)
    model = HeldModel(id=id, config=config, decoder=decoder, heads=heads, trunk=trunk, dtype=dtype, device=device)
    model.read(ModelFiles(folder), heads_found=heads_found, fresh_scalar=fresh_scalar, score_values=score_values)
    return model


def open_on_shared(shelf, folder, *, id, decoder, heads, dtype, device, heads_found, own):
    """A model on the shared weights of a folder. `own`: names, groups, shapes and flat values of its own parameters, and scales of its adapter."""
    config, trunk = open_trunk(folder, decoder, device)
    specs = trunk_specs(config, trunk)
    if "lm" in heads_found and not decoder["tieEmbeddings"]:
        specs.append(head_spec(config, decoder))
    model = HeldModel(
        **{"id": id, "config": config, "decoder": decoder, "heads": heads, "trunk": trunk, "dtype": dtype, "device": device},
        shared=shelf.open(folder, specs, lambda files, name, into: read_from(files, config, name, into), dtype, device),
        own=[(name, group, torch.Size(shape)) for name, group, shape in own["parameters"]],
        scales=own["scales"],
    )
    model.set_values(own["values"])
    return model
