"""Attempts on the numbers of a pool: who is chosen, why, and that nothing leaves with a number that was taken away."""

import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, update

from domain.errors import NoRouteError
from domain.facts import AttemptFacts, Caller, VerificationFacts
from domain.messages import FailOverCause, SendOrder
from domain.routing import Mode, NumberFacts, NumberState, RoutePolicyFacts
from domain.statuses import AttemptStatus, Environment, SubmissionStatus
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.eligibility import Rule
from rules.routing.explanation import of_text, replay, replay_from_draws
from rules.routing.learning import Health
from store.attempts import explanations_of, plan_attempt, read_attempt
from store.authorisations import Pair, authorise, revoke
from store.engine import Database
from store.number_tables import RoutingLease, SenderNumber
from store.number_trials import begin_trial
from store.numbers import move_number
from store.plans import Routed, plan_of
from store.route_health import Group, begin_health, read_health, write_health
from store.route_policies import put_policy
from store.router import Router
from store.routing_leases import hold_region, rotate_routing_lease
from store.tables import table_of
from store.verifications import read_verification
from tests.activities.scripted import ACCEPTED, REFUSED, ScriptedCarrier, delivery
from tests.building import a_caller, a_phone, a_router, a_verification
from tests.store.numbering import SANDBOX, a_country, a_number, let_routing_lease_end

PRODUCTION = Environment.PRODUCTION


async def a_sender(database: Database, country: str, *, to: str | None = None, **changes: Any) -> NumberFacts:
    """Return a number of a pool, lent to its region's workers, that may be used towards its own or another country."""
    number = await a_number(database, country, **changes)
    async with database.transaction() as connection:
        await authorise(connection, pair_of(number, to or country), ground="a test")
        await hold_region(connection, number.region, lasts_s=30)
    return number


def pair_of(number: NumberFacts, country: str) -> Pair:
    return Pair(environment=number.environment, country=country, sender=number.sender, carrier=number.carrier)


async def pending_to(database: Database, country: str, caller: Caller | None = None) -> VerificationFacts:
    whose = caller or await a_caller(database)
    return await a_verification(database, whose, codes=0, to=a_phone(), country=country)


async def begun(
    database: Database, facts: VerificationFacts, *, router: Router | None = None, last_sender: str | None = None
) -> Routed:
    """Choose and plan the first attempt of a verification."""
    async with database.transaction() as connection:
        routed = await (router or a_router()).begin(connection, facts, [], last_sender=last_sender)
        plan = plan_of(routed, verification_id=facts.id, sequence=0, send=1, after=None)
        await plan_attempt(connection, plan)
    return routed


async def sent(database: Database, facts: VerificationFacts, routed: Routed) -> tuple[AttemptFacts, int]:
    """Have the attempt sent; return it and how many messages its carrier was handed."""
    carrier = ScriptedCarrier(script=[ACCEPTED])
    order = SendOrder(verification_id=facts.id, attempt_id=routed.attempt_id)
    await delivery(database, carrier).send(order)
    async with database.reading() as connection:
        found = await read_attempt(connection, routed.attempt_id)
    assert found is not None
    return found[1], len(carrier.messages)


async def test_a_message_leaves_with_an_authorised_number_under_its_lease(database: Database) -> None:
    country = a_country()
    number = await a_sender(database, country)
    facts = await pending_to(database, country)

    routed = await begun(database, facts)
    attempt, messages = await sent(database, facts, routed)

    assert (routed.candidate.number_id, routed.candidate.route.sender) == (number.id, number.sender)
    assert (attempt.status, attempt.price_micros, messages) == (AttemptStatus.ACCEPTED, number.price_micros, 1)


@pytest.mark.parametrize(
    "how", ["quarantined", "lent to another", "held by another region", "moved", "permission taken back"]
)
async def test_nothing_leaves_with_a_number_that_was_taken_away_after_the_choice(database: Database, how: str) -> None:
    country = a_country()
    number = await a_sender(database, country)
    facts = await pending_to(database, country)
    routed = await begun(database, facts)

    await taken_away(database, number, how)
    attempt, messages = await sent(database, facts, routed)

    assert (attempt.status, attempt.carrier_code, messages) == (AttemptStatus.REJECTED, "lease-lost", 0)
    assert attempt.submitting_at is None


