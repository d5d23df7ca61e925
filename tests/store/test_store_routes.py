"""Buckets are exact on any number of processes; policies, permissions and health are written by who saw the newest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.ids import new_id
from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import Environment
from rules.routing.breaker import BreakerState, after_outcome
from rules.routing.capacity import MICROS, Bucket, bucket_of, may_leave_us, taken
from rules.routing.evidence import Evidence
from rules.routing.learning import Health
from rules.routing.proportions import Share
from rules.routing.sketch import sketch_of
from store.authorisations import Pair, authorisations_for, authorise, revoke
from store.capacity import give_back_parts, read_bucket, set_bucket, slow_bucket, take_parts
from store.engine import Database
from store.route_health import Group, begin_health, read_health, take_probe, write_health
from store.route_policies import EVERYWHERE_ELSE, find_policy, list_policies, put_policy
from tests.building import a_caller
from tests.store.crowd import Crowd
from tests.store.number_tasks import take_25_parts
from tests.store.numbering import SANDBOX, a_country

AN_HOUR = 3_600


def a_name() -> str:
    return f"number/{new_id().hex}"


async def a_bucket(database: Database, *, per_hour: float, burst: int = 1) -> str:
    """Return the name of a bucket so slow that no test lives to see a part paid back."""
    name = a_name()
    async with database.transaction() as connection:
        await set_bucket(connection, name, bucket_of(per_hour / AN_HOUR, burst_parts=burst))
    return name


async def take(database: Database, *names: str, parts: int = 1) -> bool:
    async with database.transaction() as connection:
        return await take_parts(connection, names, parts=parts)


@pytest.mark.parametrize("burst", [1, 7, 100])
async def test_of_100_takers_in_several_processes_a_bucket_lets_its_burst_through(
    database: Database, database_url: str, crowd: Crowd, burst: int
) -> None:
    name = await a_bucket(database, per_hour=1, burst=burst)

    taken = crowd.run(take_25_parts, url=database_url, argument=[name])

    assert sum(taken) == burst


async def test_a_message_leaves_when_number_and_connection_both_have_room_and_takes_from_both_or_none(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    narrow, wide = await a_bucket(database, per_hour=1, burst=5), await a_bucket(database, per_hour=1, burst=50)

    taken = crowd.run(take_25_parts, url=database_url, argument=[wide, narrow])

    left = 0
    while await take(database, wide):
        left += 1
    assert (sum(taken), left) == (5, 45)


@pytest.mark.parametrize("late_by", [0.5, 2.0, 6.0])
async def test_a_late_part_is_paid_for_as_the_rule_says(database: Database, late_by: float) -> None:
    clock, paced, an_hour_us = await a_bucket(database, per_hour=1), a_name(), AN_HOUR * MICROS
    async with database.reading() as connection:
        read = await read_bucket(connection, clock)
    assert read is not None
    now_us = read[1]
    bucket = Bucket(part_us=an_hour_us, free_at_us=now_us - round(late_by * an_hour_us))
    async with database.transaction() as connection:
        await set_bucket(connection, paced, bucket)

    assert await take(database, paced)

    async with database.reading() as connection:
        then = await read_bucket(connection, paced)
    expected = taken(bucket, parts=1, now_us=now_us)
    assert then is not None
    assert expected is not None
    assert then[0].free_at_us == pytest.approx(expected.free_at_us, abs=60 * MICROS)


async def test_the_parts_of_a_message_leave_together(database: Database) -> None:
    name = await a_bucket(database, per_hour=1)

    assert [await take(database, name, parts=3), await take(database, name)] == [True, False]
    async with database.reading() as connection:
        read = await read_bucket(connection, name)
    assert read is not None
    bucket, now_us = read
    assert 2.9 * AN_HOUR * MICROS < may_leave_us(bucket, now_us=now_us) - now_us <= 3 * AN_HOUR * MICROS


async def test_what_did_not_leave_is_given_back(database: Database) -> None:
    name = await a_bucket(database, per_hour=1)
    await take(database, name)

    async with database.transaction() as connection:
        await give_back_parts(connection, [name], parts=1)

    assert await take(database, name)


async def test_a_carrier_that_says_too_fast_is_left_alone(database: Database) -> None:
    name = await a_bucket(database, per_hour=1, burst=100)

    async with database.transaction() as connection:
        await slow_bucket(connection, name, pause_us=AN_HOUR * MICROS)

    assert not await take(database, name)


async def test_a_bucket_that_is_set_again_keeps_what_was_taken(database: Database) -> None:
    name = await a_bucket(database, per_hour=1)
    await take(database, name)

    async with database.transaction() as connection:
        await set_bucket(connection, name, bucket_of(2 / AN_HOUR))

    assert not await take(database, name)


async def test_a_bucket_that_does_not_exist_lets_nothing_through(database: Database) -> None:
    there = await a_bucket(database, per_hour=1)

    assert not await take(database, there, "zz/nowhere")
    assert await take(database, there)
    async with database.reading() as connection:
        assert await read_bucket(connection, "zz/nowhere") is None


def a_pair(country: str, **changes: str) -> Pair:
    return Pair(environment=SANDBOX, country=country, **{"sender": "ACME", "carrier": "alpha", **changes})


async def test_a_sender_may_be_used_from_its_permission_until_it_is_taken_back(database: Database) -> None:
    country = a_country()
    async with database.transaction() as connection:
        await authorise(connection, a_pair(country), ground="registered")
        given = await authorisations_for(connection, country, environment=SANDBOX)
        taken_back = await revoke(connection, a_pair(country), ground="brand was sold")
        twice = await revoke(connection, a_pair(country), ground="brand was sold")
        left = await authorisations_for(connection, country, environment=SANDBOX)

    (permission,) = given.values()
    assert set(given) == {("ACME", "alpha")}
    assert permission.covers(permission.since + timedelta(days=999))
    assert (taken_back, twice) == (True, False)
    assert not left["ACME", "alpha"].covers(datetime.now(UTC) + timedelta(seconds=60))


async def test_a_permission_is_for_one_country_sender_carrier_and_environment(database: Database) -> None:
    country, elsewhere = a_country(), a_country()
    async with database.transaction() as connection:
        await authorise(connection, a_pair(country), ground="registered", until=datetime.now(UTC) + timedelta(days=1))

        assert await authorisations_for(connection, elsewhere, environment=SANDBOX) == {}
        assert await authorisations_for(connection, country, environment=Environment.PRODUCTION) == {}
        assert not await revoke(connection, a_pair(country, carrier="bravo"), ground="none")


A_POLICY = RoutePolicyFacts(
    country="GB",
    is_allowed=True,
    primary_pool="GB",
    backups=("IE", "US"),
    mode=Mode.BEST,
    max_attempts=2,
    max_carriers=1,
    cost_cap_micros=90_000,
    receipt_wait_s=9,
    verify_wait_s=21,
)
ELSEWHERE = RoutePolicyFacts(country=EVERYWHERE_ELSE, is_allowed=False, primary_pool=None)


async def test_a_policy_is_read_as_it_was_set_and_the_country_s_own_comes_before_the_other(database: Database) -> None:
    whose: dict[str, Any] = {"account_id": (await a_caller(database)).account_id, "environment": SANDBOX}
    other: dict[str, Any] = {"account_id": (await a_caller(database)).account_id, "environment": SANDBOX}

    async with database.transaction() as connection:
        await put_policy(connection, replace(A_POLICY, mode=Mode.ORDERED), **whose)
        await put_policy(connection, A_POLICY, **whose)
        alone = await find_policy(connection, "FR", **whose)
        await put_policy(connection, ELSEWHERE, **whose)

        assert alone is None
        assert await find_policy(connection, "GB", **whose) == A_POLICY
        assert await find_policy(connection, "FR", **whose) == ELSEWHERE
        assert await list_policies(connection, **whose) == [ELSEWHERE, A_POLICY]
        assert await list_policies(connection, **other) == []


@pytest.mark.parametrize(
    "wrong",
    [
        replace(A_POLICY, backups=("IE", "GB")),
        replace(A_POLICY, primary_pool=None),
        replace(A_POLICY, max_attempts=4),
        replace(A_POLICY, receipt_wait_s=31),
        replace(A_POLICY, verify_wait_s=19),
    ],
)
async def test_constraints_refuse_a_policy_that_contradicts_itself(database: Database, wrong: RoutePolicyFacts) -> None:
    caller = await a_caller(database)

    with pytest.raises(Exception, match=r"CHECK constraint|CheckViolation"):
        async with database.transaction() as connection:
            await put_policy(connection, wrong, account_id=caller.account_id, environment=SANDBOX)


def a_group(country: str) -> Group:
    return Group(environment=SANDBOX, country=country, name="alpha/GB/long_code/sms")


async def known(database: Database, group: Group) -> Health:
    async with database.reading() as connection:
        return (await read_health(connection, group.country, environment=SANDBOX))[group.name]


async def begun(database: Database) -> Group:
    group = a_group(a_country())
    async with database.transaction() as connection:
        await begin_health(connection, group)
        await begin_health(connection, group)
    return group


async def test_a_group_that_nothing_is_known_of_starts_as_the_rules_say(database: Database) -> None:
    group = await begun(database)

    assert await known(database, group) == Health()


async def test_what_is_known_is_read_as_it_was_written(database: Database) -> None:
    group, breaker = await begun(database), Health().breaker
    for second in range(5):
        breaker = after_outcome(breaker, is_hard=True, now=datetime(2025, 11, 24, 12, 0, second, tzinfo=UTC))
    health = Health(
        evidence=Evidence(12.5, 3.25, 0.125, 99),
        baseline=Share(80, 100),
        accepted=100,
        receipts=sketch_of([1, 2, 30]),
        proofs=sketch_of([14]),
        breaker=breaker,
        demoted_at=datetime(2026, 12, 1, tzinfo=UTC),
        demoted_for="conversion_fell",
        relapses=2,
    )

    async with database.transaction() as connection:
        written = await write_health(connection, group, health)

    assert written
    assert breaker.state is BreakerState.OPEN
    assert await known(database, group) == replace(health, version=1)


async def test_of_two_that_read_the_same_version_one_writes(database: Database) -> None:
    group = await begun(database)
    read = await known(database, group)

    async with database.transaction() as connection:
        first = await write_health(connection, group, replace(read, accepted=1))
        second = await write_health(connection, group, replace(read, accepted=2))

    assert (first, second) == (True, False)
    assert (await known(database, group)).accepted == 1


async def test_of_many_that_want_to_probe_one_does_and_who_read_before_does_not_write(database: Database) -> None:
    group = await begun(database)
    async with database.transaction() as connection:
        closed = await take_probe(connection, group, pause_s=60)
    opened = Health().breaker
    for second in range(5):
        opened = after_outcome(opened, is_hard=True, now=datetime(2025, 11, 24, 12, 0, second, tzinfo=UTC))
    async with database.transaction() as connection:
        await write_health(connection, group, Health(breaker=opened))
    read = await known(database, group)

    async with database.transaction() as connection:
        probes = [await take_probe(connection, group, pause_s=60) for _ in range(5)]
        late = await write_health(connection, group, read)

    assert not closed
    assert probes == [True, False, False, False, False]
    assert not late


async def test_constraints_refuse_health_that_cannot_be(database: Database) -> None:
    await begun(database)

    for wrong in ("breaker = 'ajar'", "breaker = 'open'", "proved = -1", "baseline_proved = 2, baseline_total = 1"):
        with pytest.raises(Exception, match=r"CHECK constraint|CheckViolation"):
            async with database.transaction() as connection:
                await connection.execute(text(f"UPDATE route_health SET {wrong} WHERE 1 = 1"))
