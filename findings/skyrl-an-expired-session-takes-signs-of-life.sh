#!/bin/sh
# SkyRL 0.4.0's Tinker server answers 200 to the heartbeat of a session that has expired: session_heartbeat looks only whether the session's row is there,
# and an expired one stays there with the status "expired", its models unloaded. A client learns of it from its next call ("Model ... not loaded"), however
# often it has said that it lives; only a session that never was has the documented 404.
#
# Asks the function behind the endpoint about an expired session and about one that never was. Exits 0 while it is so, and otherwise if it is not.
# Needs Python 3.11.4 or later; installs 2 GB, unless SKYRL names a Python environment that examples/tinker/server/install.sh made.
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
import asyncio
from types import SimpleNamespace

from fastapi import HTTPException
from skyrl.tinker import api
from skyrl.tinker.db_models import SessionDB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


async def ask():
    engine = create_async_engine("sqlite+aiosqlite:///sessions.db")
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    server = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(db_write_lock=asyncio.Lock())))
    async with AsyncSession(engine) as session:
        session.add(SessionDB(session_id="session_1", status="expired", tags=[], user_metadata={}, sdk_version="0.38.0"))
        await session.commit()
        for name in ("session_1", "session_2"):
            request = api.SessionHeartbeatRequest(session_id=name)
            try:
                yield name, (await api.session_heartbeat(request, server, session)).type
            except HTTPException as refused:
                yield name, refused.status_code
    await engine.dispose()


async def main():
    answers = {name: answer async for name, answer in ask()}
    print(answers)
    assert answers == {"session_1": "session_heartbeat", "session_2": 404}


asyncio.run(main())
EOF
