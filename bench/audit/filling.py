"""A long trail, written in bulk: what `store.audit.record` would have written one by one, checkpoints every hour."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from domain.ids import new_id
from rules.audit.chain import GENESIS, Link, canonical_moment, hash_of
from rules.audit.checkpoints import Checkpoint, CheckpointKind
from security.audit_signing import AuditSigner
from store.audit_keeping import keep_checkpoint
from store.audit_tables import AuditHead, AuditRow
from store.engine import Database
from store.tables import table_of

_BATCH = 5_000
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_GAP = timedelta(seconds=4)
_PER_CHECKPOINT = 900
_ACTIONS = ("send.refused", "authentication.failed", "number.locked", "number.unlocked", "sandbox.carrier_scripted")


async def fill(
    database: Database, *, events: int, in_chains: int, signer: AuditSigner, beginning: datetime = _BEGINNING
) -> list[Checkpoint]:
    """Write so many events in so many chains, four seconds apart; return the checkpoints, which are stored too."""
    kept = []
    for number in range(in_chains):
        size = events // in_chains + (number < events % in_chains)
        if size:
            kept += await _fill_chain(database, new_id().hex, size, signer, beginning=beginning)
    return kept


async def _fill_chain(
    database: Database, chain: str, size: int, signer: AuditSigner, *, beginning: datetime
) -> list[Checkpoint]:
    kept, batch, last = [], list[Link](), Link(chain, 0, "", None, "", "", None, "", "", GENESIS)
    for last in _links(chain, size, beginning=beginning):
        batch.append(last)
        if len(batch) == _BATCH:
            await _write(database, batch)
            batch.clear()
        if last.sequence % _PER_CHECKPOINT == 0 or last.sequence == size:
            kept.append(_checkpoint(last, signer))
    await _write(database, batch)
    async with database.transaction() as connection:
        head = {"chain": chain, "sequence": last.sequence, "hash": last.hash}
        await connection.execute(insert(table_of(AuditHead)), head)
        for each in kept:
            await keep_checkpoint(connection, each, at=datetime.fromisoformat(each.at))
    return kept


def _links(chain: str, size: int, *, beginning: datetime) -> Iterator[Link]:
    previous = GENESIS
    for sequence in range(1, size + 1):
        content = Link(
            chain=chain,
            sequence=sequence,
            at=canonical_moment(beginning + sequence * _GAP),
            environment="production",
            actor="key:AbCd1234",
            action=_ACTIONS[sequence % len(_ACTIONS)],
            subject=f"number:{sequence:032x}",
            details=f'{{"count":{sequence % 7 + 1},"rule":"number-limit"}}',
            previous=previous,
        )
        previous = hash_of(content)
        yield Link(**{**asdict(content), "hash": previous})


def _checkpoint(link: Link, signer: AuditSigner) -> Checkpoint:
    kind = CheckpointKind.HOUR.value
    unsigned = Checkpoint(chain=link.chain, sequence=link.sequence, hash=link.hash, at=link.at, kind=kind, kid="")
    return signer.sign(unsigned)


async def _write(database: Database, batch: list[Link]) -> None:
    if batch:
        async with database.transaction() as connection:
            rows = [{**asdict(each), "at": datetime.fromisoformat(each.at)} for each in batch]
            await connection.execute(insert(table_of(AuditRow)), rows)
