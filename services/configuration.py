"""What a process starts with is recorded when it differs from the last time, as hashes: never a setting itself."""

import hashlib
from collections.abc import Mapping

from domain.audit import INSTANCE_CHAIN, SYSTEM, AuditEntry
from store import audit
from store.audit_reading import latest_details
from store.engine import Database

_ACTION = "configuration.loaded"
# 128 bits: a configuration is no secret, and nobody makes two that are alike on purpose.
_HEX_DIGITS = 32


async def note_configuration(database: Database, *, process: str, content: Mapping[str, bytes]) -> None:
    """Record the hashes of what a kind of process starts with, before and after, unless they are the same.

    `content` names each part, such as `routes`; nothing in it may be a secret.
    """
    hashes = {name: hashlib.sha256(data).hexdigest()[:_HEX_DIGITS] for name, data in content.items()}
    subject = f"process:{process}"
    async with database.transaction() as connection:
        last = await latest_details(connection, chain=INSTANCE_CHAIN, action=_ACTION, subject=subject)
        if all(last.get(f"{name}_after") == digest for name, digest in hashes.items()):
            return
        before = {f"{name}_before": last.get(f"{name}_after") for name in hashes}
        after = {f"{name}_after": digest for name, digest in hashes.items()}
        entry = AuditEntry(
            account_id=None,
            environment=None,
            actor=SYSTEM,
            action=_ACTION,
            subject=subject,
            details={**before, **after},
        )
        await audit.record(connection, entry)