async def taken_away(database: Database, number: NumberFacts, how: str) -> None:
    lease, sender = table_of(RoutingLease), table_of(SenderNumber)
    async with database.transaction() as connection:
        if how != "lent to another":
            # Where the fence stands as it did, it is not asked whether the number may be used still.
            assert await rotate_routing_lease(connection, number.id) is not None
        if how == "quarantined":
            then, seen = NumberState.QUARANTINED, NumberState.AVAILABLE
            assert await move_number(connection, number.id, seen=seen, then=then, reason="a test", lasts_s=60)
        elif how == "held by another region":
            await connection.execute(
                update(lease).where(lease.c.number_id == number.id).values(holder="region:elsewhere")
            )
        elif how == "moved":
            await connection.execute(update(sender).where(sender.c.id == number.id).values(region="elsewhere"))
        elif how == "permission taken back":
            assert await revoke(connection, pair_of(number, number.country), ground="a test")
    if how == "lent to another":
        await lend(database, number, await a_caller(database))


@pytest.mark.parametrize("how", ["rotated", "run out", "rotated and run out"])
async def test_what_waited_goes_on_under_the_present_fence_of_a_number_that_it_may_use(
    database: Database, how: str
) -> None:
    country = a_country()
    number = await a_sender(database, country)
    facts = await pending_to(database, country)
    routed = await begun(database, facts)

    if "rotated" in how:
        async with database.transaction() as connection:
            assert await rotate_routing_lease(connection, number.id) is not None
    if "run out" in how:
        await let_routing_lease_end(database, number.id)
    attempt, messages = await sent(database, facts, routed)

    assert (attempt.status, attempt.number_id, messages) == (AttemptStatus.ACCEPTED, number.id, 1)


async def lend(database: Database, number: NumberFacts, caller: Caller) -> None:
    table = table_of(SenderNumber)
    statement = update(table).where(table.c.id == number.id).values(state="leased", account_id=caller.account_id)
    async with database.transaction() as connection:
        await connection.execute(statement)


async def test_a_number_lent_alone_is_used_by_its_account_first_and_by_no_other(database: Database) -> None:
    country = a_country()
    shared, own = await a_sender(database, country, price_micros=1), await a_sender(database, country)
    caller = await a_caller(database)
    await lend(database, own, caller)

    of_holder = await begun(database, await pending_to(database, country, caller))
    of_other = await begun(database, await pending_to(database, country))

    assert of_holder.candidate.number_id == own.id
    assert of_other.candidate.number_id == shared.id


async def test_the_explanation_tells_every_rule_and_makes_the_same_choice_again(database: Database) -> None:
    country = a_country()
    good = await a_sender(database, country, environment=PRODUCTION)
    other = await a_sender(database, country, environment=PRODUCTION, carrier="bravo")
    unknown = await a_sender(database, country, environment=PRODUCTION, carrier="gone")
    revoked = await a_sender(database, country, environment=PRODUCTION)
    async with database.transaction() as connection:
        assert await revoke(connection, pair_of(revoked, country), ground="it was sold")
    facts = await pending_to(database, country, await a_caller(database, environment=PRODUCTION))

    routed = await begun(database, facts)
    async with database.reading() as connection:
        text = (await explanations_of(connection, facts.id))[routed.attempt_id]
    explanation = of_text(text)

    assert explanation.mode is Mode.ADAPTIVE
    assert {each.entrant.id.split("/")[2] for each in explanation.ranked} == {good.sender, other.sender}
    assert {each.id.split("/")[2]: each.rules for each in explanation.removed} == {
        unknown.sender: (Rule.CARRIER_NOT_CONFIGURED,),
        revoked.sender: (Rule.SENDER_NOT_AUTHORISED,),
    }
    assert replay(explanation, chance=random.Random(explanation.seed)) == explanation.taken == routed.candidate.id
    assert replay_from_draws(explanation) == routed.candidate.id


async def test_what_did_not_leave_with_a_number_is_planned_on_another_one_of_the_same_route(database: Database) -> None:
    country = a_country()
    number, other = await a_sender(database, country), await a_sender(database, country)
    facts, router = await pending_to(database, country), a_router()
    routed = await begun(database, facts, router=router, last_sender=number.sender)
    await taken_away(database, number, "quarantined")
    attempt, _ = await sent(database, facts, routed)

    async with database.transaction() as connection:
        step = await router.follow(connection, facts, [attempt], cause=FailOverCause.SUBMISSION)

    assert isinstance(step, Routed)
    assert (attempt.carrier_code, step.candidate.number_id) == ("lease-lost", other.id)
    assert step.choice.route.carrier == number.carrier


