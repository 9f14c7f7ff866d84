"""The verbs of the engine's interface over the models in memory, one call at a time."""
import os
import platform
import sys
import time
from itertools import zip_longest

import numpy as np
import torch

from . import PROTOCOL, architectures, losses, optimizer, sampler, split
from .errors import EngineError, is_out_of_memory, usage
from .memory import LARGE, give_back_freed
from .open_model import open_model, open_on_shared
from .ranks import Alone
from .shared_weights import Shelf
from .turns import Turns

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# A float32 product's largest relative error that rounding of float32 explains, at the size of the measurement; bfloat16's is above 1e-3.
TRUE_FLOAT32 = 1e-5


# Verbs during which no rank waits for another but inside `ranks.together`: after a failure that only some ranks saw, all go on together.
APART = ("open", "loadModel", "saveModel", "sample")
# What takes less memory in a pass, in generation, and else.
FEWER = {
    "pass": "Set microBatch to a smaller number (1 is the least memory), or recompute to true, or lower sequences, maxNewTokens or the model's size.",
    "sample": (
        f"Generation holds keys and values of up to {sampler.MOST_ROWS} texts at once, whatever microBatch is: lower maxNewTokens, sequences (below "
        f"{sampler.MOST_ROWS}), the length of prompts or the model's size; with dtype bf16 they take half."
    ),
    "else": "It holds weights, gradients or Adam's moments: lower the model's size, train an adapter (lora.rank), or set dtype to bf16.",
}


class Part:
    """This rank's part of an answer, and what makes the whole of all ranks' parts."""

    def __init__(self, own, merge):
        self.own, self.merge = own, merge


