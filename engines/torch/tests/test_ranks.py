"""Two processes on a CPU do what one does: losses, norms, steps, weights, samples, adapters, folders; in bf16 up to its rounding."""
import os
import shutil
import socket
import tempfile
import time
import unittest

import numpy as np
import torch
import torch.multiprocessing

from safetensors.torch import load_file

from ballast_torch import PROTOCOL
from ballast_torch.errors import EngineError
from ballast_torch.ranks import ranks_here
from ballast_torch.worker import Worker
from tests.small import flat, rows
from tests.test_low_rank import RANK, SCALE, SIZES, write_base

# Five rows: the second rank has fewer, and of one row none.
TEXTS = [[1, 2, 3, 4, 5], [6, 7, 1], [8, 9, 10, 11, 12, 1, 2], [3, 3, 4, 2], [5, 6, 7, 8]]
STARTS = [2, 1, 3, 1, 2]
STORIES = (("gpt2", "fp32"), ("gpt2", "bf16"), ("llama", "fp32"))
STEP = dict(learningRate=0.02, beta1=0.9, beta2=0.99, epsilon=1e-6, weightDecay=0.1, maxGradNorm=0.5, rateFactors={"block.1": 0.5})


def numbers(scale, shift=0.1):
    return rows([[shift + scale * np.sin(7 * b + 3 * t) for t in range(len(text) - start)] for b, (text, start) in enumerate(zip(TEXTS, STARTS))])


