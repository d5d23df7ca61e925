"""What is done by hand with a number: once, by whom it belongs to, and never what its state does not allow."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.access import Scope
from domain.errors import InsufficientScopeError, NotFoundError, UnknownCountryError
from domain.facts import Caller
from domain.number_errors import (
    HarvestingError,
    LeaseEndedError,
    LeaseTooLongError,
    NumberChangedError,
    NumberInUseError,
    NumberStateError,
    PoolEmptyError,
    QuarantineHoldsError,
)
from domain.routing import NumberFacts, NumberState, NumberView
from rules.routing.catalog import SenderType
from services.number_leasing import LeaseRequest
from services.number_operations import NumberOperations
from services.numbers import Numbers, TermsRequest
from store.audit_reading import chain_rows
from store.engine import Database
from store.number_leases import lease_of_number
from store.number_trials import begin_trial
from store.numbers import find_number, move_number
from tests.building import FakeJudges, FakeKeepers, a_caller, a_verification, an_attempt
from tests.services.numbering import allowance, an_operator, leasing
from tests.store.numbering import SANDBOX, a_number, let_days_pass, let_lease_end

_S = NumberState
_TIMES = 6


def operations(
    database: Database, *, quota: int = 10, keepers: FakeKeepers | None = None, judges: FakeJudges | None = None
) -> NumberOperations:
    return NumberOperations(
        database=database,
        allowance=allowance(quota),
        keepers=keepers or FakeKeepers(),
        judges=judges or FakeJudges(),
    )


async def a_leased(database: Database, caller: Caller, country: str) -> NumberView:
    # The last one stays the pool's.
    for _ in range(2):
        await a_number(database, country)
    request = LeaseRequest(country=country, sender_type=SenderType.LONG_CODE, is_renewed=False)
    view = await leasing(database).lease(caller, request)
    assert isinstance(view, NumberView)
    return view


async def the_number(database: Database, view: NumberView) -> NumberFacts:
    async with database.reading() as connection:
        found = await find_number(connection, view.number.id, environment=SANDBOX)
    assert found is not None
    return found


async def test_a_renewal_lasts_one_period_more_however_many_ask_at_once(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "AD")
    assert view.lease is not None

    outcomes = await asyncio.gather(
        *(operations(database).renew(caller, view.number.id) for _ in range(_TIMES)), return_exceptions=True
    )

    renewed = [each for each in outcomes if isinstance(each, NumberView)]
    after = await Numbers(database=database).read(caller, view.number.id)
    assert after.lease is not None
    assert after.lease.expires_at == view.lease.expires_at + timedelta(days=30 * len(renewed))
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} <= {NumberChangedError}


async def test_a_lease_that_is_over_is_not_renewed_and_one_paid_for_far_ahead_neither(database: Database) -> None:
    caller = await a_caller(database)
    over, far = await a_leased(database, caller, "AL"), await a_leased(database, caller, "AM")
    assert over.lease is not None
    await let_lease_end(database, over.lease.id)
    await Numbers(database=database).change(caller, far.number.id, TermsRequest(period_days=365))
    await operations(database).renew(caller, far.number.id)
    await operations(database).renew(caller, far.number.id)

    with pytest.raises(LeaseEndedError):
        await operations(database).renew(caller, over.number.id)
    with pytest.raises(LeaseTooLongError):
        await operations(database).renew(caller, far.number.id)
    with pytest.raises(LeaseEndedError):
        await Numbers(database=database).change(caller, over.number.id, TermsRequest(is_renewed=True))


async def test_a_rotation_gives_another_number_for_what_is_left_of_the_period(database: Database) -> None:
    caller, keepers, judges = await a_caller(database), FakeKeepers(), FakeJudges()
    view = await a_leased(database, caller, "AR")
    await a_number(database, "AR")
    await let_days_pass(database, view.number.id, days=10)

    new = await operations(database, keepers=keepers, judges=judges).rotate(caller, view.number.id)

    old = await the_number(database, view)
    assert (old.state, old.state_reason) == (_S.DRAINING, "rotated")
    assert new.number.id != view.number.id
    assert new.number.state is _S.LEASED
    assert new.lease is not None
    assert (new.lease.expires_at - new.lease.started_at) / timedelta(days=1) == pytest.approx(20, abs=0.01)
    assert set(keepers.woken) == {view.number.id, new.number.id}
    assert judges.asked == 1


async def test_a_rotation_without_a_replacement_changes_nothing(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "AT")

    with pytest.raises(PoolEmptyError):
        await operations(database).rotate(caller, view.number.id)

    assert await the_number(database, view) == view.number
    async with database.reading() as connection:
        assert await lease_of_number(connection, view.number.id) == view.lease


async def test_a_number_that_people_or_carriers_turned_against_is_not_rotated_away_from(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "AZ")
    await a_number(database, "AZ")
    async with database.transaction() as connection:
        await move_number(
            connection,
            view.number.id,
            seen=_S.LEASED,
            then=_S.QUARANTINED,
            reason="sender_blocked",
            lasts_s=86_400,
            relapses=1,
        )

    with pytest.raises(QuarantineHoldsError):
        await operations(database).rotate(caller, view.number.id)
    with pytest.raises(QuarantineHoldsError):
        await operations(database).restore(caller, view.number.id)
    restored = await operations(database).restore(_running_the_instance(caller), view.number.id)
    assert restored.number.state is _S.LEASED


def _running_the_instance(caller: Caller) -> Caller:
    return replace(caller, scopes=frozenset({Scope.ACCOUNTS}))


async def test_what_a_number_was_set_aside_for_holds_while_it_is_on_trial(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BA")
    await a_number(database, "BA")
    aside: dict[str, Any] = {"seen": _S.LEASED, "then": _S.QUARANTINED, "reason": "spam_reported", "lasts_s": 60}
    async with database.transaction() as connection:
        assert await move_number(connection, view.number.id, **aside, relapses=1) is not None
        on_trial = await begin_trial(connection, view.number)

    assert on_trial is not None
    assert (on_trial.state, on_trial.is_probing) == (_S.LEASED, True)
    with pytest.raises(QuarantineHoldsError):
        await operations(database).rotate(caller, view.number.id)
    with pytest.raises(QuarantineHoldsError):
        await operations(database).restore(caller, view.number.id)
    with pytest.raises(NumberStateError):
        await operations(database).quarantine(caller, view.number.id, hours=1)
    restored = await operations(database).restore(_running_the_instance(caller), view.number.id)
    assert (restored.number.state, restored.number.is_probing) == (_S.LEASED, False)


async def test_who_rotates_all_the_time_is_stopped(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BA")
    use_case = operations(database, quota=1)
    for _ in range(4):
        await a_number(database, "BA")

    for _ in range(3):
        view = await use_case.rotate(caller, view.number.id)
    with pytest.raises(HarvestingError):
        await use_case.rotate(caller, view.number.id)


async def test_a_number_is_set_aside_and_put_back_once(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BD")

    aside = await asyncio.gather(
        *(operations(database).quarantine(caller, view.number.id, hours=2) for _ in range(_TIMES)),
        return_exceptions=True,
    )
    there = await the_number(database, view)
    back = await operations(database).restore(caller, view.number.id)

    assert sum(isinstance(each, NumberView) for each in aside) == 1
    assert {type(each) for each in aside if isinstance(each, BaseException)} <= {NumberStateError, NumberChangedError}
    assert (there.state, there.account_id) == (_S.QUARANTINED, caller.account_id)
    assert (back.number.state, back.number.account_id) == (_S.LEASED, caller.account_id)
    with pytest.raises(NumberStateError):
        await operations(database).restore(caller, view.number.id)


async def test_a_number_in_use_is_released_only_to_drain(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BE")
    verification = await a_verification(database, caller, codes=0)
    await an_attempt(
        database, verification.id, sender=view.number.sender, carrier=view.number.carrier, pool_country="BE"
    )

    with pytest.raises(NumberInUseError):
        await operations(database).release(caller, view.number.id, drain=False)
    kept = await the_number(database, view)
    drained = await operations(database).release(caller, view.number.id, drain=True)

    assert kept == view.number
    assert drained.number.state is _S.DRAINING
    async with database.reading() as connection:
        assert await lease_of_number(connection, view.number.id) is None


async def test_a_number_is_released_once(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BG")

    outcomes = await asyncio.gather(
        *(operations(database).release(caller, view.number.id, drain=False) for _ in range(_TIMES)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, NumberView) for each in outcomes) == 1
    refused = {type(each) for each in outcomes if isinstance(each, BaseException)}
    assert refused <= {NumberStateError, NumberChangedError, NumberInUseError}


async def test_numbers_of_pools_are_changed_by_who_runs_the_instance_alone(database: Database) -> None:
    caller, operator = await a_caller(database), await an_operator(database)
    foreign = await a_leased(database, await a_caller(database), "BH")
    number = await a_number(database, "BH")

    with pytest.raises(InsufficientScopeError):
        await operations(database).quarantine(caller, number.id, hours=1)
    with pytest.raises(InsufficientScopeError):
        await operations(database).release(caller, number.id, drain=True)
    with pytest.raises(NotFoundError):
        await operations(database).release(operator, foreign.number.id, drain=True)
    aside = await operations(database).quarantine(operator, number.id, hours=1)
    assert aside.number.state is _S.QUARANTINED


async def test_a_pool_is_rotated_down_to_the_last_of_a_kind_and_no_further(database: Database) -> None:
    operator = await an_operator(database)
    for _ in range(4):
        await a_number(database, "BJ")

    outcomes = await asyncio.gather(
        *(operations(database).rotate_pool(operator, "BJ") for _ in range(_TIMES)), return_exceptions=True
    )

    aside = [each.number for each in outcomes if isinstance(each, NumberView)]
    assert len({each.id for each in aside}) == len(aside) == 3
    assert {(each.state, each.state_reason) for each in aside} == {(_S.QUARANTINED, "rotated")}
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} == {PoolEmptyError}


async def test_an_empty_pool_is_not_rotated(database: Database) -> None:
    operator = await an_operator(database)
    await a_number(database, "BO", sender_type="alphanumeric", sender="ACME")
    await a_number(database, "BO", sender_type="alphanumeric", sender="ACMEs")

    for country in ("BN", "BO"):
        with pytest.raises(PoolEmptyError):
            await operations(database).rotate_pool(operator, country)
    with pytest.raises(UnknownCountryError):
        await operations(database).rotate_pool(operator, "ZZ")


async def test_every_change_stands_in_the_account_s_trail(database: Database) -> None:
    caller = await a_caller(database)
    view = await a_leased(database, caller, "BR")
    use_case = operations(database)
    await use_case.renew(caller, view.number.id)
    await use_case.quarantine(caller, view.number.id, hours=1)
    await use_case.restore(caller, view.number.id)
    await use_case.release(caller, view.number.id, drain=False)

    async with database.reading() as connection:
        rows = await chain_rows(connection, caller.account_id.hex, after=0)
    assert [(each.action, json.loads(each.details).get("status")) for each in rows] == [
        ("number.status_changed", "leased"),
        ("number.lease_started", None),
        ("number.lease_renewed", None),
        ("number.status_changed", "quarantined"),
        ("number.status_changed", "leased"),
        ("number.status_changed", "draining"),
    ]
