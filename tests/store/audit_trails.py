"""Trails for tests: written through the real door, with checkpoints, as an export would have them."""

from typing import Any
from uuid import UUID

from activities.audit_keeping import AuditKeeping
from domain.audit import AuditEntry
from domain.ids import new_id
from domain.statuses import Environment
from rules.audit.checkpoints import Checkpoint
from security.audit_signing import AuditSigner
from services.audit_verification import AuditReport, AuditVerification
from store import audit
from store.audit_reading import chains, checkpoints
from store.engine import Database
from tests.building import KEYS

SIGNER = AuditSigner(KEYS.audit_seed)
PUBLIC_KEYS = {SIGNER.kid: SIGNER.public_key}


def an_entry(account_id: UUID | None, **changes: Any) -> AuditEntry:
    """Return an entry with a detail of every kind."""
    values: dict[str, Any] = {
        "environment": Environment.SANDBOX,
        "actor": "key:testtest",
        "action": "key.created",
        "subject": "key:AbCd1234",
        "details": {"name": "Büro “1”", "days": 365, "live": False, "note": None},
    }
    return AuditEntry(account_id=account_id, **{**values, **changes})


async def recorded(database: Database, *entries: AuditEntry) -> None:
    """Record entries, each in a transaction of its own."""
    for entry in entries:
        async with database.transaction() as connection:
            await audit.record(connection, entry)


async def a_trail(database: Database, *, chains: int = 2, entries: int = 10) -> list[UUID]:
    """Record entries of some accounts and of the instance; return the accounts."""
    accounts = [new_id() for _ in range(chains)]
    for at in range(entries):
        await recorded(database, *(an_entry(each, details={"at": at}) for each in (*accounts, None)))
    return accounts


async def vouched_for(database: Database, *, signer: AuditSigner = SIGNER) -> list[Checkpoint]:
    """Have a checkpoint written of every chain as it stands; return all that are stored."""
    keeping = AuditKeeping(database=database, signer=signer)
    async with database.reading() as connection:
        names = await chains(connection)
    for chain in names:
        await keeping.vouch_for(chain)
    async with database.reading() as connection:
        return await checkpoints(connection)


async def verified(database: Database, exported: list[Checkpoint] | None = None) -> AuditReport:
    """Verify everything beside what was exported."""
    return await AuditVerification(database, public_keys=PUBLIC_KEYS).verify(exported or [])