def story(worker, folder, dtype, family, reshard="pass"):
    """What one worker finds, number by number. The same calls on every rank."""
    found = {}
    # Computed again or kept: the same bits.
    recompute = worker.ranks.size == 2 and family == "llama"
    worker.call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype=dtype, recompute=recompute, reshard=reshard))
    tied = family == "gpt2"
    decoder = {"family": family, **SIZES, "tieEmbeddings": tied, "textIds": None}
    place = dict(folder=folder, decoder=decoder, headsFound=["lm"], freshScalar=False, merge=False, optimizer=None, frozen=False)
    score = [0.1 * i for i in range(8)]
    policy = worker.call("loadModel", dict(**place, heads=["lm", "scalar"], scoreValues=score, own=None))
    found["trained"] = policy["trained"]
    sequences = flat([np.array(text) for text in TEXTS], STARTS)
    losses = {
        "cross_entropy": dict(name="cross_entropy", sequences=sequences, weights=numbers(0.05)),
        "value": dict(name="value", sequences=sequences, weights=numbers(0.05), returns=numbers(1), oldValues=numbers(0.5), config=dict(valueClip=0.2)),
        "pairwise": dict(name="pairwise", chosen=sequences, rejected=flat([np.array(t[::-1]) for t in TEXTS], STARTS), margins=np.zeros(5, dtype=np.float32), weights=np.full(5, 0.2, dtype=np.float32)),
    }  # fmt: skip
    one = flat([np.array(TEXTS[0])], STARTS[:1])
    losses["one row"] = dict(name="cross_entropy", sequences=one, weights=rows([[0.1, 0.2, 0.3]]))

    def train(model, steps, names=tuple(losses)):
        for step in range(steps):
            for name in names:
                for key, value in worker.call("forwardBackward", dict(model=model, loss=losses[name])).items():
                    found[f"{model} {step} {name} {key}"] = value
            told = worker.call("optimStep", dict(model=model, request=STEP))
            found[f"{model} {step} norm"] = told["gradNorm"]
            for kind in ("groupNorms", "groupMoments"):
                for group, value in told[kind].items():
                    found[f"{model} {step} {kind} {group}"] = value if kind == "groupNorms" else [value["mean"], value["variance"]]

    def read(model, outputs):
        for key, value in worker.call("forward", dict(model=model, sequences=sequences, outputs=outputs, temperature=0.8)).items():
            found[f"{model} read {key}"] = value

    def save(model, name):
        into = f"{folder}/{name}-{worker.ranks.size}-{dtype}"
        os.makedirs(into, exist_ok=True)
        shutil.copy(f"{folder}/config.json", into)
        worker.call("saveModel", dict(model=model, folder=into, optimizer=True))
        return into

    train(policy["id"], 3)
    read(policy["id"], ["logprobs", "entropy", "values"])
    read(policy["id"], ["top1"])
    read(policy["id"], ["score"])
    prompts = {key: sequences[key] for key in ("tokens", "lengths")}
    request = dict(prompts=prompts, maxNewTokens=4, stopTokens=[2], temperature=1, topK=0, topP=1, seed=3)
    for key, value in worker.call("sample", dict(model=policy["id"], request=request)).items():
        found[f"sample {key}"] = value
    copy = worker.call("cloneModel", dict(model=policy["id"], heads=None, scoreValues=score, optimizer=True, into=None, merge=False))
    kept = save(policy["id"], "policy")
    again = worker.call("loadModel", dict({**place, "folder": kept, "headsFound": ["lm", "scalar"], "optimizer": kept}, heads=["lm", "scalar"], scoreValues=score, own=None))  # fmt: skip
    for model in (policy, copy, again):
        train(model["id"], 1)
        read(model["id"], ["logprobs"])
    worker.call("ema", dict(target=copy["id"], source=policy["id"], decay=0.5))
    # Back to earlier weights, which the next pass must read.
    worker.call("cloneModel", dict(model=copy["id"], heads=["lm", "scalar"], scoreValues=score, optimizer=True, into=policy["id"], merge=False))
    read(policy["id"], ["logprobs"])
    worker.call("disposeModel", dict(model=again["id"]))
    if worker.ranks.size == 2:
        # Only one of them leaves: both must gather the same afterwards.
        def leave(done, of):
            if worker.ranks.rank == 1:
                raise EngineError("cancelled", "sample was taken back")

        worker.step, stays = leave, worker.step
        try:
            worker.call("sample", dict(model=policy["id"], request=request))
            raise AssertionError("nobody left")
        except EngineError as error:
            assert error.kind == "cancelled"
        worker.step = stays
    train(policy["id"], 1, ("cross_entropy",))
    penalty = dict(beta=0.5, oldModel=copy["id"])
    config = dict(clipLow=0.2, clipHigh=0.2, dualClip=None, entropyCoef=0.1, penalty=penalty, kl=None, temperature=1)
    losses["penalty"] = dict(name="policy", sequences=sequences, weights=numbers(0.05), oldLogprobs=numbers(1, -3), advantages=numbers(1), config=config)  # fmt: skip
    train(policy["id"], 1, ("penalty",))
    # Adapters and frozen models on one copy of the base.
    module = "transformer.h.1.mlp.c_fc" if tied else "model.layers.1.mlp.down_proj"
    outputs, inputs = (32, 8) if tied else (8, 16)
    shapes = [(f"{module}.lora_A.weight", "block.1", [RANK, inputs]), (f"{module}.lora_B.weight", "block.1", [outputs, RANK])]
    values = np.sin(np.arange(RANK * (inputs + outputs))).astype(np.float32)
    own = dict(parameters=shapes, values=values, scales={module: SCALE})
    adapted = dict(place, decoder={**decoder, "adapter": {}}, heads=["lm"], scoreValues=[], own=own)
    adapter, frozen = worker.call("loadModel", adapted), worker.call("loadModel", dict(place, heads=["lm"], scoreValues=[], own=dict(parameters=[], values=values[:0], scales={}), frozen=True))  # fmt: skip
    train(adapter["id"], 2, ("cross_entropy",))
    for model in (adapter, frozen):
        read(model["id"], ["logprobs"])
    merged = worker.call("cloneModel", dict(model=adapter["id"], heads=None, scoreValues=[], optimizer=False, into=None, merge=True))
    worker.call("ema", dict(target=merged["id"], source=adapter["id"], decay=0.5))
    read(merged["id"], ["logprobs"])
    save(adapter["id"], "adapter")
    save(merged["id"], "merged")
    # What is refused leaves all ranks able to go on.
    for verb, args in (
        ("forward", dict(model=policy["id"], sequences=flat([np.array([99])], [1]), outputs=["logprobs"], temperature=1)),
        ("loadModel", dict({**place, "folder": f"{folder}/nothing"}, heads=["lm"], scoreValues=[], own=None)),
        ("forwardBackward", dict(model=frozen["id"], loss=losses["cross_entropy"])),
    ):
        try:
            worker.call(verb, args)
        except EngineError as error:
            found[f"refused {verb}"] = len(str(error))
    read(policy["id"], ["logprobs"])
    return found


