"""Whether an account's policy for a country can be: it does not contradict itself, and names no pool in vain.

Pure. A policy is refused when it is set and not when a message is to leave, because then somebody is there to be told.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.routing import RoutePolicyFacts
from rules.routing.candidates import Authorisation
from rules.routing.catalog import SenderType

MOST_BACKUPS = 8
_USUAL_CARRIERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """A sender of a pool, as far as a policy is concerned."""

    pool_country: str
    carrier: str
    sender: str
    sender_type: SenderType


def usual_carriers(*, has_backups: bool) -> int:
    """Return how many carriers one message may try where nothing is said; with a backup pool it must get there.

    A primary pool usually has two carriers, and the backups others (ADR 0008).
    """
    return _USUAL_CARRIERS + has_backups


def why_impossible(policy: RoutePolicyFacts) -> str | None:
    """Return what is wrong with a policy as such; None when nothing is."""
    if not policy.is_allowed:
        return "backup_pools: name none where nothing is sent." if policy.backups else None
    if policy.primary_pool is None:
        return "primary_pool: name the pool that messages leave from, or set allowed to false."
    wrong = {
        "backup_pools: the primary pool is not its own backup; name others, or none.": (
            policy.primary_pool in policy.backups
        ),
        "backup_pools: each pool is named once.": len(set(policy.backups)) < len(policy.backups),
        f"backup_pools: at most {MOST_BACKUPS}.": len(policy.backups) > MOST_BACKUPS,
        "auto_resend: it needs a second attempt; set max_attempts to 2 or 3, or auto_resend to false.": (
            policy.is_resent and policy.max_attempts == 1
        ),
    }
    return next((why for why, is_so in wrong.items() if is_so), None)


def pools_in_vain(
    policy: RoutePolicyFacts,
    members: Iterable[PoolMember],
    *,
    authorised: Mapping[tuple[str, str], Authorisation],
    takes: frozenset[SenderType],
    now: datetime,
) -> Iterator[tuple[str, str]]:
    """Yield the pools of a policy that have no sender for its country, each with a sentence that says why.

    A sender is for a country that takes its kind, and for which it is authorised at this moment on its carrier.
    """
    known = list(members)
    for pool in filter(None, (policy.primary_pool, *policy.backups)):
        of_pool = [each for each in known if each.pool_country == pool]
        if not of_pool:
            yield pool, f"there is no pool {pool} here"
        elif not any(each.sender_type in takes for each in of_pool):
            yield pool, f"{policy.country} takes none of the kinds of sender that pool {pool} has"
        elif not any(_may_be_used(each, authorised, now) for each in of_pool if each.sender_type in takes):
            yield pool, f"no sender of pool {pool} is authorised for {policy.country}"


def _may_be_used(member: PoolMember, authorised: Mapping[tuple[str, str], Authorisation], now: datetime) -> bool:
    found = authorised.get((member.sender, member.carrier))
    return found is not None and found.covers(now)
