"""Choosing the route of an attempt, inside the transaction that plans it.

The rules decide (`rules/routing`); here they are given what is known, and a breaker's probe is taken, which only one
message at a time may be.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import NoRouteError
from domain.facts import AttemptFacts, VerificationFacts
from domain.ids import new_id
from domain.messages import FailOverCause
from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import Channel, Environment
from rules.routing.breaker import BreakerState, probe_pause_s
from rules.routing.candidates import Candidate, Situation
from rules.routing.catalog import Route
from rules.routing.connections import connection_name
from rules.routing.eligibility import Rule
from rules.routing.explanation import Before, Decision, Explanation, choose, to_text
from rules.routing.failover import (
    LEASE_LOST_CODE,
    NOT_ASKED,
    Caps,
    Choice,
    GiveUp,
    Pick,
    Wait,
    after_failure,
    first_route,
)
from rules.routing.outlook import Outlook, candidates_of, situation_of
from store.degraded import DegradedAlarm
from store.plans import Routed, tried_of
from store.route_book import RouteBook
from store.route_health import CONNECTIONS, Group, take_probe

_OF_THE_MOMENT = frozenset({Rule.BREAKER_OPEN, Rule.QUARANTINED, Rule.NO_CAPACITY})
# A seed that every reader of JSON keeps exactly.
_SEED_BITS = (1 << 48) - 1


class Router:
    """Chooses routes."""

    def __init__(self, book: RouteBook) -> None:
        self._book = book
        self._alarm = DegradedAlarm()

    async def begin(
        self,
        connection: AsyncConnection,
        facts: VerificationFacts,
        attempts: Sequence[AttemptFacts],
        *,
        last_sender: str | None = None,
    ) -> Routed:
        """Return where to begin a message that somebody asked for.

        Raises:
            NoRouteError: the account does not want messages there, or nothing may be used.

        """
        tried = [tried_of(each) for each in attempts]
        sight = await self._look(connection, facts, attempts, last_sender=last_sender)
        found = await _settled(connection, sight, lambda pick: first_route(sight.routes, tried, pick=pick))
        if isinstance(found, Routed):
            await self._tell_degraded(connection, sight)
            return found
        raise NoRouteError(_why_not(sight))

    async def follow(
        self,
        connection: AsyncConnection,
        facts: VerificationFacts,
        attempts: Sequence[AttemptFacts],
        *,
        cause: FailOverCause,
    ) -> Routed | Wait | GiveUp:
        """Return what to do after the last of the attempts did not do."""
        tried = [tried_of(each) for each in attempts]
        if attempts[-1].carrier_code == LEASE_LOST_CODE:
            # What was believed of the number holds no longer.
            self._book.forget(facts.country, environment=facts.environment)
        sight = await self._look(connection, facts, attempts, last_sender=attempts[-1].sender)
        caps = Caps(attempts=sight.policy.max_attempts, carriers=sight.policy.max_carriers)
        found = await _settled(
            connection, sight, lambda pick: after_failure(sight.routes, tried, cause=cause, caps=caps, pick=pick)
        )
        if isinstance(found, Routed):
            await self._tell_degraded(connection, sight)
        return found or GiveUp(reason="no_route_left")

    async def _tell_degraded(self, connection: AsyncConnection, sight: "_Sight") -> None:
        facts, decision = sight.facts, sight.decision
        if decision is None or decision.candidate is None or not decision.explanation.is_degraded:
            return
        await self._alarm.tell(
            connection,
            decision.candidate,
            account_id=facts.account_id,
            environment=facts.environment,
            country=facts.country,
            now=facts.read_at,
        )

    async def look(self, connection: AsyncConnection, errand: "Errand", *, last_sender: str | None) -> "Look":
        """Return what a first message would take now, and why; nothing is written, and no probe is taken."""
        sight = await self._look(connection, errand, [], last_sender=last_sender)
        step = first_route(sight.routes, [], pick=sight.pick)
        decision, wait_s = sight.decision, sight.policy.receipt_wait_s
        return Look(
            mode=sight.policy.mode,
            candidate=None if step is None or decision is None else decision.candidate,
            reason=_why_not(sight) if step is None or decision is None else _told(step.reason, sight),
            receipt_wait_s=step.route.receipt_wait_s if step is not None and wait_s is None else wait_s,
            explanation=None if decision is None else decision.explanation,
        )

    async def _look(
        self,
        connection: AsyncConnection,
        facts: "VerificationFacts | Errand",
        attempts: Sequence[AttemptFacts],
        *,
        last_sender: str | None,
    ) -> "_Sight":
        outlook, policy = await self._book.towards(
            connection, facts.country, environment=facts.environment, account_id=facts.account_id
        )
        attempt_id = new_id()
        seed, now = attempt_id.int & _SEED_BITS, facts.read_at
        spent = sum(each.price_micros or 0 for each in attempts if each.submitting_at is not None)
        return _Sight(
            facts=facts,
            outlook=outlook,
            policy=policy,
            attempt_id=attempt_id,
            seed=seed,
            situation=situation_of(outlook, policy, channel=facts.channel, now=now, spent_micros=spent),
            candidates=candidates_of(outlook, policy, account_id=facts.account_id, now=now, seed=seed),
            before=Before(tries=_tries(attempts), recipient=facts.number_hash, last_sender=last_sender),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a choice must know of a message that nobody has asked for yet."""

    account_id: UUID
    environment: Environment
    country: str
    channel: Channel
    number_hash: str
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a message would take; `candidate` None: nothing, and the reason why."""

    mode: Mode
    candidate: Candidate | None
    reason: str
    receipt_wait_s: int | None
    explanation: Explanation | None


@dataclass(slots=True, kw_only=True)
class _Sight:
    """All that one choice rests on, and the decision that was made last."""

    facts: VerificationFacts | Errand
    outlook: Outlook
    policy: RoutePolicyFacts
    attempt_id: UUID
    seed: int
    situation: Situation
    candidates: Sequence[Candidate]
    before: Before
    decision: Decision | None = None
    probes_refused: set[str] = field(default_factory=set)

    @property
    def routes(self) -> list[Route]:
        """Return the routes, in the order of their places."""
        return [each.route for each in sorted(self.candidates, key=lambda each: each.place)]

    def pick(self, routes: Collection[Route]) -> Route | None:
        """Return the best of some routes that may be taken; the decision is kept."""
        among = set(routes)
        open_ = [self._as_allowed(each) for each in self.candidates if each.route in among]
        self.decision = self._choose(open_)
        if self.decision.candidate is None and not all(each.has_capacity for each in open_):
            # Where each has a line, the message stands in one.
            self.decision = self._choose([replace(each, has_capacity=True) for each in open_])
        return None if self.decision.candidate is None else self.decision.candidate.route

    def _choose(self, candidates: Sequence[Candidate]) -> Decision:
        return choose(
            candidates,
            self.situation,
            self.before,
            mode=self.policy.mode,
            seed=self.seed,
            chance=Random(self.seed),  # noqa: S311 - drawn again from the same seed, to explain
        )

    def _as_allowed(self, candidate: Candidate) -> Candidate:
        return replace(candidate, probes=False) if candidate.group in self.probes_refused else candidate


async def _settled(
    connection: AsyncConnection, sight: _Sight, ask: Callable[[Pick], Choice | Wait | GiveUp | None]
) -> Routed | Wait | GiveUp | None:
    """Ask for the next step until the route it takes needs no probe, or the probe is this message's."""
    policy = sight.policy
    while True:
        step = ask(sight.pick)
        if not isinstance(step, Choice):
            return step
        assert sight.decision is not None  # noqa: S101 - a choice comes from a pick
        taken = sight.decision.candidate
        assert taken is not None  # noqa: S101 - as above
        if not (taken.probes and taken.is_breaker_open) or await _is_probe_taken(connection, sight, taken):
            return Routed(
                attempt_id=sight.attempt_id,
                choice=Choice(route=step.route, reason=_told(step.reason, sight)),
                candidate=taken,
                explanation=to_text(sight.decision.explanation),
                receipt_wait_s=step.route.receipt_wait_s if policy.receipt_wait_s is None else policy.receipt_wait_s,
                verify_wait_s=taken.verify_wait_s if policy.verify_wait_s is None else policy.verify_wait_s,
                is_resent=policy.is_resent,
            )
        sight.probes_refused.add(taken.group)