def rank_of(rank, port, folder, out):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    if os.path.exists("/sys/class/net/lo"):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    ranks = ranks_here()
    found = {
        (family, dtype, reshard): story(Worker(ranks=ranks), f"{folder}/{family}", dtype, family, reshard)
        for family, dtype in STORIES
        for reshard in ("pass", "step")
    }
    torch.save(found, f"{out}/{rank}")
    ranks.gather(None)
    # Rank 0 has the store, without which the other one would end.
    if rank == 0:
        time.sleep(2)


class RanksTest(unittest.TestCase):
    def test_two_ranks_equal_one(self):
        folder, out = tempfile.mkdtemp(), tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(shutil.rmtree, out)
        for family in ("gpt2", "llama"):
            write_base(f"{folder}/{family}", family, head=family == "llama")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.spawn(rank_of, (port, folder, out), nprocs=2)
        ranks = [torch.load(f"{out}/{rank}", weights_only=False) for rank in (0, 1)]
        for family, dtype in STORIES:
            two, kept = (ranks[0][family, dtype, reshard] for reshard in ("pass", "step"))
            for key, value in two.items():
                with self.subTest("gathered weights that stay until a step change no bit", family=family, dtype=dtype, key=key):
                    np.testing.assert_array_equal(np.asarray(kept[key]), np.asarray(value))
            one = story(Worker(), f"{folder}/{family}", dtype, family)
            self.assertEqual(list(one), list(two))
            for key, value in one.items():
                with self.subTest(family=family, dtype=dtype, key=key):
                    a, b, c = (np.asarray(x, dtype=np.float64) for x in (value, two[key], ranks[1][family, dtype, "pass"][key]))
                    np.testing.assert_array_equal(b, c)
                    if dtype == "fp32":
                        np.testing.assert_allclose(b, a, rtol=2e-5, atol=3e-6)
                    elif key.endswith("loss"):
                        # Passes of another make-up round otherwise: by 1e-3 of a loss here.
                        np.testing.assert_allclose(b, a, rtol=1e-2)
                    elif key.endswith("logprobs") and not key.startswith("sample"):
                        np.testing.assert_allclose(b, a, atol=0.05)
            with self.subTest(family=family, dtype=dtype, key="weights after three steps"):
                start = load_file(f"{folder}/{family}/model.safetensors")
                weights = [load_file(f"{folder}/{family}/policy-{processes}-{dtype}/model.safetensors") for processes in (1, 2)]
                self.assertEqual(*map(list, weights))
                apart = {name: value - weights[1][name] for name, value in weights[0].items()}
                for name, bias in apart.items():
                    if name.endswith("c_attn.bias"):
                        # Of the keys: every score of a query moves by the same, so its gradient is 0 but for rounding, which Adam makes a step of.
                        bias.view(3, -1)[1] = 0
                squares = lambda tensors: sum(float(tensor.square().sum()) for tensor in tensors)
                moved = squares(weights[0][name] - value for name, value in start.items())
                if dtype == "fp32":
                    self.assertLess(max(float(value.abs().max()) for value in apart.values()), 1e-5)
                else:
                    self.assertLess(squares(apart.values()), 0.05**2 * moved)


if __name__ == "__main__":
    unittest.main()
