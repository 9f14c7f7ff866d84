#!/bin/sh
# SkyRL 0.4.0's Tinker server may do an optim_step before the forward_backward that was submitted before it: its engine asks the database first for passes
# and then, in a second query, for everything else. Two requests that arrive in between, as the tinker SDK sends them (one right after the other, awaited
# together), are found by the second query only, which keeps a step behind a pass after it and not behind a pass before it. The step is then taken without
# a gradient ("No accumulated gradients for model" in its log), and the gradient goes into the next step. Seen on a busy computer in one of seven steps of a
# run with the JAX backend; the client must wait for the gradient before it submits the step.
#
# Asks the engine's own scheduler both questions, with the two requests arriving in between. Exits 0 while it is so, and otherwise if it is not.
# Needs Python 3.11.4 or later; installs 2 GB.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
sh "$here/../examples/tinker/server/install.sh" venv >/dev/null
JAX_PLATFORMS=cpu venv/bin/python - <<'EOF'
from sqlmodel import Session, SQLModel, create_engine

from skyrl.tinker import types
from skyrl.tinker.db_models import FutureDB, RequestStatus
from skyrl.tinker.engine import TinkerEngine

database = create_engine("sqlite:///futures.db")
SQLModel.metadata.create_all(database)
scheduler = TinkerEngine.__new__(TinkerEngine)  # its two questions need the database only


def submit(kind, data):
    """What the API does with a request: one row, committed."""
    with Session(database) as session:
        session.add(FutureDB(request_type=kind, model_id="model_1", request_data=data, status=RequestStatus.PENDING))
        session.commit()


# As process_pending_requests_once asks them, in one session.
with Session(database) as session:
    passes = scheduler.find_batchable_model_passes(session, types.RequestType.FORWARD_BACKWARD)
    submit(types.RequestType.FORWARD_BACKWARD, {})
    submit(types.RequestType.OPTIM_STEP, {"adam_params": {}})
    others = scheduler.find_single_requests(session)
print("passes to do now:", sorted(passes))
print("other requests to do now:", [(number, kind.value) for number, (_, kind, _) in others.items()])
assert not passes and [kind for _, kind, _ in others.values()] == [types.RequestType.OPTIM_STEP]
EOF
