"""Where a number or a code could have got to: logs, both databases, histories as they are and opened, metrics."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import MetaData, select
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHistory

from bench.chaos.installation import Installation
from runtime.temporal import payload_cipher
from security.payloads import PayloadCipher, is_sealed


async def places(site: Installation, *, workflows: Iterable[str]) -> Mapping[str, list[bytes]]:
    """Return everything that the product has written, by the place where it is, in pieces to be searched.

    Left out is what is not the product's: the drill's own record, and the file that the sandbox carriers keep for the
    handsets. Their log is in.
    """
    cipher = payload_cipher(site.programs.launch.for_processes, site.keys)
    temporal = site.home / "temporal.db"
    return {
        "logs": [each.read_bytes() for each in sorted((site.home / "logs").glob("*.log"))],
        "database": [*files(site.home / "countersign.db"), *[row async for row in _rows(site)]],
        "Temporal's database": [*files(temporal), *values(temporal)],
        "histories": [each async for each in _histories(site.temporal_client, workflows, cipher)],
        "metrics": [each async for each in _metrics(site)],
    }


def files(file: Path) -> list[bytes]:
    """Return a file of SQLite's as it lies on the disk, with what is written ahead of it."""
    parts = (file, file.with_name(f"{file.name}-wal"))
    return [each.read_bytes() for each in parts if each.exists()]


def values(file: Path) -> Iterator[bytes]:
    """Yield the values of a file of SQLite's, whole: on the disk, long ones are cut to pages."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - its own table's name
                yield b"\n".join(each if isinstance(each, bytes) else str(each).encode() for each in row)


async def _rows(site: Installation) -> AsyncIterator[bytes]:
    """Yield every row of the product's database as text, of tables that somebody will yet add too."""
    found = MetaData()
    async with site.database.reading() as connection:
        await connection.run_sync(found.reflect)
        for table in found.sorted_tables:
            for row in await connection.execute(select(table)):
                yield "\n".join(str(each) for each in row).encode()


async def _histories(client: Client, workflows: Iterable[str], cipher: PayloadCipher | None) -> AsyncIterator[bytes]:
    """Yield histories as Temporal hands them out, and each payload as its reader would see it."""
    others = {each.id async for each in client.list_workflows()}
    for workflow in sorted({*workflows, *others}):
        history = await client.get_workflow_handle(workflow).fetch_history()
        yield history.to_json().encode()
        for payload in payloads_of(history):
            if cipher is not None and is_sealed(payload):
                opened = await cipher.open(payload, workflow_id=None)
                yield opened.data
            else:
                yield payload.data


def payloads_of(history: WorkflowHistory) -> Iterator[Payload]:
    """Yield every payload of a history, wherever it stands."""
    for event in history.events:
        yield from _payloads(event)


def _payloads(message: Any) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            yield from (found for each in value.values() if hasattr(each, "ListFields") for found in _payloads(each))
        elif field.is_repeated:
            yield from (found for each in value for found in _payloads(each))
        else:
            yield from _payloads(value)


async def _metrics(site: Installation) -> AsyncIterator[bytes]:
    """Yield what each API process tells of itself to who asks for its state."""
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        for port in site.api_ports:
            for path in ("/metrics", "/readyz"):
                yield (await http.get(f"http://127.0.0.1:{port}{path}")).content
