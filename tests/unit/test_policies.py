"""A policy that contradicts itself, or names a pool without a sender for its country, is told why it cannot be."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.routing import RoutePolicyFacts
from rules.routing.candidates import Authorisation
from rules.routing.catalog import SenderType
from rules.routing.policies import MOST_BACKUPS, PoolMember, pools_in_vain, usual_carriers, why_impossible

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GB = PoolMember(pool_country="GB", carrier="alpha", sender="+447700900980", sender_type=SenderType.LONG_CODE)
NAME = PoolMember(pool_country="FR", carrier="alpha", sender="ACME", sender_type=SenderType.ALPHANUMERIC)
ALLOWED = {(GB.sender, GB.carrier): Authorisation(since=NOW)}


def a_policy(*backups: str, primary: str | None = "GB", is_allowed: bool = True) -> RoutePolicyFacts:
    return RoutePolicyFacts(country="GB", is_allowed=is_allowed, primary_pool=primary, backups=backups)


def in_vain(policy: RoutePolicyFacts, *, authorised: dict[tuple[str, str], Authorisation] = ALLOWED) -> list[str]:
    takes = frozenset({SenderType.LONG_CODE})
    return [pool for pool, _ in pools_in_vain(policy, [GB, NAME], authorised=authorised, takes=takes, now=NOW)]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (a_policy("GB"), "not its own backup"),
        (a_policy("FR", "FR"), "named once"),
        (a_policy(primary=None), "name the pool"),
        (a_policy("FR", is_allowed=False), "name none"),
        (a_policy(*(f"A{digit}" for digit in range(MOST_BACKUPS + 1))), "at most"),
    ],
)
def test_a_policy_that_contradicts_itself_is_told_what_is_wrong(policy: RoutePolicyFacts, told: str) -> None:
    assert told in (why_impossible(policy) or "")


@pytest.mark.parametrize("policy", [a_policy(), a_policy("FR", "US"), a_policy(primary=None, is_allowed=False)])
def test_a_policy_that_can_be_is_let_pass(policy: RoutePolicyFacts) -> None:
    assert why_impossible(policy) is None


def test_a_pool_is_in_vain_without_members_without_their_kind_and_without_authority() -> None:
    ended = {(GB.sender, GB.carrier): Authorisation(since=NOW - timedelta(days=2), until=NOW)}
    other_carrier = {(GB.sender, "bravo"): Authorisation(since=NOW)}

    assert in_vain(a_policy("US", "FR")) == ["US", "FR"]
    assert in_vain(a_policy(), authorised=ended) == ["GB"]
    assert in_vain(a_policy(), authorised=other_carrier) == ["GB"]
    assert in_vain(a_policy()) == []


def test_a_message_may_try_a_carrier_more_where_a_backup_is_to_be_reached() -> None:
    assert (usual_carriers(has_backups=False), usual_carriers(has_backups=True)) == (2, 3)
