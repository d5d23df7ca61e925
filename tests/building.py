"""Builders: callers, verifications in a given state, use cases with a fake where Temporal is, time that passes."""

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import Column, RowMapping, Table, Update, bindparam, select, update

from activities.delivery import DeliveryActivities
from api.main import parts_of
from api.parts import Parts
from api.ways import Ways
from carriers.protocol import Answer, Carrier, Message
from domain import verification_events
from domain.access import EVERY_SCOPE, Scope
from domain.errors import TemporalUnavailableError
from domain.facts import Caller, VerificationFacts
from domain.ids import attempt_id, new_id
from domain.messages import SendOrder, StartVerification, VerificationEnded
from domain.routing import NumberFacts
from domain.statuses import Channel, Environment, FailureClass, Purpose, SubmissionStatus
from runtime.settings import Settings, reference
from runtime.setup import catalog, number_sealer, sender_types
from security.api_keys import make_key
from security.codes import code_for
from security.key_encryption import LocalKey
from security.keyring import KeyUse
from services.number_workflows import NumberKeepers
from services.pool_judging import PoolJudges
from services.webhook_dispatchers import Dispatchers
from services.workflow_gateway import WorkflowGateway
from store import access_version
from store.accounts import insert_account
from store.answers import record_answer
from store.api_keys import NewApiKey, insert_key
from store.attempts import AttemptPlan, plan_attempt, read_attempt
from store.block_tables import BlockRow
from store.engine import Database
from store.guards import NumberKey, take_send
from store.route_book import RouteBook
from store.router import Router
from store.starts import insert_verification
from store.submissions import begin_submission
from store.tables import IdempotentRequest, NumberGuard, Verification, table_of
from store.times import MARK_WIDTH, UtcDateTime
from store.verifications import NewVerification, read_verification, take_counter
from tests.keys import MASTER_KEY, MemoryKeys, memory_ring

KEK = LocalKey(MASTER_KEY)
MEMORY = MemoryKeys(KEK)
KEYS = memory_ring(MEMORY, KEK)
NUMBERS = number_sealer(KEYS)
CARRIERS = ("alpha", "bravo", "charlie", "delta")
PHONE = "+447400123456"
# Everything that an account's own key can be given.
OWN_SCOPES = EVERY_SCOPE - {Scope.ACCOUNTS}
_phones = itertools.count(1)


def a_phone() -> str:
    """Return a GB mobile number that no other test of this process uses."""
    return f"+44791{1_000_000 + next(_phones)}"


def settings(home: Path = Path("var"), **changes: Any) -> Settings:
    """Return settings of an instance without a sandbox; nothing is read from a state directory."""
    return Settings.model_validate({"home": home, "master_key": MASTER_KEY, **changes})


async def a_caller(database: Database, *, environment: Environment = Environment.SANDBOX) -> Caller:
    """Return a caller with an account of its own, so that tests may share a database."""
    caller = Caller(
        account_id=new_id(), account_name="ACME", environment=environment, key_id="testtest", requests_per_s=0
    )
    async with database.transaction() as connection:
        await insert_account(connection, caller.account_id, name=caller.account_name)
    return caller


async def a_key(
    database: Database,
    *,
    environment: Environment = Environment.SANDBOX,
    requests_per_s: int | None = 0,
    scopes: frozenset[Scope] = OWN_SCOPES,
    of: Caller | None = None,
    **changes: Any,
) -> tuple[str, Caller]:
    """Return a fresh API key, of a fresh account unless one is given, and the caller behind it."""
    caller, key = of or await a_caller(database), make_key(KEYS.api_keys, environment=environment)
    new = NewApiKey(
        key_id=key.key_id,
        account_id=caller.account_id,
        environment=environment,
        digest=key.digest,
        scopes=scopes,
        requests_per_s=requests_per_s,
        **changes,
    )
    async with database.transaction() as connection:
        await insert_key(connection, new)
        await access_version.bump(connection)
    return key.text, replace(
        caller, environment=environment, key_id=key.key_id, actor=f"key:{key.key_id}", scopes=scopes
    )


def number_key(caller: Caller, *, to: str = PHONE) -> NumberKey:
    """Return the name of a number's limits."""
    return NumberKey(account_id=caller.account_id, environment=caller.environment, number_hash=KEYS.lookup_hash(to))


async def a_new_row(
    caller: Caller, *, to: str = PHONE, ttl_s: int = 300, person: str | None = None, **changes: Any
) -> NewVerification:
    """Return what a new verification's row is made of."""
    row = new_id()
    values = {
        "country": "GB",
        "channel": Channel.SMS,
        "purpose": Purpose.CONFIRM_CONTACT,
        "locale": "en",
        "brand": "ACME",
        "reference": None,
        "client_ip_hash": None,
        "code_length": 6,
        "max_checks": 5,
        "failures_before": 0,
        "next_check_at": None,
        "code_key_version": 1,
    }
    return NewVerification(
        id=row,
        account_id=caller.account_id,
        environment=caller.environment,
        number_sealed=await NUMBERS.seal(to, account_id=caller.account_id, row=row, person=person),
        number_hash=KEYS.lookup_hash(to),
        created_at=(began := datetime.now(UTC)),
        expires_at=began + timedelta(seconds=ttl_s),
        **{**values, **changes},
    )


