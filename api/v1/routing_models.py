"""What is told of choices of routes: Pydantic models, used at this edge and nowhere else."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, Field

from domain.ids import attempt_id, verification_id
from domain.routing import Mode
from rules.routing.eligibility import Removed, Rule
from rules.routing.explanation import Explanation
from rules.routing.ranking import Ranked
from services.routing import ExplainedAttempt


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
