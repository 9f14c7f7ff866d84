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
    if not hasattr(module, "low_rank"):
        module.register_forward_hook(_add_product)
    module.low_rank = LowRank(a_R_I, b_O_R, scale)


def _add_product(module, inputs, output):
    """A function of the module's own state, so that a copy of the trunk computes with the copy's factors."""
    beside = module.low_rank
    return output + beside.scale * ((inputs[0] @ beside.a_R_I.t()) @ beside.b_O_R.t())