async def test_where_nothing_may_be_used_the_refusal_names_the_rules(database: Database) -> None:
    country = a_country()
    await a_number(database, country)

    with pytest.raises(NoRouteError, match="sender_not_authorised"):
        await begun(database, await pending_to(database, country))


async def test_where_the_policy_allows_no_message_none_is_planned(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_sender(database, country)
    await set_policy(database, caller, RoutePolicyFacts(country=country, is_allowed=False, primary_pool=None))

    with pytest.raises(NoRouteError, match="does not allow"):
        await begun(database, await pending_to(database, country, caller))


async def set_policy(database: Database, caller: Caller, policy: RoutePolicyFacts) -> None:
    async with database.transaction() as connection:
        await put_policy(connection, policy, account_id=caller.account_id, environment=caller.environment)


async def test_the_account_s_own_order_of_pools_and_wait_are_kept(database: Database) -> None:
    country, backup, caller = a_country(), a_country(), await a_caller(database)
    await a_sender(database, country, price_micros=1)
    first = await a_sender(database, backup, to=country, price_micros=9)
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=backup, backups=(country,))
    await set_policy(database, caller, replace(policy, mode=Mode.ORDERED, receipt_wait_s=21))

    routed = await begun(database, await pending_to(database, country, caller))

    assert (routed.candidate.number_id, routed.receipt_wait_s) == (first.id, 21)


async def test_a_mode_that_ranks_all_pools_may_begin_in_a_backup_and_says_so(database: Database) -> None:
    country, backup, caller = a_country(), a_country(), await a_caller(database)
    await a_sender(database, country, price_micros=1_000_000)
    cheap = await a_sender(database, backup, to=country, price_micros=1)
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=country, backups=(backup,))
    await set_policy(database, caller, replace(policy, mode=Mode.CHEAPEST))

    routed = await begun(database, await pending_to(database, country, caller))

    assert routed.candidate.number_id == cheap.id
    told = f"cheapest choice in pool {backup}; cheapest ranks the backup pools beside {country}"
    assert routed.choice.reason == told


async def test_a_route_over_the_cost_cap_of_a_verification_is_removed(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    cheap = await a_sender(database, country, price_micros=5)
    await a_sender(database, country, price_micros=50, sender_type="10dlc")
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=country, cost_cap_micros=8)
    await set_policy(database, caller, policy)

    routed = await begun(database, await pending_to(database, country, caller))

    assert routed.candidate.number_id == cheap.id
    assert [each.rules for each in of_text(routed.explanation).removed] == [(Rule.PRICE_OVER_CEILING,)]


async def test_a_recipient_sees_the_sender_that_wrote_last(database: Database) -> None:
    country = a_country()
    senders = [(await a_sender(database, country)).sender for _ in range(5)]
    router = a_router()

    for sender in senders:
        routed = await begun(database, await pending_to(database, country), router=router, last_sender=sender)
        assert routed.candidate.route.sender == sender


async def test_an_open_breaker_is_probed_by_one_message_and_passed_over_by_the_others(database: Database) -> None:
    country = a_country()
    failing = await a_sender(database, country, price_micros=1)
    healthy = await a_sender(database, country, carrier="bravo")
    facts = await pending_to(database, country)
    opened = Breaker(state=BreakerState.OPEN, probe_at=facts.created_at)
    await know(database, f"alpha/{country}/long_code/sms", country, Health(breaker=opened))
    router = a_router()

    taken = [(await begun(database, await pending_to(database, country), router=router)) for _ in range(3)]

    assert [each.candidate.number_id for each in taken] == [failing.id, healthy.id, healthy.id]


async def know(database: Database, name: str, country: str, health: Health) -> None:
    group = Group(environment=SANDBOX, country=country, name=name)
    async with database.transaction() as connection:
        await begin_health(connection, group)
        known = (await read_health(connection, country, environment=SANDBOX))[name]
        assert await write_health(connection, group, replace(health, version=known.version))


