"""Events tell what a message costs, and their end what a verification did: as its attempts' rows had it, once each."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from activities.planning import PlanningActivities
from domain.events import Event
from domain.facts import Caller, VerificationFacts
from domain.messages import FailOverCause, FailOverRequest
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus, VerificationStatus
from services.sends import StartRequest
from services.verifications import Done
from store.attempts import attempts_of
from store.costs import cost_of_attempts
from store.engine import Database
from store.submissions import begin_submission
from store.verifications import conclude
from tests.activities.test_routes_from_pools import a_sender, begun, pending_to, sent
from tests.building import (
    a_caller,
    a_phone,
    a_planned_attempt,
    a_router,
    a_verification,
    an_attempt,
    answered,
    code_of,
    use_cases,
    wrong_codes,
)
from tests.store.numbering import a_country
from tests.store.test_store_events import events_of, receipt

_EUROS: dict[str, Any] = {"price_micros": 40_000, "currency": "EUR"}


def price_of(event: Event) -> tuple[object, object]:
    return event.data["price_micros"], event.data["currency"]


async def the_end(database: Database, caller: Caller, facts: VerificationFacts) -> tuple[object, object]:
    """Return what the account is told that a verification has cost, which ends now; an approval would tell the same."""
    async with database.transaction() as connection:
        counted = cost_of_attempts(await attempts_of(connection, facts.id))
        await conclude(connection, facts.id, status=VerificationStatus.FAILED, reason="x", failures_cap=30)
    data = (await events_of(database, caller))[-1].data
    assert (data["cost_micros"], data["currency"]) == (counted.micros, counted.currency)
    return data["cost_micros"], data["currency"]


async def refused(database: Database, facts: VerificationFacts, *, sequence: int, **changes: Any) -> UUID:
    attempt = await a_planned_attempt(database, facts.id, sequence=sequence, **changes)
    async with database.transaction() as connection:
        await begin_submission(connection, attempt)
    failed = FailureClass.ROUTE_TEMPORARY
    await answered(database, attempt, status=SubmissionStatus.REJECTED, failure_class=failed)
    return attempt


async def test_a_message_is_told_with_the_price_of_its_number(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    number = await a_sender(database, country, price_micros=43_000, currency="USD")
    facts = await pending_to(database, country, caller)
    attempt, _ = await sent(database, facts, await begun(database, facts))

    await receipt(database, facts.id, attempt.id, ReceiptStatus.DELIVERED)
    cost = await the_end(database, caller, facts)

    submitted, delivered, _ = await events_of(database, caller)
    assert (submitted.type, delivered.type) == ("attempt.submitted", "attempt.delivered")
    assert price_of(submitted) == price_of(delivered) == (number.price_micros, "USD") == cost


async def test_a_refusal_and_the_route_that_takes_over_have_each_their_own_price(database: Database) -> None:
    caller, country = await a_caller(database), a_country()
    await a_sender(database, country, carrier="bravo", price_micros=52_000, currency="GBP")
    facts = await pending_to(database, country, caller)
    first = await refused(database, facts, sequence=0, **_EUROS)

    request = FailOverRequest(verification_id=facts.id, attempt_id=first, cause=FailOverCause.SUBMISSION)
    await PlanningActivities(database=database, router=a_router()).plan_next(request)

    failed, over = await events_of(database, caller)
    assert (price_of(failed), price_of(over)) == ((40_000, "EUR"), (52_000, "GBP"))
    assert over.data["from_carrier"] == "alpha"


async def test_a_route_of_the_file_has_no_price_and_neither_has_what_used_it(database: Database) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    done = await parts.verifications.start(caller, StartRequest(to=a_phone()))
    assert isinstance(done, Done)

    await parts.checks.check(caller, done.view.facts.id, code_of(done.view.facts.id))

    _, submitted, approved = await events_of(database, caller)
    assert price_of(submitted) == (None, None)
    assert (approved.data["cost_micros"], approved.data["currency"]) == (None, None)


async def test_an_end_counts_what_carriers_took_or_may_have_taken(database: Database) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    await an_attempt(database, facts.id, price_micros=40_000, currency="EUR")
    await refused(database, facts, sequence=1, price_micros=1_000_000, currency="EUR")
    silent = await a_planned_attempt(database, facts.id, sequence=2, price_micros=30_000, currency="EUR")
    async with database.transaction() as connection:
        await begin_submission(connection, silent)
    await a_planned_attempt(database, facts.id, sequence=3, price_micros=1_000_000, currency="EUR")

    assert await the_end(database, caller, facts) == (70_000, "EUR")


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ([], (0, None)),
        ([(10_000, "EUR"), (10_000, "USD")], (None, None)),
        ([(10_000, "EUR"), (0, None)], (None, None)),
        ([(2**40, "EUR"), (2**40, "EUR")], (2**41, "EUR")),
    ],
    ids=["nothing was sent", "two currencies", "a price is not known", "large sums"],
)
async def test_a_sum_is_told_only_where_there_is_one(
    database: Database, prices: list[tuple[int, str | None]], told: tuple[int | None, str | None]
) -> None:
    caller = await a_caller(database)
    facts = await a_verification(database, caller, codes=0)
    for at, (micros, currency) in enumerate(prices):
        await an_attempt(database, facts.id, sequence=at, price_micros=micros, currency=currency)

    assert await the_end(database, caller, facts) == told


@pytest.mark.parametrize("guess", [code_of, lambda verification: wrong_codes(verification)[0]], ids=["right", "wrong"])
async def test_an_end_by_a_guess_tells_the_cost(database: Database, guess: Callable[[UUID], str]) -> None:
    caller, parts = await a_caller(database), use_cases(database)
    facts = await a_verification(database, caller, codes=0, max_checks=1)
    await an_attempt(database, facts.id, **_EUROS)
    other = await a_verification(database, caller, codes=0, to=a_phone())
    await an_attempt(database, other.id, price_micros=1_000_000, currency="EUR")

    await parts.checks.check(caller, facts.id, guess(facts.id))

    last = (await events_of(database, caller))[-1]
    assert last.verification_id == facts.id
    assert (last.data["cost_micros"], last.data["currency"]) == (40_000, "EUR")