def a_plan(verification_id: UUID, *, sequence: int = 0, **changes: Any) -> AttemptPlan:
    """Return the row of an attempt on carrier alpha."""
    values = {
        "send": sequence + 1,
        "follows": None,
        "carrier": "alpha",
        "region": "eu",
        "pool_country": "GB",
        "sender": "Countersign",
        "sender_type": "alphanumeric",
        "receipt_wait_s": 8,
        "reason": "first route of pool GB",
    }
    return AttemptPlan(
        id=new_id(),
        verification_id=verification_id,
        sequence=sequence,
        channel=Channel.SMS,
        **{**values, **changes},
    )


async def a_verification(database: Database, caller: Caller, *, codes: int = 1, **changes: Any) -> VerificationFacts:
    """Return a pending verification, to which so many codes have been sent and accepted by the carrier."""
    async with database.transaction() as connection:
        guard = await take_send(connection, number_key(caller, to=changes.get("to", PHONE)))
        person = None if guard is None else guard.person_salt
        new = await a_new_row(caller, person=person, **changes)
        await insert_verification(connection, new)
    facts = new.facts(person_salt=person)
    for sequence in range(codes):
        await an_attempt(database, facts.id, sequence=sequence)
    return facts


async def an_attempt(database: Database, verification_id: UUID, *, sequence: int = 0, **changes: Any) -> UUID:
    """Return an attempt that its carrier has accepted."""
    attempt = await a_planned_attempt(database, verification_id, sequence=sequence, **changes)
    await accepted(database, attempt)
    return attempt


async def a_planned_attempt(database: Database, verification_id: UUID, *, sequence: int = 0, **changes: Any) -> UUID:
    """Return an attempt that nobody has begun to send."""
    plan = a_plan(verification_id, sequence=sequence, **changes)
    async with database.transaction() as connection:
        if sequence:
            await take_counter(connection, verification_id)
        await plan_attempt(connection, plan)
    return plan.id


async def accepted(database: Database, attempt: UUID) -> None:
    """Have a carrier accept an attempt's message."""
    async with database.transaction() as connection:
        await begin_submission(connection, attempt)
    await answered(database, attempt)


async def answered(
    database: Database,
    attempt: UUID,
    *,
    status: SubmissionStatus = SubmissionStatus.ACCEPTED,
    failure_class: FailureClass | None = None,
) -> bool:
    """Have a carrier answer for an attempt; say whether it was waited for."""
    async with database.reading() as connection:
        found = await read_attempt(connection, attempt)
        assert found is not None
        facts = await read_verification(connection, found[0])
        assert facts is not None
    words = verification_events.attempt_words(facts, found[1])
    event = verification_events.answered(words, status=status, latency_ms=20, failure_class=failure_class)
    return await record_answer(database, attempt, event, status=status, failure_class=failure_class)


def code_of(verification_id: UUID, *, counter: int = 0, length: int = 6) -> str:
    """Return the code that an attempt carried."""
    return code_for(KEK.inherited(KeyUse.CODES), verification_id=verification_id, counter=counter, length=length)


def wrong_codes(verification_id: UUID, *, length: int = 6) -> list[str]:
    """Return guesses that are no code of the verification's first attempts."""
    right = {code_of(verification_id, counter=counter, length=length) for counter in range(20)}
    return [guess for guess in (f"{number:0{length}d}" for number in range(200)) if guess not in right]


@dataclass(slots=True, kw_only=True)
class Outbox:
    """A carrier that accepts everything and shows what it was handed."""

    name: str
    messages: list[Message] = field(default_factory=list)

    async def submit(self, message: Message) -> Answer:
        """Accept a message."""
        self.messages.append(message)
        return Answer(status=SubmissionStatus.ACCEPTED, carrier_message_id=attempt_id(message.attempt_id))


