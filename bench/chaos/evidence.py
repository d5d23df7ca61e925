"""What the checker looks at: the API log, every row of the database, the carriers' ledger; read at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from bench.chaos.api_log import Exchange
from bench.chaos.installation import Installation
from bench.chaos.outages import Outage
from domain.ids import attempt_id, verification_id
from domain.sandbox import LedgerEntry
from runtime.setup import number_cipher
from security.codes import code_for
from store.attempts import LIVE
from store.tables import Attempt, Verification, table_of
from store.times import now

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
    cipher = number_cipher(site.keys)
    async with site.database.reading() as connection:
        verifications = (await connection.execute(select(_verification))).all()
        attempts = (await connection.execute(select(_attempt).order_by(_attempt.c.sequence))).all()
        read_at = (await connection.execute(select(now()))).scalar_one()
    numbers = {v.id: cipher.decrypt(v.number_sealed, account_id=v.account_id, row=v.id) for v in verifications}
    live = {status.value for status in LIVE}
    codes: dict[object, set[str]] = {v.id: set() for v in verifications}
    lengths = {v.id: v.code_length for v in verifications}
    for a in attempts:
        if a.status in live and a.verification_id in codes:
            made = code_for(
                site.keys.codes,
                verification_id=a.verification_id,
                counter=a.sequence,
                length=lengths[a.verification_id],
            )
            codes[a.verification_id].add(made)
    return Evidence(
        read_at=read_at,
        verifications={
            verification_id(v.id): VerificationRow(
                id=verification_id(v.id),
                number=numbers[v.id],
                codes=frozenset(codes[v.id]),
                **{name: getattr(v, name) for name in _COPIED},
            )
            for v in verifications
        },
        attempts={
            attempt_id(a.id): AttemptRow(
                id=attempt_id(a.id),
                verification=verification_id(a.verification_id),
                number=numbers.get(a.verification_id, ""),
                carrier=a.carrier,
                status=a.status,
                carrier_code=a.carrier_code,
                follows=None if a.follows is None else attempt_id(a.follows),
                is_begun=a.submitting_at is not None,
                is_proved=a.proved_at is not None,
            )
            for a in attempts
        },
        ledger=await site.control.ledger(),
        exchanges=exchanges,
        outages=list(site.outages.all),
    )


_COPIED = ("status", "reference", "created_at", "expires_at", "finished_at", "checks", "max_checks")
