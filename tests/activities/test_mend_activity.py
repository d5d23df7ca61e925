"""Upkeep: what a crash left is begun or concluded, once however often it looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from temporalio.testing import ActivityEnvironment

from activities.audit_keeping import AuditKeeping
from activities.upkeep import Keeper, Starter, UpkeepActivities, Waker
from domain.errors import TemporalUnavailableError
from domain.facts import Caller
from domain.messages import SendOrder, StartVerification, UpkeepReport
from domain.statuses import VerificationStatus
from rules.routing.verdicts import Decided
from security.audit_signing import AuditSigner
from store.engine import Database
from store.number_upkeep import OVERDUE_AFTER_S
from store.route_decisions import decisions, keep_decision
from store.route_tables import RouteDecision
from store.tables import Attempt, table_of
from store.times import now_plus
from store.upkeep import FORGOTTEN_AFTER_S
from tests.activities.scripted import FAILURES_CAP, ScriptedCarrier, delivery, verification_in
from tests.building import KEYS, FakeKeepers, a_caller, a_phone, a_planned_attempt, a_verification, pass_time
from tests.store.numbering import SANDBOX, a_country, a_number, due_since


@dataclass(slots=True)
class FakeStarter:
    """Remembers what was to be started, and by whose account; or Temporal is away."""

    is_away: bool = False
    started: list[StartVerification] = field(default_factory=list)
    accounts: list[UUID] = field(default_factory=list)

    async def send_another(self, start: StartVerification, *, account_id: UUID) -> None:
        if self.is_away:
            raise TemporalUnavailableError("The workflow service does not answer.", retry_after_s=2)
        self.started.append(start)
        self.accounts.append(account_id)

    def of(self, caller: Caller) -> list[StartVerification]:
        """Return what was started for one account: others share the database."""
        pairs = zip(self.started, self.accounts, strict=True)
        return [start for start, account in pairs if account == caller.account_id]


class FakeWaker:
    """Wakes everybody it is told to."""

    async def wake_all(self, webhooks: Sequence[UUID]) -> int:
        return len(webhooks)


_: type[Starter] = FakeStarter
_waker: type[Waker] = FakeWaker
_keeper: type[Keeper] = FakeKeepers


async def mend(database: Database, starter: FakeStarter, *, keeper: FakeKeepers | None = None) -> UpkeepReport:
    keeping = AuditKeeping(database=database, signer=AuditSigner(KEYS.audit_seed))
    upkeep = UpkeepActivities(
        database=database,
        starter=starter,
        waker=FakeWaker(),
        keeper=keeper or FakeKeepers(),
        audit=keeping,
        failures_cap=FAILURES_CAP,
        decisions_kept_days=90,
    )
    return await ActivityEnvironment().run(upkeep.mend)


async def planned_ago(database: Database, caller: Caller, *, seconds: float) -> SendOrder:
    """Return what should have been sent for a verification whose process died right after the row was written."""
    facts = await a_verification(database, caller, codes=0, to=a_phone())
    attempt = await a_planned_attempt(database, facts.id)
    table = table_of(Attempt)
    async with database.transaction() as connection:
        row = (await connection.execute(select(table).where(table.c.id == attempt))).one()
        earlier = row.planned_at - timedelta(seconds=seconds)
        await connection.execute(update(table).where(table.c.id == attempt).values(planned_at=earlier))
    return SendOrder(verification_id=facts.id, attempt_id=attempt)


async def test_a_verification_whose_process_died_before_the_start_is_started(database: Database) -> None:
    caller, starter = await a_caller(database), FakeStarter()
    order = await planned_ago(database, caller, seconds=FORGOTTEN_AFTER_S + 1)

    report = await mend(database, starter)

    [start] = starter.of(caller)
    assert report.restarted >= 1
    assert (start.verification_id, start.first.attempt_id) == (order.verification_id, order.attempt_id)
    assert (start.country, start.first.carrier, start.first.region) == ("GB", "alpha", "eu")
    assert 280 < start.lifetime_s <= 300


async def test_an_attempt_that_may_still_be_on_its_way_is_left_alone(database: Database) -> None:
    caller, starter = await a_caller(database), FakeStarter()
    await planned_ago(database, caller, seconds=FORGOTTEN_AFTER_S - 3)

    await mend(database, starter)

    assert not starter.of(caller)


async def test_an_attempt_that_was_begun_is_left_alone(database: Database) -> None:
    caller, starter = await a_caller(database), FakeStarter()
    order = await planned_ago(database, caller, seconds=FORGOTTEN_AFTER_S + 1)
    await delivery(database, ScriptedCarrier()).send(order)

    await mend(database, starter)

    assert not starter.of(caller)


async def test_what_is_found_again_asks_for_the_same_attempt_again(database: Database) -> None:
    """The workflow sends an attempt it knows once, so a second run harms nobody."""
    caller, starter = await a_caller(database), FakeStarter()
    order = await planned_ago(database, caller, seconds=FORGOTTEN_AFTER_S + 1)

    await mend(database, starter)
    await mend(database, starter)

    assert [start.first.attempt_id for start in starter.of(caller)] == [order.attempt_id, order.attempt_id]


async def test_an_overdue_verification_that_nobody_concluded_is_concluded_once(database: Database) -> None:
    caller, starter = await a_caller(database), FakeStarter()
    facts = await a_verification(database, caller, to=a_phone())
    await pass_time(database, caller, seconds=310)

    first = await mend(database, starter)
    concluded = await verification_in(database, facts.id)
    second = await mend(database, starter)

    assert first.expired >= 1
    assert (concluded.status, concluded.reason) == (VerificationStatus.EXPIRED, "deadline_passed")
    assert second.expired == 0
    assert (await verification_in(database, facts.id)).finished_at == concluded.finished_at


async def test_a_verification_that_ends_this_moment_is_left_to_its_workflow(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, to=a_phone())
    await pass_time(database, caller, seconds=302)

    await mend(database, FakeStarter())

    assert (await verification_in(database, facts.id)).status is VerificationStatus.PENDING


async def test_without_temporal_the_rest_of_upkeep_goes_on(database: Database) -> None:
    caller, away = await a_caller(database), FakeStarter(is_away=True)
    await planned_ago(database, caller, seconds=FORGOTTEN_AFTER_S + 1)
    overdue = await a_verification(database, caller, to=a_phone(), ttl_s=30)
    await pass_time(database, caller, seconds=40)

    report = await mend(database, away)

    assert report.restarted == 0
    assert (await verification_in(database, overdue.id)).status is VerificationStatus.EXPIRED


async def test_a_number_that_nobody_tends_is_given_its_workflow(database: Database) -> None:
    keeper, country = FakeKeepers(), a_country()
    forgotten, tended = await a_number(database, country), await a_number(database, country)
    await due_since(database, forgotten.id, seconds=OVERDUE_AFTER_S + 1)
    await due_since(database, tended.id, seconds=OVERDUE_AFTER_S - 5)

    await mend(database, FakeStarter(), keeper=keeper)

    assert forgotten.id in keeper.woken
    assert tended.id not in keeper.woken


async def decision_ago(database: Database, country: str, *, days: int) -> None:
    table = table_of(RouteDecision)
    async with database.transaction() as connection:
        await keep_decision(
            connection, country, environment=SANDBOX, decided=Decided.ROUTE_DEMOTED, subject="a test", evidence={}
        )
        mine = (table.c.country == country) & (table.c.decided_at > now_plus(-86_400))
        await connection.execute(update(table).where(mine).values(decided_at=now_plus(-days * 86_400)))


async def test_decisions_about_routes_are_forgotten_when_they_are_old(database: Database) -> None:
    country = a_country()
    for days in (91, 89):
        await decision_ago(database, country, days=days)

    await mend(database, FakeStarter())

    async with database.reading() as connection:
        (left,) = await decisions(connection, environment=SANDBOX, country=country, at_most=10)
    assert (datetime.now(UTC) - left.decided_at).days == 89
