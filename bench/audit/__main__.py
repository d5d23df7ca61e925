"""`python -m bench.audit`: how fast the audit trail is verified, beside the floor of reading its rows alone."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.audit.filling import fill
from bench.postgres import Cluster
from security.audit_signing import AuditSigner
from services.audit_verification import AuditVerification
from store.audit_reading import as_stored, chain_rows, chains
from store.engine import Database
from store.migrate import migrate

_LIMIT_S = 60
_MILLION = 1_000_000
_SIGNER = AuditSigner(bytes(range(32)))


def main() -> None:
    """Fill a trail, read it, verify it, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=_MILLION)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--databases", default="sqlite,postgresql", help="sqlite, postgresql or both")
    options = parser.parse_args()
    for kind in options.databases.split(","):
        with _database_url(kind) as url:
            asyncio.run(_measure(kind, url, events=options.events, in_chains=options.chains))


async def _measure(kind: str, url: str, *, events: int, in_chains: int) -> None:
    database = Database(url, command_timeout_s=None)
    await migrate(database)
    filled = await fill(database, events=events, in_chains=in_chains, signer=_SIGNER)
    verification = AuditVerification(database, public_keys={_SIGNER.kid: _SIGNER.public_key})
    started = time.perf_counter()
    read = await _read_alone(database)
    floor_s = time.perf_counter() - started
    started = time.perf_counter()
    report = await verification.verify(filled)
    took_s = time.perf_counter() - started
    await database.close()
    if read != report.entries or report.entries != events or not report.is_whole:
        raise RuntimeError(f"{read} read, {report.entries} verified of {events}: {report.findings[:3]}")
    per_million_s = took_s * _MILLION / events
    print(
        f"{kind:<11} {events} events in {in_chains} chains, {report.checkpoints} checkpoints: "
        f"verified in {took_s:.1f} s ({events / took_s:,.0f} events/s), "
        f"rows read alone in {floor_s:.1f} s ({events / floor_s:,.0f} events/s), ratio {took_s / floor_s:.2f}; "
        f"{per_million_s:.1f} s a million, limit {_LIMIT_S} s: {'kept' if per_million_s <= _LIMIT_S else 'MISSED'}",
        flush=True,
    )


async def _read_alone(database: Database) -> int:
    """Read every row as the verification does, and do nothing with it."""
    read = 0
    async with database.reading() as connection, as_stored(connection):
        for chain in await chains(connection):
            after = 0
            while rows := await chain_rows(connection, chain, after=after):
                read += len(rows)
                after = rows[-1].sequence
    return read


@contextmanager
def _database_url(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite+aiosqlite:///{Path(folder) / 'audit.db'}"
        return
    with Cluster() as cluster:
        cluster.create_database("audit")
        yield cluster.url("audit")


if __name__ == "__main__":
    main()
