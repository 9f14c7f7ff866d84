#!/bin/sh
# Installs SkyRL 0.4.0's Tinker server (JAX, on a CPU) in a Python environment of its own, 2 GB: install.sh FOLDER [PYTHON]
# Python 3.11.4 or later. SkyRL asks for 3.12; on 3.11 it runs with one line of it changed, and this script changes it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
[ -x "$folder/bin/python" ] || "${2:-python3}" -m venv "$folder"
"$folder/bin/python" -c 'import sys; v = sys.version_info[:3]; sys.exit(0 if v >= (3, 11, 4) else f"Python {v} here; SkyRL needs 3.11.4 or later: its samples unpack archives with a filter")'
pip() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@"; }
# PyTorch first, with what it needs, since that differs between its builds; the rest of the list is complete.
pip --constraint "$here/requirements.txt" "$(grep '^torch==' "$here/requirements.txt")"
pip --no-deps --ignore-requires-python --requirement "$here/requirements.txt"
# Before Python 3.12, pydantic refuses typing's own TypedDict.
types=$("$folder/bin/python" -c 'import importlib.util as u; print(u.find_spec("skyrl").submodule_search_locations[0])')/tinker/types.py
if "$folder/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
  sed -i.orig 's/^from typing import Annotated, Any, Literal, TypedDict$/from typing import Annotated, Any, Literal\nfrom typing_extensions import TypedDict/' "$types"
fi
echo "SkyRL is in $folder"