@dataclass(slots=True, kw_only=True)
class FakeWorkflows:
    """Stands where Temporal is: remembers what it was told, has first messages sent, or is away."""

    delivery: DeliveryActivities | None = None
    is_away: bool = False
    started: list[StartVerification] = field(default_factory=list)
    resent: list[StartVerification] = field(default_factory=list)
    bad_receipts: list[UUID] = field(default_factory=list)
    ended: list[tuple[UUID, VerificationEnded]] = field(default_factory=list)

    async def ping(self) -> None:
        """Answer, or raise."""
        self._be_there()

    async def start(self, start: StartVerification, *, account_id: UUID) -> None:
        """Start, and send the first message."""
        assert account_id
        self._be_there()
        self.started.append(start)
        await self._send(start)

    async def send_another(self, start: StartVerification, *, account_id: UUID) -> None:
        """Send one more message."""
        assert account_id
        self._be_there()
        self.resent.append(start)
        await self._send(start)

    async def receipt_was_bad(self, verification_id: UUID, *, attempt_id: UUID) -> None:
        """Note a bad receipt."""
        assert verification_id
        self._be_there()
        self.bad_receipts.append(attempt_id)

    def tell_ended(self, verification_id: UUID, ended: VerificationEnded) -> None:
        """Note an end."""
        self.ended.append((verification_id, ended))

    async def drain(self) -> None:
        """Have nothing left to tell."""

    async def _send(self, start: StartVerification) -> None:
        if self.delivery is not None:
            await self.delivery.send(
                SendOrder(verification_id=start.verification_id, attempt_id=start.first.attempt_id)
            )

    def _be_there(self) -> None:
        if self.is_away:
            raise TemporalUnavailableError("The workflow service does not answer.", retry_after_s=2)


@dataclass(slots=True, kw_only=True)
class FakeDispatchers:
    """Stands where dispatchers are: remembers whom it woke."""

    woken: list[UUID] = field(default_factory=list)

    async def wake(self, webhook_id: UUID) -> None:
        """Note an endpoint."""
        self.woken.append(webhook_id)


@dataclass(slots=True, kw_only=True)
class FakeKeepers:
    """Stands where numbers' workflows are: remembers which it woke."""

    woken: list[UUID] = field(default_factory=list)

    async def wake(self, number: NumberFacts) -> None:
        """Note a number."""
        self.woken.append(number.id)


@dataclass(slots=True)
class FakeJudges:
    """Stands where the judgement of pools is: counts how often it was asked for."""

    asked: int = 0

    def ask(self) -> None:
        """Note that it was asked for."""
        self.asked += 1


_carrier: type[Carrier] = Outbox
_dispatchers: type[Dispatchers] = FakeDispatchers
_keepers: type[NumberKeepers] = FakeKeepers
_gateway: type[WorkflowGateway] = FakeWorkflows
_judges: type[PoolJudges] = FakeJudges


def delivery_to(outbox: Outbox, *, database: Database) -> DeliveryActivities:
    """Return the real sending activity, with one carrier under every name."""
    return DeliveryActivities(
        database=database,
        carriers=dict.fromkeys(CARRIERS, outbox),
        keys=KEYS,
        numbers=NUMBERS,
        templates=reference("templates.json"),
    )


def use_cases(database: Database, *, workflows: FakeWorkflows | None = None, **changes: Any) -> Parts:
    """Return the real use cases over a database; what is started is sent at once unless `workflows` says otherwise."""
    told = workflows or FakeWorkflows(delivery=delivery_to(Outbox(name="outbox"), database=database))
    http = httpx2.AsyncClient(trust_env=False, verify=False)
    return parts_of(
        settings(**changes),
        keys=KEYS,
        database=database,
        ways=Ways(
            workflows=told,
            dispatchers=FakeDispatchers(),
            keepers=FakeKeepers(),
            judges=FakeJudges(),
        ),
        http=http,
    )


def a_router(**changes: Any) -> Router:
    """Return what chooses routes, over the routes and pools that the product is shipped with."""
    return Router(RouteBook(catalog=catalog(settings(**changes)), takes=sender_types()))


async def pass_time(database: Database, caller: Caller, *, seconds: float) -> None:
    """Let seconds go by for everything an account has, by moving its rows into the past."""
    async with database.transaction() as connection:
        for model in (Verification, NumberGuard, IdempotentRequest, BlockRow):
            table = table_of(model)
            found = await connection.execute(select(table).where(table.c.account_id == caller.account_id))
            if rows := [_earlier(row, table, seconds) for row in found.mappings()]:
                await connection.execute(_move(table), rows)


def _move(table: Table) -> Update:
    """Return the statement that gives one row other moments."""
    same_row = [column == bindparam(f"of_{column.name}") for column in table.primary_key.columns]
    return update(table).where(*same_row).values({each.name: bindparam(f"to_{each.name}") for each in _moments(table)})


def _earlier(row: RowMapping, table: Table, seconds: float) -> dict[str, Any]:
    """Return the parameters of `_move` for one row."""
    same_row = {f"of_{column.name}": row[column.name] for column in table.primary_key.columns}
    return same_row | {f"to_{each.name}": _moved(row[each.name], seconds) for each in _moments(table)}


def _moments(table: Table) -> list[Column[Any]]:
    return [each for each in table.columns if isinstance(each.type, UtcDateTime) or each.name == "recent_sends"]


def _moved(value: datetime | str | None, seconds: float) -> datetime | str | None:
    if isinstance(value, str):
        marks = (int(value[at : at + MARK_WIDTH]) for at in range(0, len(value), MARK_WIDTH))
        return "".join(f"{mark - round(seconds * 1000):0{MARK_WIDTH}d}" for mark in marks)
    return None if value is None else value - timedelta(seconds=seconds)
