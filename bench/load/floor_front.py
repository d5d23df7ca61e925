"""The bare floor's front: the least FastAPI can do to start a workflow, to signal it, and to count a guess in SQL.

No authentication, no number, no code, no encryption, no view of what was done. The database is opened as the product
opens it, so that driver, pool and SQLite's settings are the same.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, update
from temporalio.client import Client
from uuid_utils.compat import uuid7

from bench.load.floor_workflow import WORKFLOW_QUEUE, FloorOrder, FloorWorkflow
from store.engine import Database

CHECKS = Table("floor_check", MetaData(), Column("id", String(32), primary_key=True), Column("checks", Integer))
MOST_CHECKS = 5
_COUNT = (
    update(CHECKS)
    .where(CHECKS.c.id == bindparam("of_id"), CHECKS.c.checks < bindparam("most"))
    .values(checks=CHECKS.c.checks + 1)
    .returning(CHECKS.c.checks)
)


class _Start(BaseModel):
    to: str


class _Guess(BaseModel):
    code: str


class _Started(BaseModel):
    id: str


class _Verdict(BaseModel):
    valid: bool
    checks_left: int


def create() -> FastAPI:
    """Return the application (`uvicorn --factory bench.load.floor_front:create`)."""
    parts: dict[str, object] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts["database"] = database = Database(os.environ["FLOOR_DATABASE_URL"])
        parts["client"] = await Client.connect(os.environ["COUNTERSIGN_TEMPORAL_ADDRESS"])
        yield
        await database.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/workflows")
    async def start(body: _Start) -> Response:
        made = uuid7().hex if body.to else ""
        client = parts["client"]
        assert isinstance(client, Client)  # noqa: S101 - put there by lifespan
        await client.start_workflow(
            FloorWorkflow.run, FloorOrder(id=made), id=f"floor/{made}", task_queue=WORKFLOW_QUEUE
        )
        return _answer(_Started(id=made), status=201)

    @app.post("/workflows/{made}/ended")
    async def ended(made: str, body: _Guess) -> Response:
        client = parts["client"]
        assert isinstance(client, Client)  # noqa: S101 - put there by lifespan
        await client.get_workflow_handle_for(FloorWorkflow.run, f"floor/{made}").signal(FloorWorkflow.ended)
        return _answer(_Verdict(valid=bool(body.code), checks_left=0))

    @app.post("/checks/{row}")
    async def check(row: str, body: _Guess) -> Response:
        database = parts["database"]
        assert isinstance(database, Database)  # noqa: S101 - put there by lifespan
        async with database.transaction() as connection:
            done = (await connection.execute(_COUNT, {"of_id": row, "most": MOST_CHECKS})).scalar_one()
        return _answer(_Verdict(valid=not body.code, checks_left=MOST_CHECKS - done))

    return app


def _answer(model: BaseModel, *, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")
