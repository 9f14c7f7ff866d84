"""Training steps of the PyTorch engine's worker, and the same steps written in plain PyTorch, in turns in one process, as one line of JSON.

    python bench/peers/own_step.py [--device cuda] [--dtype bf16] [--layers 24 --width 896 --heads 14 --kvHeads 2 --innerWidth 4864 --vocabulary 151936]

A random Llama, all weights trained, a cross-entropy over whole sequences, AdamW. Tokens a second are medians; memory is what each has on the device
for itself between steps and at most within one, in MB, and is told on CUDA only. It was never run on CUDA. Needs torch and transformers.
"""
import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "engines" / "torch"))
from ballast_torch import PROTOCOL
from ballast_torch.errors import EngineError
from ballast_torch.worker import Worker

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--device", default="cpu")
options.add_argument("--dtype", default="bf16", choices=["fp32", "bf16"])
sizes = dict(layers=4, width=256, heads=4, kvHeads=2, innerWidth=704, vocabulary=512, sequences=8, length=64, rounds=10, threads=1)
for name, value in sizes.items():
    options.add_argument(f"--{name}", type=int, default=value)
a = options.parse_args()
RATE = dict(learningRate=1e-5, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0.0, maxGradNorm=1.0)

worker = Worker()
try:
    hello = worker.call("open", dict(protocol=PROTOCOL, threads=a.threads, device=a.device, dtype=a.dtype))
except EngineError as error:
    sys.exit(f"{error}. {error.hint or ''}")
device = torch.device(hello["device"])
on_cuda = device.type == "cuda"
config = LlamaConfig(
    vocab_size=a.vocabulary, hidden_size=a.width, intermediate_size=a.innerWidth, num_hidden_layers=a.layers, num_attention_heads=a.heads,
    num_key_value_heads=a.kvHeads, max_position_embeddings=a.length, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None,
)  # fmt: skip
tokens = np.random.default_rng(1).integers(0, a.vocabulary, (a.sequences, a.length)).astype(np.int32)
scored = a.sequences * (a.length - 1)


def allocated():
    return torch.cuda.memory_allocated(device) / 2**20 if on_cuda else 0.0


def of_worker(folder):
    decoder = dict(family="llama", vocabularySize=a.vocabulary, context=a.length, width=a.width, layers=a.layers, heads=a.heads)
    decoder.update(tieEmbeddings=True, textIds=None)
    asked = dict(folder=folder, decoder=decoder, heads=["lm"], headsFound=["lm"], freshScalar=False, scoreValues=[], own=None)
    model = worker.call("loadModel", dict(**asked, merge=False, optimizer=None, frozen=False))["id"]
    sequences = dict(tokens=tokens.reshape(-1), lengths=np.full(a.sequences, a.length, np.int32), starts=np.ones(a.sequences, np.int32))
    weights = dict(values=np.full(scored, 1 / scored, np.float32), lengths=np.full(a.sequences, a.length - 1, np.int32))
    loss = dict(name="cross_entropy", sequences=sequences, weights=weights)

    def step():
        found = worker.call("forwardBackward", dict(model=model, loss=loss))["loss"]
        worker.call("optimStep", dict(model=model, request=RATE))
        return found

    return step


def of_pytorch(folder):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).train()
    adam = torch.optim.AdamW(model.parameters(), lr=RATE["learningRate"], weight_decay=0.0, fused=True)
    ids = torch.from_numpy(tokens).long().to(device)

    def step():
        with torch.autocast(device.type, torch.bfloat16, enabled=a.dtype == "bf16"):
            logits = model(ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), RATE["maxGradNorm"])
        adam.step()
        adam.zero_grad(set_to_none=True)
        return loss.item()

    return step


contenders = {}
with tempfile.TemporaryDirectory() as folder:
    torch.manual_seed(1)
    start = LlamaForCausalLM(config)
    parameters = sum(parameter.numel() for parameter in start.parameters())
    start.save_pretrained(folder)
    del start
    for name, make in (("ballast", of_worker), ("pytorch", of_pytorch)):
        before = allocated()
        step = make(folder)
        # The first step makes gradients and moments.
        first = step()
        contenders[name] = dict(step=step, firstLoss=first, seconds=[], residentMb=allocated() - before, stepMb=0.0)
for _ in range(a.rounds):
    for one in contenders.values():
        before = allocated()
        if on_cuda:
            torch.cuda.reset_peak_memory_stats(device)
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        one["step"]()
        if on_cuda:
            torch.cuda.synchronize(device)
            one["stepMb"] = max(one["stepMb"], torch.cuda.max_memory_allocated(device) / 2**20 - before)
        one["seconds"].append(time.perf_counter() - started)


def told(one):
    memory = {key: round(one[key]) for key in ("residentMb", "stepMb")} if on_cuda else {}
    return dict(tokensPerSecond=round(a.sequences * a.length / statistics.median(one["seconds"]), 1), firstLoss=one["firstLoss"], **memory)


found = {name: told(one) for name, one in contenders.items()}
ratio = found["ballast"]["tokensPerSecond"] / found["pytorch"]["tokensPerSecond"]
print(json.dumps({"device": hello["device"], "dtype": a.dtype, "parameters": parameters, **found, "tokensRatio": round(ratio, 3)}))