class Worker:
    """Holds the models. `step` is told how far a call is, as (done, of), and raises if the caller has taken it back; it is called between steps of generation."""

    def __init__(self, step=lambda done, of: None, ranks=Alone()):
        self.ranks = ranks
        self.models = {}
        self.shelf = Shelf()
        self.turns = Turns()
        self.next = 1
        self.step = step
        self.seconds = 0.0
        self.device = torch.device("cpu")
        self.dtype, self.recompute = torch.float32, False
        # The device of what is offloaded; None if nothing is.
        self.host = None

    def call(self, verb, args):
        """A verb's answer. Every failure is an EngineError, after which the accumulated gradient of the call's model may be gone.

        Of several ranks one that fails by itself while the others wait for it raises `Lost`: they cannot go on.
        """
        started, before = time.perf_counter(), self.next
        answer = failure = None
        try:
            answer = self._answer(verb, args)
        except EngineError as error:
            if self.ranks.size > 1 and error.kind in ("oom", "worker") and (verb not in APART or self.ranks.awaited):
                raise Lost(error) from error
            failure = error
        part = answer if isinstance(answer, Part) else Part(None, lambda each: answer)
        each = self.ranks.gather((failure, part.own))
        failures = {rank: one for rank, (one, _) in enumerate(each) if one is not None}
        if failures:
            # A model that some ranks have loaded and others have not is none.
            self.models = {id: model for id, model in self.models.items() if int(id.removeprefix("model-")) < before}
            self.next = before
            # Some have passed through a trunk and others have not: what they hold of it must be the same again.
            for model in self.models.values():
                model.drop_gathered()
            rank, first = next(iter(failures.items()))
            if len(failures) < self.ranks.size and first.kind != "cancelled":
                first = EngineError(first.kind, f"process {rank} of {self.ranks.size}: {first}", first.hint, first.unchanged)
            raise first
        self.seconds += time.perf_counter() - started
        if any(model.weight_count() >= LARGE for model in self.models.values()):
            give_back_freed()
        return part.merge([own for _, own in each])

    def _answer(self, verb, args):
        method = getattr(self, f"do_{verb}", None)
        if method is None:
            raise usage(f"the worker knows no {verb}", "Ballast and its PyTorch worker are of different versions.")
        whole = [model for model in self.models.values() if model.whole]
        try:
            return method(**args)
        except EngineError as error:
            self._after_failure(verb, args, error)
            raise
        except Exception as error:
            failure = self._failure(verb, error)
            failure.unchanged = all(model.whole for model in whole)
            self._after_failure(verb, args, failure)
            raise failure from error

    def _failure(self, verb, error):
        if not is_out_of_memory(error):
            return EngineError("worker", f"{verb}: {type(error).__name__}: {error}")
        text = str(error).splitlines()[0] if str(error) else "out of memory"
        what = "pass" if verb in ("forward", "forwardBackward") else verb if verb == "sample" else "else"
        return EngineError("oom", f"{verb}: there was not enough memory on {self.device}: {text}", FEWER[what])

    def _after_failure(self, verb, args, error):
        if verb != "forwardBackward":
            return
        model = self.models.get(args.get("model"))
        if model is not None and error.kind in ("oom", "worker", "cancelled"):
            model.drop_pass()
            error.hint = f"{error.hint or ''} The gradient accumulated since the last step was dropped.".strip()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # The worker itself

    def do_open(self, protocol, threads, device, dtype, recompute=False, offload=None, reshard="pass"):
        if protocol != PROTOCOL:
            raise usage(
                f"the worker speaks protocol {PROTOCOL}, and Ballast protocol {protocol}",
                "Install Ballast again: its engines/torch folder is of a different version.",
            )
        if dtype not in DTYPES:
            raise usage(f"dtype is {dtype}; it must be one of {', '.join(DTYPES)}")
        # The call is rank 0's; another machine may have other cores.
        torch.set_num_threads(int(os.environ.get("BALLAST_THREADS", threads)))
        torch.manual_seed(0)
        self.dtype, self.recompute = DTYPES[dtype], recompute
        self.device = torch.device(_device(device, self.ranks))
        if offload is not None:
            _check_offload(offload, self.device, self.ranks)
            self.host = torch.device("cpu")
        if reshard not in ("pass", "step"):
            raise usage(f"reshard is {reshard}; it must be pass or step")
        self.ranks.keeps = reshard == "step"
        matmul = _choose_matmul() if self.device.type == "cpu" else torch.get_float32_matmul_precision()
        slow = self.dtype == torch.bfloat16 and self.device.type == "cpu"
        hello = {
            "protocol": PROTOCOL,
            "bf16Slowdown": bf16_slowdown() if slow else None,
            "device": str(self.device),
            "deviceName": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "",
            "dtype": dtype,
            "threads": torch.get_num_threads(),
            "matmul": matmul,
            "bitExact": self.device.type == "cpu",
            "processes": self.ranks.size,
            "versions": versions(),
        }
        return Part(hello, _first_of_one_kind)

    def do_usage(self):
        memory = memory_on(self.device)
        return {"nativeSeconds": self.seconds, **dict(zip(memory, self.ranks.sums(list(memory.values()))))}

    def do_matmulRate(self, size, seconds):
        """Billions of float operations a second of a square product at the passes' precision: the machine's ceiling."""
        return {"gflops": product_rate(self.dtype, self.device, size, seconds)}

    # Models

    def do_loadModel(self, folder, decoder, heads, headsFound, freshScalar, scoreValues, own, merge, optimizer, frozen):
        """`own`: the parameters that a model on shared weights has for itself; null if all are its own. `optimizer`: the folder of one, or null."""
        place = {"id": f"model-{self.next}", "decoder": decoder, "heads": heads, "dtype": self.dtype, "device": self.device}
        place.update(ranks=self.ranks, host=self.host)
        if own is None:
            model = open_model(
                folder, **place, turns=self.turns, fresh_scalar=freshScalar, score_values=scoreValues, heads_found=headsFound
            )
        else:
            model = open_on_shared(self.shelf, folder, **place, heads_found=headsFound, own=own)
        if merge:
            adapted, model = model, model.like_whole(model.id, heads, self.turns)
            model.copy_values(adapted, scoreValues)
        if optimizer is not None:
            model.load_optimizer(optimizer)
        if frozen:
            model.freeze()
        return self._add(model)

    def do_cloneModel(self, model, heads, scoreValues, optimizer, into, merge):
        source = self._model(model)
        heads = source.heads if heads is None else heads
        # A model without adapter is its own merged one.
        adapted = "adapter" in source.decoder
        if into is None:
            id = f"model-{self.next}"
            copy = source.like_merged(id, heads, self.turns) if merge and adapted else source.like(id, heads)
        else:
            # It may be one that an earlier failure has left half written.
            copy = self._named(into)
            decoder = {key: value for key, value in source.decoder.items() if not (merge and key == "adapter")}
            if (copy.decoder, copy.heads) != (decoder, heads) or (copy.shared is not source.shared and not merge):
                raise usage(f"model {into} is not of the shape of the copy that it is to become")
        copy.check_copy(source, optimizer)
        copy.widen()
        with copy.changing():
            copy.clear_gradient()
            copy.steps, copy.m, copy.v = 0, None, None
            copy.copy_values(source, scoreValues)
            if optimizer:
                copy.copy_optimizer(source)
        # With its float32 values, which it may be made to save or to average.
        copy.frozen = merge or source.frozen
        return self._add(copy) if into is None else self._info(copy)

    def do_saveModel(self, model, folder, optimizer):
        self._model(model).save(folder, optimizer)
        return None

    def do_disposeModel(self, model):
        held = self._named(model)
        del self.models[model]
        if all(one.trunk is not held.trunk for one in self.models.values()):
            held.release()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def do_ema(self, target, source, decay):
        optimizer.slow_average(self._model(target), self._model(source), decay)

    # Computation

    def do_sample(self, model, request):
        held = self._model(model)
        prompts = sampler.check(held, request)
        held.check_head("lm")
        rows = list(self.ranks.rows(len(prompts)))
        found = held.run_gathered(lambda: sampler.sample(held, request, rows, self.step))
        in_order = lambda each: [row for rows in zip_longest(*each) for row in rows if row is not None]
        return Part(found, lambda each: sampler.flat(in_order(each)))

    def do_forward(self, model, sequences, outputs, temperature):
        held = self._model(model)
        losses.check_forward(held, sequences, outputs)
        if self.ranks.size == 1:
            return losses.forward(held, sequences, outputs, temperature)
        found = losses.forward(held, split.forward_part(sequences, self.ranks), outputs, temperature)
        scored = [1] * len(sequences["lengths"]) if "score" in outputs else sequences["lengths"] - sequences["starts"]
        return Part(found, lambda each: split.join(each, scored, self.ranks))

    def do_forwardBackward(self, model, loss):
        held = self._model(model)
        if held.trained == 0:
            raise usage(f"model {model} has no parameter to train: all are frozen")
        penalty = loss["config"].get("penalty") if loss["name"] == "policy" else None
        old = self._model(penalty["oldModel"]) if penalty and penalty["oldModel"] is not None else None
        if old is not None and old.decoder != held.decoder:
            raise usage(f"policy: model {old.id} is not of the same shape as {model}")
        losses.check_loss(held, loss)
        if self.ranks.size == 1:
            return losses.forward_backward(held, loss, old)
        found = losses.forward_backward(held, split.loss_part(loss, self.ranks), old)
        # The norm is of all ranks' rows already.
        total, squared = found.pop("loss"), found.pop("gradSquaredNorm")
        pairs = loss["name"] == "pairwise"
        scored = [1] * len(loss["margins"]) if pairs else loss["sequences"]["lengths"] - loss["sequences"]["starts"]
        return Part(
            (total, found),
            lambda each: {
                "loss": sum(one for one, _ in each),
                "gradSquaredNorm": squared,
                **split.join([outputs for _, outputs in each], scored, self.ranks),
            },
        )

    def do_optimStep(self, model, request):
        return optimizer.optim_step(self._model(model), **request)

    def do_zeroGrad(self, model):
        self._model(model).clear_gradient()

    def _add(self, model):
        if self.recompute:
            architectures.recompute_blocks(model.trunk)
        self.models[model.id] = model
        self.next += 1
        return self._info(model)

    def _info(self, model):
        return {"id": model.id, "trained": model.trained, "heads": model.heads}

    def _model(self, id):
        model = self._named(id)
        if not model.whole:
            raise usage(f"model {id} is no longer whole: a change to it failed halfway")
        return model

    def _named(self, id):
        if id not in self.models:
            raise usage(f"there is no model {id}; it may have been disposed of")
        return self.models[id]


