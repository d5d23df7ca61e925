"""What may be used towards a country as seen some moments ago, and the candidates that one message makes of it.

Pure: the moment, the account and what chance decides are arguments. An outlook is the same for every message to a
country and is kept for a while; candidates are one message's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import Channel, Environment
from rules.routing.breaker import Breaker, BreakerState, may_probe
from rules.routing.candidates import Candidate, Situation
from rules.routing.catalog import Policy, SenderType
from rules.routing.failover import MAX_CARRIERS
from rules.routing.health import PROBE_SHARE

EVERY_TYPE = frozenset(SenderType)
# A place within a pool never reaches the next pool's.
_POOL_PLACES = 1_000
# Which of the messages, so that none is for both.
_PROBES_ROUTES, _TRIES_NUMBERS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A sender and what is known of it; `holder` has it lent alone, `is_demoted` for what its routes convert.

    `is_on_trial`: the number itself was set aside, and is to prove that it does its work again. `breaker` is that of
    its routes towards the country, `connection` that of its carrier's connection, whatever the country.
    """

    candidate: Candidate
    holder: UUID | None = None
    is_demoted: bool = False
    is_on_trial: bool = False
    breaker: Breaker = field(default_factory=Breaker)
    connection: Breaker = field(default_factory=Breaker)

    @property
    def open_breakers(self) -> tuple[Breaker, ...]:
        """Return those that let nothing but probes through."""
        return tuple(each for each in (self.breaker, self.connection) if each.state is not BreakerState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All senders that could be used towards a country, and what the instance and the country allow.

    `regions` are those where workers hold routing leases. `is_of_file`: the routes file's senders, in its order.
    """

    country: str
    senders: tuple[Sender, ...]
    sender_types: frozenset[SenderType]
    carriers: frozenset[str]
    regions: frozenset[str]
    is_of_file: bool = False


def default_policy(
    country: str, pools: Policy, *, environment: Environment, held: frozenset[str], is_of_file: bool
) -> RoutePolicyFacts:
    """Return how messages reach a country where the account has set nothing.

    The country's own pool comes first where there is one (`held` are the pools that have senders). In the sandbox, and
    with a routes file, routes are taken in their order, so that what a test number does happens again; and a third
    carrier may be tried, so that the backup pool can be seen.
    """
    order = (pools.primary, *pools.backups)
    if not is_of_file and country in held:
        order = (country, *(each for each in order if each != country))
    is_repeatable = is_of_file or environment is Environment.SANDBOX
    policy = RoutePolicyFacts(country=country, is_allowed=True, primary_pool=order[0], backups=order[1:])
    return replace(policy, mode=Mode.ORDERED, max_carriers=MAX_CARRIERS) if is_repeatable else policy


def candidates_of(
    outlook: Outlook, policy: RoutePolicyFacts, *, account_id: UUID, now: datetime, seed: int
) -> list[Candidate]:
    """Return the candidates of one message, with their places in the policy's order.

    A number that the account has lent alone goes before its pool's others; one that another account has is none. What
    conversion speaks against is set aside unless the mode is `adaptive`, which moves traffic by itself; of the
    messages, a small share probes it. Another one, as small, goes to a number on trial rather than to others of its
    group.
    """
    pools = [policy.primary_pool, *policy.backups]
    used = [
        each
        for each in outlook.senders
        if each.candidate.route.pool_country in pools and each.holder in {None, account_id}
    ]
    places = _places(outlook, used, pools)
    draw = seed % round(1 / PROBE_SHARE)
    probes_now, tries_now = draw == _PROBES_ROUTES, draw == _TRIES_NUMBERS
    return [
        replace(
            each.candidate,
            place=places[each.candidate.group, each.candidate.route.sender] - (each.holder is not None),
            is_breaker_open=bool(each.open_breakers),
            is_quarantined=(each.is_demoted and policy.mode is not Mode.ADAPTIVE)
            or (each.is_on_trial and not tries_now),
            proves=each.is_on_trial and tries_now,
            probes=_probes(each, policy, now=now, probes_now=probes_now),
        )
        for each in used
    ]


def situation_of(
    outlook: Outlook, policy: RoutePolicyFacts, *, channel: Channel, now: datetime, spent_micros: int = 0
) -> Situation:
    """Return what is allowed for one message; `spent_micros` is what its verification has cost so far."""
    cap = policy.cost_cap_micros
    return Situation(
        country=outlook.country,
        now=now,
        is_country_permitted=policy.is_allowed,
        sender_types=outlook.sender_types,
        channels=frozenset({channel}),
        carriers=outlook.carriers,
        regions=outlook.regions,
        ceiling_micros=None if cap is None else max(0, cap - spent_micros),
    )


def _places(outlook: Outlook, used: Sequence[Sender], pools: Sequence[str | None]) -> Mapping[tuple[str, str], int]:
    """Return each sender's place: those of a group share one, unless they stand in a file, one after the other.

    Within a pool the cheapest group comes first. Places are even, so that a number lent alone has one just before.
    """
    ranks = {pool: at for at, pool in reversed(list(enumerate(pools)))}
    if outlook.is_of_file:
        # `used` is in the order of the policy's pools already.
        return {(each.candidate.group, each.candidate.route.sender): 2 * at for at, each in enumerate(used)}
    least: dict[str, int] = {}
    for each in used:
        group, price = each.candidate.group, each.candidate.price_micros
        least[group] = min(least.get(group, price), price)
    order = {group: at for at, group in enumerate(sorted(least, key=lambda name: (least[name], name)))}
    return {
        (each.candidate.group, each.candidate.route.sender): 2
        * (ranks[each.candidate.route.pool_country] * _POOL_PLACES + order[each.candidate.group])
        for each in used
    }


def _probes(sender: Sender, policy: RoutePolicyFacts, *, now: datetime, probes_now: bool) -> bool:
    if sender.open_breakers:
        return all(may_probe(each, now=now) for each in sender.open_breakers)
    return probes_now and sender.is_demoted and policy.mode is not Mode.ADAPTIVE
