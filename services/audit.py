"""An account's audit trail: pages of it, and the whole chain with its checkpoints to keep and to verify elsewhere."""

import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import GUARDIANS
from domain.audit import SYSTEM, AuditEntry, chain_of
from domain.errors import InvalidRequestError
from domain.facts import Caller
from domain.statuses import Environment
from rules.access import insufficient_scope
from rules.audit.chain import GENESIS, Link
from rules.audit.checkpoints import as_json
from security.audit_signing import AuditSigner
from store import audit
from store.audit_reading import AuditFilters, chain_rows, chains, checkpoints, links, list_entries
from store.engine import Database

# A sequence that fits the column.
_CURSOR = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries are asked for, `since` included and `until` not."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first, and the cursor of the next page if there is one."""

    items: tuple[Link, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AuditKey:
    """The public key that checkpoints are signed with: its name, and its 32 bytes in base64."""

    kid: str
    public_key: str


class Audit:
    """Answers what an account asks about its audit trail. What belongs to its other environment is never shown."""

    def __init__(self, *, database: Database, signer: AuditSigner) -> None:
        self._database = database
        self._signer = signer

    def key(self) -> AuditKey:
        """Return the key that checkpoints are signed with."""
        return AuditKey(kid=self._signer.kid, public_key=base64.b64encode(self._signer.public_key).decode())

    async def page(self, caller: Caller, query: AuditQuery) -> AuditPage:
        """Return a page of entries, newest first.

        Raises:
            InvalidRequestError: the cursor is not one of ours.
            InsufficientScopeError: it is the instance's own trail, and the operator is not one who guards it.

        """
        _ensure_may_see(caller)
        filters = AuditFilters(
            chain=chain_of(caller.acts_on),
            environment=caller.environment,
            action=query.action,
            actor=query.actor,
            subject=query.subject,
            since=query.since,
            until=query.until,
            before=None if query.cursor is None else _read_cursor(query.cursor),
        )
        async with self._database.reading() as connection:
            found = await list_entries(connection, filters, limit=query.limit + 1)
        items = tuple(found[: query.limit])
        return AuditPage(items, _write_cursor(items[-1].sequence) if len(found) > query.limit else None)

    async def export(self, caller: Caller) -> AsyncGenerator[str]:
        """Return the lines of an account's chain; that it was exported is recorded, and is the last entry of it."""
        _ensure_may_see(caller)
        await self._note_export(
            AuditEntry(
                account_id=caller.acts_on,
                environment=None if caller.acts_on is None else caller.environment,
                actor=caller.actor,
                action="audit.exported",
                subject=None,
            )
        )
        return self._lines([chain_of(caller.acts_on)], shown_to=caller.environment)

    async def export_all(self) -> AsyncGenerator[str]:
        """Return the lines of every chain, for an operator of the instance; this is recorded too."""
        await self._note_export(
            AuditEntry(account_id=None, environment=None, actor=SYSTEM, action="audit.exported", subject=None)
        )
        async with self._database.reading() as connection:
            names = await chains(connection)
        return self._lines(names, shown_to=None)

    async def checkpoints(self) -> list[str]:
        """Return every stored checkpoint as a line."""
        async with self._database.reading() as connection:
            return [_line(as_json(each)) for each in await checkpoints(connection)]

    async def _note_export(self, entry: AuditEntry) -> None:
        async with self._database.transaction() as connection:
            await audit.record(connection, entry)

    async def _lines(self, names: list[str], *, shown_to: Environment | None) -> AsyncGenerator[str]:
        """Yield the key, then of each chain its checkpoints, its entries and its end, without which it is not whole."""
        key = self.key()
        yield _line({"type": "key", "algorithm": "Ed25519", "kid": key.kid, "public_key": key.public_key})
        for chain in names:
            async with self._database.reading() as connection:
                vouched = await checkpoints(connection, chain=chain)
            for checkpoint in vouched:
                yield _line(as_json(checkpoint))
            count, sequence, digest = 0, 0, GENESIS
            while page := await self._next(chain, after=sequence):
                for link in page:
                    yield _line(_entry(link, shown_to=shown_to))
                count, sequence, digest = count + len(page), page[-1].sequence, page[-1].hash
            yield _line({"type": "end", "chain": chain, "entries": count, "sequence": sequence, "hash": digest})

    async def _next(self, chain: str, *, after: int) -> list[Link]:
        """Return the next entries; no connection is held while a slow reader takes them."""
        async with self._database.reading() as connection:
            return list(links(await chain_rows(connection, chain, after=after)))


def _ensure_may_see(caller: Caller) -> None:
    """Let a caller read the trail of an account; that of the instance is for those who answer for it."""
    if caller.acts_on is None and caller.role not in GUARDIANS:
        raise insufficient_scope(frozenset())


def _entry(link: Link, *, shown_to: Environment | None) -> dict[str, Any]:
    """Return an entry as an export has it; of the other environment only its place in the chain."""
    place = {"chain": link.chain, "sequence": link.sequence, "previous": link.previous, "hash": link.hash}
    if shown_to is not None and link.environment not in {None, shown_to.value}:
        return {"type": "withheld", **place}
    return {
        "type": "entry",
        **place,
        "at": link.at,
        "environment": link.environment,
        "actor": link.actor,
        "action": link.action,
        "subject": link.subject,
        "details": json.loads(link.details),
    }


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not _CURSOR.fullmatch(text):
        raise InvalidRequestError("The cursor is not one that this list gave; leave it out to begin anew.")
    return int(text)
