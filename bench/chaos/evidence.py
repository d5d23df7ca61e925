"""What the checker looks at: the API log, every row of the database, the carriers' ledger; read at one moment."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bench.chaos.api_log import Exchange
from bench.chaos.installation import Installation
from bench.chaos.outages import Outage
from domain.ids import attempt_id, verification_id
from domain.sandbox import LedgerEntry
from runtime.setup import number_sealer
from security.codes import code_for
from store.attempts import LIVE
from store.tables import Attempt, table_of
from store.times import now
from store.verifications import FACTS

_COPIED = ("status", "reference", "created_at", "expires_at", "finished_at", "checks", "max_checks")
_attempt = table_of(Attempt)


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
    """Everything there is to judge by; the carriers' ledger as it was before the rows were read, and after."""

    read_at: datetime
    verifications: Mapping[str, VerificationRow]
    attempts: Mapping[str, AttemptRow]
    ledger: Sequence[LedgerEntry]
    ledger_before: Sequence[LedgerEntry]
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
    """Read everything. The log and the ledger first, so that what they hold must be in what is read after them."""
    exchanges, ledger_before = list(site.log.exchanges), await site.control.ledger()
    async with site.database.reading() as connection:
        verifications = (await connection.execute(select(*FACTS))).all()
        attempts = (await connection.execute(select(_attempt).order_by(_attempt.c.sequence))).all()
        read_at = (await connection.execute(select(now()))).scalar_one()
    codes: defaultdict[UUID, set[str]] = defaultdict(set)
    made = {each.id: each for each in verifications}
    for each in attempts:
        if each.status in LIVE and each.verification_id in made:
            codes[each.verification_id].add(await _code(site, made[each.verification_id], each.sequence))
    rows = [await _verification_row(site, each, codes[each.id]) for each in verifications]
    numbers = {row.id: row.number for row in rows}
    return Evidence(
        read_at=read_at,
        verifications={row.id: row for row in rows},
        attempts={attempt_id(each.id): _attempt_row(each, numbers) for each in attempts},
        ledger=await site.control.ledger(),
        ledger_before=ledger_before,
        exchanges=exchanges,
        outages=list(site.outages.all),
    )


async def _verification_row(site: Installation, row: Any, codes: set[str]) -> VerificationRow:
    return VerificationRow(
        id=verification_id(row.id),
        number=await _number(site, row),
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


async def _number(site: Installation, row: Any) -> str:
    """Return a verification's number; a rotation seals it anew and does not change it."""
    if row.id not in site.opened:
        site.opened[row.id] = await number_sealer(site.keys).open(
            row.number_sealed, account_id=row.account_id, row=row.id, person=row.person_salt
        )
    return site.opened[row.id]


async def _code(site: Installation, row: Any, counter: int) -> str:
    if (row.id, counter) not in site.codes:
        key = await site.keys.codes.version(row.code_key_version)
        site.codes[row.id, counter] = code_for(
            key.secret, verification_id=row.id, counter=counter, length=row.code_length
        )
    return site.codes[row.id, counter]
