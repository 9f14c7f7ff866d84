#!/bin/sh
# SkyRL 0.4.0's Tinker server never ends a session that has had no heartbeat, however old it is: the engine looks for sessions whose last heartbeat is
# older than its limit (session_timeout_sec), a new session's is NULL, and NULL is not older than anything. Such a session keeps its models and their
# adapter slots until the server is started anew: one whose client was killed between create_session and its first heartbeat, or never sends any.
#
# Asks the engine's own clean-up about two sessions that are an hour old, one of which gave a sign of life when it began. Exits 0 while only that one is
# ended, and otherwise if it is not so. Needs Python 3.11.4 or later; installs 2 GB, unless SKYRL names a Python environment that
# examples/tinker/server/install.sh made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -z "${SKYRL:-}" ]; then
  SKYRL="$folder/venv"
  sh "$here/../examples/tinker/server/install.sh" "$SKYRL" >/dev/null
fi
cd "$folder"
JAX_PLATFORMS=cpu "$SKYRL/bin/python" - <<'EOF'
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

from skyrl.tinker.db_models import SessionDB
from skyrl.tinker.engine import TinkerEngine
from sqlmodel import Session, SQLModel, create_engine, select

engine = create_engine("sqlite:///sessions.db")
SQLModel.metadata.create_all(engine)
hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
with Session(engine) as session:
    for name, heard in (("beat once", hour_ago), ("never beat", None)):
        session.add(
            SessionDB(session_id=name, tags=[], user_metadata={}, sdk_version="0.38.0", created_at=hour_ago, last_heartbeat_at=heard)
        )
    session.commit()
server = SimpleNamespace(db_engine=engine, config=SimpleNamespace(session_timeout_sec=300), backend=None)
TinkerEngine.cleanup_stale_sessions(server)
with Session(engine) as session:
    states = {row.session_id: row.status for row in session.exec(select(SessionDB)).all()}
print(states)
assert states == {"beat once": "expired", "never beat": "active"}
EOF
