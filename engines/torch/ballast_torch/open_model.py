"""Reads the models of folders: one whose numbers are all its own, or one on weights that models share; in one process or over several."""
import torch

from . import architectures
from .errors import damaged
from .held_model import HeldModel, head_spec, read_from, trunk_specs
from .model_files import ModelFiles
from .sharded_model import ShardedModel


def open_trunk(folder, decoder, device):
    """The configuration and the trunk of a folder. `decoder` is what Ballast found in it, whose word counts on whether the embeddings are tied."""
    config = architectures.read_config(folder)
    if decoder["context"] != architectures.context_of(config):
        raise damaged(f"{folder}: transformers reads a context of {architectures.context_of(config)}, Ballast {decoder['context']}")
    return config, architectures.build_trunk(config, device)


def open_model(folder, *, ranks, decoder, device, heads_found, fresh_scalar, score_values, **place):
    """Reads a folder's model, all of which is trained. `place`: its id, heads and dtype."""
    config, trunk = open_trunk(folder, decoder, device)
    model = _model(ranks, config=config, trunk=trunk, decoder=decoder, device=device, **place)
    model.read(ModelFiles(folder), heads_found=heads_found, fresh_scalar=fresh_scalar, score_values=score_values)
    return model


def open_on_shared(shelf, folder, *, ranks, decoder, device, heads_found, own, **place):
    """A model on the shared weights of a folder. `own`: names, groups, shapes and flat values of its own parameters, and scales of its adapter."""
    config, trunk = open_trunk(folder, decoder, device)
    specs = trunk_specs(config, trunk)
    if "lm" in heads_found and not decoder["tieEmbeddings"]:
        specs.append(head_spec(config, decoder))
    read = lambda files, name, into, parameter=None: read_from(files, config, name, into, parameter)
    model = _model(
        ranks,
        **{"config": config, "trunk": trunk, "decoder": decoder, "device": device, **place},
        shared=shelf.open(folder, specs, read, ranks=ranks, config=config, trunk=trunk, dtype=place["dtype"], device=device),
        own=[(name, group, torch.Size(shape)) for name, group, shape in own["parameters"]],
        scales=own["scales"],
    )
    model.set_values(own["values"])
    return model


def _model(ranks, **place):
    return HeldModel(**place) if ranks.size == 1 else ShardedModel(ranks=ranks, **place)
