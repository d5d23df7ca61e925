"""The drill against the product: messages at an even pace, carriers that fail, codes that come back late.

A discrete-event loop moves the clock from one thing that happens to the next; nothing waits.
"""

import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from uuid import UUID

from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from activities.pool_health import PoolHealthActivities
from bench.outage.carriers import Behaviour, ScriptedCarrier
from bench.outage.town import REGION, Town
from bench.outage.world import ROUTES
from carriers.protocol import Message
from domain.errors import VerificationFinishedError
from domain.ids import new_id
from domain.messages import FailOverCause, FailOverRequest, NextStepKind, PlannedAttempt, SendOrder
from domain.phone import parse_phone
from domain.statuses import ReceiptStatus, SubmissionStatus
from rules.routing.number_life import ROUTING_LEASE_S
from runtime.settings import reference
from runtime.setup import number_sealer
from services.route_learning import RouteLearning
from services.sends import StartRequest
from store.routing_leases import hold_region
from store.submissions import record_receipt

_CODE = re.compile(r"\b\d{6}\b")
_RECEIPT_AFTER_S, _HANGS_S = 2.0, 3.0
_LEARN_EVERY_S, _JUDGE_EVERY_S, _HOLD_EVERY_S = 0.5, 10.0, 5.0
_Step = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Asked:
    """One message that was asked for: its first route, when it arrived, whether its code came back."""

    at_s: float
    route: str | None = None
    price_micros: int = 0
    arrived_s: float | None = None
    is_proved: bool = False


class Drill:
    """Runs messages through a town."""

    def __init__(
        self, town: Town, *, behave: Callable[[str, float], Behaviour], seed: int, typed_after_s: float
    ) -> None:
        self._town, self._behave = town, behave
        self._rng = random.Random(f"{seed}/product")
        self._typed_after_s = typed_after_s
        self._steps: list[tuple[float, int, _Step]] = []
        self._order = count()
        self._verification_of: dict[UUID, UUID] = {}
        self.asked: dict[UUID, Asked] = {}
        carriers = {
            each.name: ScriptedCarrier(
                name=each.name, behave=lambda name: behave(name, town.clock.now_s), took=self._took
            )
            for each in ROUTES
        }
        self._delivery = DeliveryActivities(
            database=town.database,
            carriers=carriers,
            keys=town.keys,
            numbers=number_sealer(town.keys),
            templates=reference("templates.json"),
        )
        self._planning = PlanningActivities(database=town.database, router=town.router)
        self._health = PoolHealthActivities(database=town.database)
        self._learning = RouteLearning(database=town.database)

    async def run(self, *, messages: int, per_s: float) -> Sequence[Asked]:
        """Ask for messages at an even pace and let everything happen; return what became of each, in order."""
        ends_s = messages / per_s + self._typed_after_s + 60
        for number in range(messages):
            self._at(number / per_s, partial(self._ask, number))
        for every_s, what in (
            (_LEARN_EVERY_S, self._learn),
            (_JUDGE_EVERY_S, self._judge),
            (_HOLD_EVERY_S, self._hold),
        ):
            self._every(every_s, what, until_s=ends_s)
        await self._town.sends.make_ready(self._town.caller)
        while self._steps and self._steps[0][0] <= ends_s:
            at_s, _, step = heappop(self._steps)
            self._town.clock.now_s = max(self._town.clock.now_s, at_s)
            await step()
        return list(self.asked.values())

    def _at(self, at_s: float, step: _Step) -> None:
        heappush(self._steps, (at_s, next(self._order), step))

    def _every(self, every_s: float, step: _Step, *, until_s: float) -> None:
        async def again() -> None:
            await step()
            if self._now_s + every_s <= until_s:
                self._at(self._now_s + every_s, again)

        self._at(0.0, again)

    @property
    def _now_s(self) -> float:
        return self._town.clock.now_s

    async def _ask(self, number: int) -> None:
        phone = parse_phone(f"+4474{number:08d}", environment=self._town.caller.environment)
        row = new_id()
        async with self._town.database.transaction() as connection:
            request = StartRequest(to=phone.e164)
            written = await self._town.sends.start(connection, self._town.caller, phone, request, new_id=row)
        self.asked[row] = Asked(
            at_s=self._now_s,
            route=written.attempt.carrier,
            price_micros=next(each.price_micros for each in ROUTES if each.name == written.attempt.carrier),
        )
        await self._send(row, written.attempt)

    async def _send(self, row: UUID, attempt: PlannedAttempt) -> None:
        """Do as the workflow does with one attempt."""
        self._verification_of[attempt.attempt_id] = row
        order = SendOrder(verification_id=row, attempt_id=attempt.attempt_id)
        submission = await self._delivery.send(order)
        if submission.wait_s:
            self._at(self._now_s + submission.wait_s, lambda: self._send(row, attempt))
        elif submission.status is not SubmissionStatus.ACCEPTED:
            after_s = _HANGS_S if submission.status is SubmissionStatus.UNKNOWN else 0.0
            self._at(self._now_s + after_s, lambda: self._fail_over(row, attempt, FailOverCause.SUBMISSION))
        elif attempt.receipt_wait_s:
            due_s = self._now_s + attempt.receipt_wait_s
            self._at(due_s, lambda: self._fail_over(row, attempt, FailOverCause.NO_RECEIPT))

    async def _fail_over(self, row: UUID, attempt: PlannedAttempt, cause: FailOverCause) -> None:
        request = FailOverRequest(verification_id=row, attempt_id=attempt.attempt_id, cause=cause)
        step = await self._planning.plan_next(request)
        if step.kind is NextStepKind.SEND and step.attempt is not None:
            await self._send(row, step.attempt)

    def _took(self, carrier: str, message: Message, behaviour: Behaviour) -> None:
        """Have what a carrier took arrive, be reported and be typed."""
        row, attempt_id = self._verification_of[message.attempt_id], message.attempt_id
        if behaviour.has_receipt:
            self._at(self._now_s + _RECEIPT_AFTER_S, lambda: self._report(carrier, attempt_id))
        if not behaviour.arrives:
            return
        asked = self.asked[row]
        asked.arrived_s = self._now_s if asked.arrived_s is None else asked.arrived_s
        if self._rng.random() < behaviour.conversion:
            found = _CODE.search(message.text)
            assert found is not None  # noqa: S101 - a message without a code is no message of ours
            self._at(self._now_s + self._typed_after_s, lambda: self._type(row, found[0]))

    async def _report(self, carrier: str, attempt_id: UUID) -> None:
        async with self._town.database.transaction() as connection:
            await record_receipt(connection, attempt_id, carrier=carrier, status=ReceiptStatus.DELIVERED)

    async def _type(self, row: UUID, code: str) -> None:
        try:
            outcome = await self._town.checks.check(self._town.caller, row, code)
        except VerificationFinishedError:
            return
        self.asked[row].is_proved = outcome.valid

    async def _learn(self) -> None:
        while await self._learning.learn():
            continue

    async def _judge(self) -> None:
        await self._health.judge_pools()

    async def _hold(self) -> None:
        async with self._town.database.statement() as connection:
            await hold_region(connection, REGION, lasts_s=ROUTING_LEASE_S)
