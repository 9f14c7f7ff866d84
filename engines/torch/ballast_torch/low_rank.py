"""Low-rank products beside a trunk's projections (LoRA, Hu et al. 2021): output + scale (x A^T) B^T, with A [R, I] and B [O, R]."""


def factors_of(module):
    """The names of A and B beside a module, in files."""
    return f"{module}.lora_A.weight", f"{module}.lora_B.weight"


class LowRank:
    """What stands beside one projection."""

    def __init__(self, a_R_I, b_O_R, scale):
        self.a_R_I, self.b_O_R, self.scale = a_R_I, b_O_R, scale


def put_beside(module, a_R_I, b_O_R, scale):
    """Adds the product to what the module computes, from now on; whatever was beside it, such as the original's after a copy, is replaced."""
    _set(module, LowRank(a_R_I, b_O_R, scale))


def wear(trunk, products):
    """Puts these products, by the module's name, beside a trunk that models take turns with, and nothing beside its other modules."""
    for module in trunk.modules():
        if hasattr(module, "low_rank"):
            module.low_rank = None
    for name, product in products.items():
        _set(trunk.get_submodule(name), product)


def _set(module, product):
    if not hasattr(module, "low_rank"):
        module.register_forward_hook(_add_product)
    module.low_rank = product


def _add_product(module, inputs, output):
    """A function of the module's own state, so that a copy of the trunk computes with the copy's factors."""
    beside = module.low_rank
    return output if beside is None else output + beside.scale * ((inputs[0] @ beside.a_R_I.t()) @ beside.b_O_R.t())
