"""A trunk and its head sharded over several processes by PyTorch's fully_shard (FSDP2): all that Ballast asks of it.

A block is one group: its weights are gathered from all ranks before it computes, and freed after the pass has gone through it; its gradients are summed over the ranks, of
which each keeps its rows. Embedding, last norm and head are one more group, gathered for a whole pass, so that a tied head shares the embedding's.
With `ranks.keeps` what was gathered stays until the weights change (ZeRO-2 in place of ZeRO-3, Rajbhandari et al. 2020): the same bits.
"""
import torch
from torch.distributed.fsdp._fully_shard._fsdp_param import FSDPParam
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from . import architectures, pairwise


class Root(torch.nn.Module):
    """The module around trunk and head; its forward pass is whatever is computed while their weights are there."""

    def __init__(self, trunk, head):
        super().__init__()
        self.trunk = trunk
        # A head that is separate from the embedding; its gradient is made by hand.
        self.register_parameter("head", None if head is None else torch.nn.Parameter(head, requires_grad=False))

    def forward(self, compute):
        return compute()


class ShardedTrunk:
    """`held`: numbers in the type `stored`, of which `parts` gives every parameter's place; passes read them in `dtype`."""

    def __init__(self, config, trunk, head_shape, *, ranks, device, stored, dtype, trained):
        prefix, head_name = architectures.trunk_prefix(config), architectures.own_head_name(config)
        # Shapes only: no rank has room for a whole parameter until `bind` gives it this rank's rows.
        for name, parameter in list(trunk.named_parameters()):
            module, _, own_name = name.rpartition(".")
            shape = torch.empty(parameter.shape, dtype=stored, device="meta")
            setattr(trunk.get_submodule(module), own_name, torch.nn.Parameter(shape, requires_grad=trained))
        head = None if head_shape is None else torch.empty(head_shape, dtype=stored, device="meta")
        self.ranks, self.keeps = ranks, ranks.keeps
        self.root = Root(trunk, head)
        self.blocks = list(architectures.blocks(trunk))
        policy = MixedPrecisionPolicy(
            param_dtype=None if dtype == stored else dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for module in (*self.blocks, self.root):
            # Embedding and head stay for the whole pass: the head needs them at its end.
            stays = self.keeps or module is self.root
            fully_shard(module, mesh=ranks.mesh(device), mp_policy=policy, reshard_after_forward=not stays)
            module.set_reshard_after_backward(not self.keeps, recurse=False)
            if device.type == "cpu":
                module.set_custom_all_gather(pairwise.Gather())
                module.set_custom_reduce_scatter(pairwise.ScatterSum())
            # Losses are sums, and so are their gradients.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
        found = {id(one.sharded_param): one for module in self._modules() for one in _parameters_of(module)}
        named = [(prefix + name, one) for name, one in trunk.named_parameters()]
        if head is not None:
            named.append((head_name, self.root.head))
        self._by_name = {name: found[id(one)] for name, one in named}
        if self.keeps:
            for one in self._by_name.values():
                # Memory that soon holds the next weights is not given back: to get it anew takes longer than to fill it.
                one.free_unsharded_param = lambda: None
        self.adapted = set()

    def _modules(self):
        return [*self.blocks, self.root]

    def bind(self, name, numbers):
        """Makes this rank's rows of a parameter a view of these numbers, which may end with some that are nobody's."""
        sharded = self._by_name[name]
        local = numbers[: sharded.sharded_size.numel()].view(sharded.sharded_size)
        sharded._sharded_param_data = numbers
        rows = sharded.to_sharded_dtensor(local)
        sharded.sharded_param = torch.nn.Parameter(rows, requires_grad=sharded.sharded_param.requires_grad)
        sharded._setattr_on_modules(sharded.sharded_param)

    def weight(self, name):
        """A parameter with all of its rows, while a pass computes."""
        return self._by_name[name].unsharded_param.detach()

    def take_gradient(self, name):
        """This rank's rows of the gradient that the last pass left, in float32; None if there is none."""
        parameter = self._by_name[name].sharded_param
        gradient, parameter.grad = parameter.grad, None
        return None if gradient is None else gradient.to_local()

    def run(self, compute):
        try:
            result = self.root(compute)
        except BaseException:
            self._leave()
            raise
        # Without a backward pass nothing else drops what was gathered, which the next step makes stale.
        if not self.keeps and not torch.is_grad_enabled():
            self.drop()
        return result

    def run_gathered(self, compute):
        """Gathers all weights, and computes without a word to the other ranks."""
        with self.ranks.together():
            for module in self._modules():
                module.unshard()
        self._reshard_after_forward(False)
        try:
            result = self.root(compute)
        except BaseException:
            self._leave()
            raise
        finally:
            self._reshard_after_forward(not self.keeps)
        if not self.keeps:
            self.drop()
        return result

    def _reshard_after_forward(self, on):
        for block in self.blocks:
            block.set_reshard_after_forward(on, recurse=False)

    def drop(self):
        """What was gathered counts as gone: the next pass gathers anew. Its memory is freed, unless `keeps`."""
        for module in self._modules():
            module.reshard()

    def release(self):
        """Drops what was gathered, with its memory."""
        self.drop()
        for one in self._by_name.values():
            FSDPParam.free_unsharded_param(one)

    def _leave(self):
        """After a pass that an error left: it would otherwise count as one that is still going on, in which what was gathered stays, and is soon stale."""
        self.root.reset_iter_state()


def _parameters_of(module: FSDPModule):
    group = module._get_fsdp_state()._fsdp_param_group
    return [] if group is None else group.fsdp_params
