"""Activities that answer as they are told, and remember what they were asked."""

import asyncio
from collections.abc import Iterable
from typing import Protocol, TypeVar

from temporalio import activity

from activities.conclusion import ConclusionActivities
from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from domain.messages import (
    Concluded,
    Conclusion,
    FailOverRequest,
    NextStep,
    NextStepKind,
    PlannedAttempt,
    SendOrder,
    Submission,
)
from domain.statuses import SubmissionStatus

ACCEPTED = SubmissionStatus.ACCEPTED
_T = TypeVar("_T")
NO_ROUTE_LEFT = NextStep(kind=NextStepKind.FAIL, reason="no_route_left")


class FakeActivities:
    """The activities of a verification.

    Each answers from its script, in order, and after its end with the last word of it; an exception there is raised.
    An answer in seconds says that the sender's turn has not come.
    `hold` keeps the next calls of an activity waiting until `release`.
    """

    def __init__(
        self,
        *,
        answers: Iterable[SubmissionStatus | Exception | float | None] = (ACCEPTED,),
        steps: Iterable[NextStep | Exception] = (NO_ROUTE_LEFT,),
        conclusions: Iterable[Concluded | Exception | None] = (None,),
    ) -> None:
        self.sent: list[SendOrder] = []
        self.asked: list[FailOverRequest] = []
        self.concluded: list[Conclusion] = []
        self._answers, self._steps, self._conclusions = list(answers), list(steps), list(conclusions)
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, name: str) -> None:
        self._gates[name] = asyncio.Event()

    def release(self, name: str) -> None:
        self._gates[name].set()

    @activity.defn
    async def send(self, order: SendOrder) -> Submission:
        self.sent.append(order)
        await self._pass("send")
        answer = _next(self._answers)
        if isinstance(answer, float):
            return Submission(attempt_id=order.attempt_id, status=None, wait_s=answer)
        return Submission(attempt_id=order.attempt_id, status=answer)

    @activity.defn
    async def plan_next(self, request: FailOverRequest) -> NextStep:
        self.asked.append(request)
        await self._pass("plan_next")
        return _next(self._steps)

    @activity.defn
    async def conclude(self, conclusion: Conclusion) -> Concluded:
        """Answer from the script; where that says None, that what is asked for is what the database holds now."""
        self.concluded.append(conclusion)
        await self._pass("conclude")
        return _next(self._conclusions) or Concluded(status=conclusion.status, reason=conclusion.reason)

    async def _pass(self, name: str) -> None:
        if name in self._gates:
            await self._gates[name].wait()


def send_next(attempt: PlannedAttempt) -> NextStep:
    return NextStep(kind=NextStepKind.SEND, reason=f"next: {attempt.carrier}", attempt=attempt)


def _next(script: list[_T | Exception]) -> _T:
    word = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(word, Exception):
        raise word
    return word


class _Send(Protocol):
    async def send(self, order: SendOrder) -> Submission: ...


class _Plan(Protocol):
    async def plan_next(self, request: FailOverRequest) -> NextStep: ...


class _Conclude(Protocol):
    async def conclude(self, conclusion: Conclusion) -> Concluded: ...


# mypy holds the fakes to what the product's own activities take and give.
_SEND: tuple[type[_Send], type[_Send]] = (DeliveryActivities, FakeActivities)
_PLAN: tuple[type[_Plan], type[_Plan]] = (PlanningActivities, FakeActivities)
_CONCLUDE: tuple[type[_Conclude], type[_Conclude]] = (ConclusionActivities, FakeActivities)
