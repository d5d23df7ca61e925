"""What is told of choices of routes: Pydantic models, used at this edge and nowhere else."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, Field

from api.v1.models import StrictBody
from api.v1.moments import Instant
from domain.ids import attempt_id, verification_id
from domain.routing import Mode
from domain.statuses import Channel
from rules.routing.breaker import BreakerState
from rules.routing.eligibility import Removed, Rule
from rules.routing.explanation import Explanation
from rules.routing.ranking import Ranked
from rules.routing.verdicts import Decided, DecisionFacts
from services.routing import ConnectionView, DryRun, ExplainedAttempt, RoutesHealth, RouteView


class RankedOut(BaseModel):
    """A route that could be taken, in its place, and what put it there."""

    route: str = Field(description="Carrier, pool, sender and channel.", examples=["alpha/GB/Countersign/sms"])
    group: str = Field(description="The routes whose conversion is learnt together.")
    place: int = Field(description="Where the policy's order has it; the least comes first in mode `ordered`.")
    price_micros: int
    alpha: float = Field(description="Codes proved, discounted, with what was believed before.")
    beta: float = Field(description="Codes not proved, in the same way.")
    tries: int = Field(description="How often this verification had used the carrier.")
    probes: bool = Field(description="Whether the message was to find out if the route is well again.")
    score: float | None = Field(description="The conversion drawn; null in mode `ordered`.")

    @classmethod
    def of(cls, ranked: Ranked) -> "RankedOut":
        """Return the model of a route in its place."""
        entrant = ranked.entrant
        return cls.model_construct(
            route=entrant.id,
            group=entrant.group,
            place=entrant.place,
            price_micros=entrant.price_micros,
            alpha=entrant.alpha,
            beta=entrant.beta,
            tries=entrant.tries,
            probes=entrant.probes,
            score=ranked.score,
        )


class RemovedOut(BaseModel):
    """A route that could not be taken, and every rule that says so."""

    route: str
    rules: list[Rule]

    @classmethod
    def of(cls, removed: Removed) -> "RemovedOut":
        """Return the model of a route that was removed."""
        return cls.model_construct(route=removed.id, rules=list(removed.rules))


class ChoiceOut(BaseModel):
    """One choice: `ranked` best first, of which the first was taken. The same seed makes it again."""

    mode: Mode
    seed: int
    degraded: bool = Field(description="Nothing was healthy: the least bad was taken.")
    ranked: list[RankedOut]
    removed: list[RemovedOut]

    @classmethod
    def of(cls, explanation: Explanation) -> "ChoiceOut":
        """Return the model of a choice."""
        return cls.model_construct(
            mode=explanation.mode,
            seed=explanation.seed,
            degraded=explanation.is_degraded,
            ranked=[RankedOut.of(each) for each in explanation.ranked],
            removed=[RemovedOut.of(each) for each in explanation.removed],
        )


class ExplainedAttemptOut(BaseModel):
    """An attempt, the reason for its route, and the choice; null for attempts older than this part of the product."""

    attempt_id: str
    number: int = Field(description="1 for the first attempt.")
    reason: str
    choice: ChoiceOut | None

    @classmethod
    def of(cls, explained: ExplainedAttempt) -> "ExplainedAttemptOut":
        """Return the model of an attempt."""
        attempt, explanation = explained.attempt, explained.explanation
        return cls.model_construct(
            attempt_id=attempt_id(attempt.id),
            number=attempt.sequence + 1,
            reason=attempt.reason,
            choice=None if explanation is None else ChoiceOut.of(explanation),
        )


class RoutingOut(BaseModel):
    """Why each attempt of a verification took its route."""

    verification_id: str
    attempts: list[ExplainedAttemptOut]

    @classmethod
    def of(cls, verification: UUID, attempts: Sequence[ExplainedAttempt]) -> "RoutingOut":
        """Return the model of a verification's choices."""
        return cls.model_construct(
            verification_id=verification_id(verification), attempts=[ExplainedAttemptOut.of(each) for each in attempts]
        )


class RouteOut(BaseModel):
    """How a group of routes fares towards a country."""

    country: str
    group: str = Field(description="Carrier, pool, kind of sender and channel.", examples=["alpha/GB/long_code/sms"])
    conversion: float = Field(description="The share of codes that is expected to come back.")
    proved: float = Field(description="Codes proved, of about the last hundred outcomes of the country.")
    unproved: float
    breaker: BreakerState
    probe_at: Instant | None = Field(description="When the next message may find out whether the carrier is back.")
    demoted_at: Instant | None
    demoted_for: str | None
    receipt_wait_s: int | None = Field(description="How long a receipt is awaited; 0: its silence says nothing.")
    verify_wait_s: int | None = Field(description="How long a code usually takes at most; null until it is learnt.")

    @classmethod
    def of(cls, view: RouteView) -> "RouteOut":
        """Return the model of a group of routes."""
        return cls.model_construct(**{name: getattr(view, name) for name in RouteView.__slots__})


class ConnectionOut(BaseModel):
    """How a carrier's connection in a region fares, whatever the country."""

    carrier: str
    region: str
    breaker: BreakerState
    probe_at: Instant | None = Field(description="When the next message may find out whether the carrier is back.")

    @classmethod
    def of(cls, view: ConnectionView) -> "ConnectionOut":
        """Return the model of a connection."""
        return cls.model_construct(
            carrier=view.carrier, region=view.region, breaker=view.breaker, probe_at=view.probe_at
        )


class DecisionOut(BaseModel):
    """What was decided about a route or a number, and the figures that it rests on."""

    country: str
    kind: Decided
    subject: str = Field(description="A group of routes, a connection (country `**`), or the id of a number.")
    evidence: dict[str, str | int | bool | None]
    decided_at: Instant

    @classmethod
    def of(cls, facts: DecisionFacts) -> "DecisionOut":
        """Return the model of a decision."""
        return cls.model_construct(
            country=facts.country,
            kind=facts.kind,
            subject=facts.subject,
            evidence=dict(facts.evidence),
            decided_at=facts.decided_at,
        )


class RoutesHealthOut(BaseModel):
    """How routes and carriers' connections fare, and what was decided lately, newest first."""

    routes: list[RouteOut]
    connections: list[ConnectionOut]
    decisions: list[DecisionOut]

    @classmethod
    def of(cls, health: RoutesHealth) -> "RoutesHealthOut":
        """Return the model of the routes' health."""
        return cls.model_construct(
            routes=[RouteOut.of(each) for each in health.routes],
            connections=[ConnectionOut.of(each) for each in health.connections],
            decisions=[DecisionOut.of(each) for each in health.decisions],
        )


class DryRunIn(StrictBody):
    """To which number a message would be."""

    to: str = Field(
        description="The number in E.164: +, country code, number.", examples=["+447700900123"], max_length=1024
    )
    channel: Channel = Channel.SMS


class DryRunOut(BaseModel):
    """Which route a message would take now; null where there is none, and `reason` says why."""

    country: str
    mode: Mode
    route: str | None
    reason: str
    price_micros: int | None
    receipt_wait_s: int | None
    choice: ChoiceOut | None

    @classmethod
    def of(cls, run: DryRun) -> "DryRunOut":
        """Return the model of a dry run."""
        return cls.model_construct(
            country=run.country,
            mode=run.mode,
            route=run.route,
            reason=run.reason,
            price_micros=run.price_micros,
            receipt_wait_s=run.receipt_wait_s,
            choice=None if run.explanation is None else ChoiceOut.of(run.explanation),
        )