def versions():
    """What the last bit of a result depends on."""
    import safetensors
    import transformers

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "safetensors": safetensors.__version__,
        "numpy": np.__version__,
    }


def memory_on(device):
    """MiB of this process on the host, and, if passes compute on a CUDA device, of what PyTorch holds there."""
    memory = {"residentMb": _resident_mb()}
    if device is not None and device.type == "cuda":
        memory["deviceMb"] = torch.cuda.memory_reserved(device) / 2**20
    return memory


def _resident_mb():
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        import resource

        # Its peak, in bytes on macOS: systems without /proc tell no more.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


class Lost(Exception):
    """This rank failed while others wait for it; why."""


def _device(name, ranks):
    """The device to compute on. `auto`: the first CUDA device, or the CPU; of several processes of a machine each has a CUDA device of its own."""
    if name.startswith("cuda:") and ranks.size > 1:
        raise usage(
            f"device is {name}, and there are {ranks.size} processes: each takes a device of its own, the first of a machine cuda:0, the next cuda:1",
            "Set engine.device to cuda; the environment variable CUDA_VISIBLE_DEVICES says which devices these are.",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and ranks.size > 1:
        name = f"cuda:{ranks.local_rank}"
    if name.startswith("cuda") and not torch.cuda.is_available():
        why = "this PyTorch was built for CPUs only" if torch.version.cuda is None else "PyTorch sees no CUDA device or driver"
        raise usage(f"device is {name}, and {why}", "Check with nvidia-smi, then run: ballast engine setup torch --force; or set engine.device=cpu.")
    try:
        device = torch.empty(0, device=name).device
    except RuntimeError as error:
        raise usage(f"device is {name}, which PyTorch cannot open: {str(error).splitlines()[0]}", "Set engine.device to cpu, cuda or auto.") from error
    if device.type == "cuda":
        # What names no device takes this one, as FSDP2's meshes do.
        torch.cuda.set_device(device)
    return device


def _first_of_one_kind(hellos):
    """What the first rank says of itself. Refuses ranks on devices of another kind."""
    first, *others = (torch.device(hello["device"]).type for hello in hellos)
    for rank, kind in enumerate(others, 1):
        if kind != first:
            raise usage(
                f"process 0 computes on {first}, and process {rank} on {kind}: all must compute on devices of one kind",
                "Set engine.device to cpu, or to cuda if each machine has a CUDA device for each of its processes.",
            )
    return hellos[0]


def _check_offload(offload, device, ranks):
    if offload != "optimizer":
        raise usage(f"offload is {offload}; it must be optimizer, or absent")
    if device.type == "cpu":
        raise usage(
            "offload is optimizer, and the device is cpu: weights in float32, gradients and Adam's moments are on the host already",
            "Remove engine.offload, or set engine.device to a CUDA device.",
        )
    if ranks.size > 1:
        raise usage(
            f"offload is optimizer, and there are {ranks.size} processes: it is for one, since several hold gradients and moments in rows on their devices",
            "Remove engine.offload: more processes leave less on each device; or set engine.processes to 1.",
        )


def product_rate(dtype, device, size, seconds):
    """Billions of float operations a second of the faster of two square products, a b and a b': without instructions for bf16 they differ fivefold."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        for second in (b, b.T):
            started = time.perf_counter()
            a @ second
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def bf16_slowdown():
    """How many times as long this CPU takes for a bf16 product as for a float32 one; below 1 if bf16 is faster. Takes a tenth of a second or two."""
    cpu = torch.device("cpu")
    rates = [product_rate(dtype, cpu, 256, 0.05) for dtype in (torch.float32, torch.bfloat16)]
    return rates[0] / rates[1]


def _choose_matmul():
    """On many CPUs `medium` takes a faster library and still computes in float32; if it rounds to bfloat16 here, it is not switched on."""
    torch.set_float32_matmul_precision("medium")
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    error = float((a @ b - exact).norm() / exact.norm())
    if not error < TRUE_FLOAT32:
        torch.set_float32_matmul_precision("highest")
        return "highest"
    return "medium"