async def test_a_demoted_route_is_passed_over_and_taken_when_nothing_else_is_there(database: Database) -> None:
    country = a_country()
    demoted = await a_sender(database, country, price_micros=1)
    facts = await pending_to(database, country)
    fallen = Health(demoted_at=facts.created_at, demoted_for="conversion_fell")
    await know(database, f"alpha/{country}/long_code/sms", country, fallen)

    alone = await begun_without_probe(database, country)
    healthy = await a_sender(database, country, carrier="bravo")
    beside = await begun_without_probe(database, country)

    assert alone.candidate.number_id == demoted.id
    assert alone.choice.reason.endswith("nothing there is healthy")
    assert beside.candidate.number_id == healthy.id


async def begun_without_probe(database: Database, country: str) -> Routed:
    """Plan until a message is not one of the few that find out whether a route is back."""
    while (routed := await begun(database, await pending_to(database, country))).candidate.probes:
        continue
    return routed


async def test_a_number_on_trial_is_passed_over_but_for_the_few_messages_that_try_it(database: Database) -> None:
    country = a_country()
    well, tried = await a_sender(database, country), await a_sender(database, country)
    async with database.transaction() as connection:
        values: dict[str, Any] = {"seen": NumberState.AVAILABLE, "then": NumberState.QUARANTINED, "lasts_s": 0}
        assert await move_number(connection, tried.id, **values) is not None
        assert await begin_trial(connection, tried) is not None
    router = a_router()

    chosen = [await begun(database, await pending_to(database, country), router=router) for _ in range(12)]

    for each in chosen:
        explanation = of_text(each.explanation)
        is_tried = explanation.seed % 50 == 1
        assert each.candidate.number_id == (tried.id if is_tried else well.id)
        assert [rule for gone in explanation.removed for rule in gone.rules] == ([] if is_tried else [Rule.QUARANTINED])


async def test_a_region_whose_workers_are_gone_is_passed_over(database: Database) -> None:
    country = a_country()
    silent = await a_sender(database, country, price_micros=1, region="apac")
    near = await a_sender(database, country)
    await let_routing_lease_end(database, silent.id)
    async with database.transaction() as connection:
        await hold_region(connection, "eu", lasts_s=30)

    routed = await begun(database, await pending_to(database, country))

    removed = {each.id.split("/")[2]: each.rules for each in of_text(routed.explanation).removed}
    assert routed.candidate.number_id == near.id
    assert Rule.REGION_WITHOUT_WORKERS in removed[silent.sender]


async def test_a_carrier_taken_out_of_the_configuration_is_failed_over(database: Database) -> None:
    country = a_country()
    await a_sender(database, country, price_micros=1)
    other = await a_sender(database, country, carrier="bravo")
    facts = await pending_to(database, country)
    routed = await begun(database, facts)

    order = SendOrder(verification_id=facts.id, attempt_id=routed.attempt_id)
    submission = await delivery(database, ScriptedCarrier(script=[REFUSED]), names=("bravo",)).send(order)
    follower = await followed(database, facts, routed.attempt_id)

    assert submission.status is SubmissionStatus.REJECTED
    assert follower.candidate.number_id == other.id


async def followed(database: Database, facts: VerificationFacts, attempt_id: UUID) -> Routed:
    async with database.transaction() as connection:
        found = await read_attempt(connection, attempt_id)
        again = await read_verification(connection, facts.id)
        assert found is not None
        assert again is not None
        step = await a_router().follow(connection, again, [found[1]], cause=FailOverCause.SUBMISSION)
    assert isinstance(step, Routed)
    return step


async def test_a_country_without_permissions_of_its_own_has_those_of_everywhere_else(database: Database) -> None:
    country, pool, caller = a_country(), a_country(), await a_caller(database)
    number = await a_sender(database, pool, to="**")
    other = await a_number(database, pool)
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=pool)
    await set_policy(database, caller, policy)

    routed = await begun(database, await pending_to(database, country, caller))

    assert routed.candidate.number_id == number.id
    assert [each.id.split("/")[2] for each in of_text(routed.explanation).removed] == [other.sender]


async def test_what_is_known_is_read_once_in_a_moment(database: Database) -> None:
    country, caller = a_country(), await a_caller(database)
    await a_sender(database, country)
    facts, router = await pending_to(database, country, caller), a_router()
    statements: list[str] = []

    async with database.transaction() as connection:

        @event.listens_for(connection.sync_connection, "before_cursor_execute")
        def note(*arguments: Any) -> None:
            statements.append(arguments[2])

        await router.begin(connection, facts, [])
        first = len(statements)
        await router.begin(connection, facts, [])

    assert (first, len(statements)) == (1, 1)