async def _is_probe_taken(connection: AsyncConnection, sight: _Sight, candidate: Candidate) -> bool:
    """Take the probe of each breaker that is open, the connection's first, as whoever learns locks them too."""
    environment, route = sight.facts.environment, candidate.route
    sender = next(each for each in sight.outlook.senders if each.candidate.id == candidate.id)
    name = connection_name(route.carrier, region=route.region)
    for breaker, group in (
        (sender.connection, Group(environment=environment, country=CONNECTIONS, name=name)),
        (sender.breaker, Group(environment=environment, country=sight.facts.country, name=candidate.group)),
    ):
        pause_s = probe_pause_s(breaker.probes_lost)
        if breaker.state is not BreakerState.CLOSED and not await take_probe(connection, group, pause_s=pause_s):
            return False
    return True


def _tries(attempts: Sequence[AttemptFacts]) -> Counter[str]:
    """Return how often each carrier was asked: by an attempt that never left, it was not."""
    return Counter(each.carrier for each in attempts if each.carrier_code not in NOT_ASKED)


def _told(reason: str, sight: _Sight) -> str:
    decision, policy = sight.decision, sight.policy
    if decision is None or decision.candidate is None:
        return reason
    if decision.explanation.is_degraded:
        return f"{reason}; nothing there is healthy"
    if sight.before.tries:
        return reason
    if policy.mode is Mode.ORDERED:
        stood_aside = _stood_aside(sight.candidates, decision)
        return f"{reason}; of those before it: {', '.join(stood_aside)}" if stood_aside else reason
    pool = decision.candidate.route.pool_country
    is_primary = pool == policy.primary_pool
    beside = "" if is_primary else f"; {policy.mode} ranks the backup pools beside {policy.primary_pool}"
    return f"{policy.mode} choice in pool {pool}{beside}"


def _stood_aside(candidates: Sequence[Candidate], decision: Decision) -> list[str]:
    """Return why routes that come before the one taken were not, as far as it is a matter of the moment."""
    assert decision.candidate is not None  # noqa: S101 - asked of a choice only
    before = {each.id for each in candidates if each.place < decision.candidate.place}
    rules = {rule for each in decision.explanation.removed if each.id in before for rule in each.rules}
    return sorted(rule.value for rule in rules & _OF_THE_MOMENT)


def _why_not(sight: _Sight) -> str:
    country = sight.facts.country
    if not sight.policy.is_allowed:
        return f"The account's route policy does not allow messages to {country}."
    removed = () if sight.decision is None else sight.decision.explanation.removed
    rules = sorted({rule.value for each in removed for rule in each.rules})
    why = f": {', '.join(rules)}" if rules else ""
    whose = "The account's cost cap leaves" if Rule.PRICE_OVER_CEILING.value in rules else "This instance has"
    return f"{whose} no route to {country}{why}."
