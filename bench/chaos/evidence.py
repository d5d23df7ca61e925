"""What the checker looks at: the API log, every row of the database, the carriers' ledger; read at one moment."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bench.chaos.api_log import Exchange
from bench.chaos.installation import Installation
from bench.chaos.outages import Outage
from domain.ids import attempt_id, verification_id
from domain.sandbox import LedgerEntry
from runtime.setup import number_cipher
from security.codes import code_for
from security.keyring import KeyRing
from store.attempts import LIVE
from store.tables import Attempt, Verification, table_of
from store.times import now

_COPIED = ("status", "reference", "created_at", "expires_at", "finished_at", "checks", "max_checks")
_verification, _attempt = table_of(Verification), table_of(Attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRow:
    """A verification as the database has it, with the codes of those attempts that may have been sent."""

    id: str
    number: str
    status: str
    reference: str | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    checks: int
    max_checks: int
    codes: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt as the database has it."""

    id: str
    verification: str
    number: str
    carrier: str
    status: str
    carrier_code: str | None
    follows: str | None
    is_begun: bool
    is_proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything there is to judge by."""

    read_at: datetime
    verifications: Mapping[str, VerificationRow]
    attempts: Mapping[str, AttemptRow]
    ledger: Sequence[LedgerEntry]
    exchanges: Sequence[Exchange]
    outages: Sequence[Outage] = ()

    def attempts_of(self, verification: str) -> list[AttemptRow]:
        """Return the attempts of a verification."""
        return [each for each in self.attempts.values() if each.verification == verification]

    def of_number(self, number: str) -> list[VerificationRow]:
        """Return the verifications of a number, oldest first."""
        found = [each for each in self.verifications.values() if each.number == number]
        return sorted(found, key=lambda each: each.created_at)

    def sent_to(self, number: str) -> list[LedgerEntry]:
        """Return what carriers were asked to send to a number."""
        return [each for each in self.ledger if each.to == number]


async def gather_evidence(site: Installation) -> Evidence:
    """Read everything. The log first, so that what it acknowledges must be in what is read after it."""
    exchanges = list(site.log.exchanges)
    async with site.database.reading() as connection:
        verifications = (await connection.execute(select(_verification))).all()
        attempts = (await connection.execute(select(_attempt).order_by(_attempt.c.sequence))).all()
        read_at = (await connection.execute(select(now()))).scalar_one()
    codes: defaultdict[UUID, set[str]] = defaultdict(set)
    lengths = {each.id: each.code_length for each in verifications}
    for each in attempts:
        if each.status in LIVE and each.verification_id in lengths:
            codes[each.verification_id].add(
                _code(site.keys, each.verification_id, each.sequence, lengths[each.verification_id])
            )
    rows = [_verification_row(site, each, codes[each.id]) for each in verifications]
    numbers = {row.id: row.number for row in rows}
    return Evidence(
        read_at=read_at,
        verifications={row.id: row for row in rows},
        attempts={attempt_id(each.id): _attempt_row(each, numbers) for each in attempts},
        ledger=await site.control.ledger(),
        exchanges=exchanges,
        outages=list(site.outages.all),
    )


def _verification_row(site: Installation, row: Any, codes: set[str]) -> VerificationRow:
    return VerificationRow(
        id=verification_id(row.id),
        number=_number(site.keys, row.number_sealed, row.account_id, row.id),
        codes=frozenset(codes),
        **{name: getattr(row, name) for name in _COPIED},
    )


def _attempt_row(row: Any, numbers: Mapping[str, str]) -> AttemptRow:
    verification = verification_id(row.verification_id)
    return AttemptRow(
        id=attempt_id(row.id),
        verification=verification,
        number=numbers.get(verification, ""),
        carrier=row.carrier,
        status=row.status,
        carrier_code=row.carrier_code,
        follows=None if row.follows is None else attempt_id(row.follows),
        is_begun=row.submitting_at is not None,
        is_proved=row.proved_at is not None,
    )


# Neither changes, and both are asked for again with each look.
@lru_cache(maxsize=50_000)
def _number(keys: KeyRing, sealed: str, account: UUID, row: UUID) -> str:
    return number_cipher(keys).decrypt(sealed, account_id=account, row=row)


@lru_cache(maxsize=50_000)
def _code(keys: KeyRing, verification: UUID, counter: int, length: int) -> str:
    return code_for(keys.codes, verification_id=verification, counter=counter, length=length)
