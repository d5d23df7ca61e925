"""Keeping the audit trail: a signed checkpoint of each chain that moved, at least hourly, and the cut of what is old.

Part of upkeep, so that no verification has an action more. Safe to be killed at any moment, and to run twice.
"""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import INSTANCE_CHAIN, SYSTEM, AuditEntry
from rules.audit.chain import canonical_moment
from rules.audit.checkpoints import LOGGED, Checkpoint, CheckpointKind, as_logged
from security.audit_signing import AuditSigner
from store import audit
from store.audit_keeping import (
    Standing,
    chains_with_old_entries,
    due_for_checkpoint,
    keep_checkpoint,
    remove_before_cut,
    standing_of,
    where_to_cut,
)
from store.engine import Database

_log = structlog.get_logger()


class AuditKeeping:
    """Signs checkpoints and removes what was kept long enough."""

    def __init__(self, *, database: Database, signer: AuditSigner) -> None:
        self._database = database
        self._signer = signer

    async def keep(self) -> None:
        """Write the checkpoints that are due, and cut one piece off each chain that is too old at its beginning."""
        async with self._database.reading() as connection:
            due = await due_for_checkpoint(connection)
            old = await chains_with_old_entries(connection)
        for chain in due:
            await self.vouch_for(chain)
        for chain in old:
            await self._cut(chain)

    async def vouch_for(self, chain: str) -> Checkpoint:
        """Write a checkpoint of a chain as it stands now; return it."""
        async with self._database.transaction() as connection:
            signed = await self._keep(connection, chain, await standing_of(connection, chain), CheckpointKind.HOUR)
        # A log that leaves the machine takes the checkpoint to where whoever changes the database cannot reach.
        _log.info(LOGGED, checkpoint=as_logged(signed))
        return signed

    async def _cut(self, chain: str) -> None:
        """Remove the oldest entries behind a cut, all in one transaction, and say so in the instance's chain."""
        async with self._database.transaction() as connection:
            place = await where_to_cut(connection, chain)
            if place is None:
                return
            signed = await self._keep(connection, chain, place, CheckpointKind.CUT)
            removed = await remove_before_cut(connection, chain, sequence=place.sequence)
            if removed:
                await audit.record(connection, _cut_entry(signed, removed))

    async def _keep(self, connection: AsyncConnection, chain: str, place: Standing, kind: CheckpointKind) -> Checkpoint:
        signed = self._signer.sign(_unsigned(chain, place.sequence, place.hash, at=place.at, kind=kind))
        await keep_checkpoint(connection, signed, at=place.at)
        return signed


def _unsigned(chain: str, sequence: int, digest: str, *, at: datetime, kind: CheckpointKind) -> Checkpoint:
    return Checkpoint(chain=chain, sequence=sequence, hash=digest, at=canonical_moment(at), kind=kind.value, kid="")


def _cut_entry(cut: Checkpoint, removed: int) -> AuditEntry:
    return AuditEntry(
        account_id=None,
        environment=None,
        actor=SYSTEM,
        action="audit.cut",
        subject=f"chain:{cut.chain}",
        details={"of_instance": cut.chain == INSTANCE_CHAIN, "up_to": cut.sequence, "removed": removed},
    )
