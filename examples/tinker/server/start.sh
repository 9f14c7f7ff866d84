#!/bin/sh
# Starts SkyRL's Tinker server on 127.0.0.1, its records and checkpoints in the folder DATA: start.sh ENVIRONMENT MODEL DATA [PORT [FLAG ...]]
# ENVIRONMENT is what install.sh made, MODEL a Hugging Face folder (make_model.py makes one). Ctrl-C stops it.
set -eu
environment=$(cd "$1" && pwd)
model=$(cd "$2" && pwd)
mkdir -p "$3"
data=$(cd "$3" && pwd)
port=${4:-8000}
[ $# -gt 4 ] && shift 4 || shift $#
export PATH="$environment/bin:$PATH" VIRTUAL_ENV="$environment" JAX_PLATFORMS=cpu HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
# What XLA compiled is kept: each new shape costs seconds, each known one nothing.
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$data/compiled}" JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
# Passes and samples of one size each: SkyRL fills them up, and every new number of sequences would be compiled for.
passes='{"max_lora_adapters": 8, "max_lora_rank": 8, "train_micro_batch_size": 8, "sample_max_num_sequences": 32}'
# SkyRL starts its engine with the flags of the `uv run` that started it.
exec uv run --no-project --active --offline -m skyrl.tinker.api --host 127.0.0.1 --port "$port" --base-model "$model" --backend jax \
  --backend-config "$passes" --database-url "sqlite:///$data/tinker.db" --checkpoints-base "$data/checkpoints" "$@"
