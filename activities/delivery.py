"""Submitting a message: never the same attempt twice, and no transaction open while a carrier is on the line."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from temporalio import activity

from carriers.protocol import Answer, Carrier, Message
from domain.events import NewEvent
from domain.facts import Price
from domain.messages import SendOrder, Submission
from domain.statuses import (
    AttemptStatus,
    Channel,
    Environment,
    FailureClass,
    SubmissionStatus,
    VerificationStatus,
)
from domain.verification_events import AttemptWords, abandoned, answered
from rules.content.text import compose
from rules.routing.capacity import (
    COMES_EARLY_S,
    LOOKS_EVERY_S,
    MICROS,
    THROTTLED_PAUSE_S,
    WAITS_HERE_AT_MOST_S,
    WAITS_HERE_S,
    connection_bucket,
)
from rules.routing.failover import LEASE_LOST_CODE
from security.codes import code_for
from security.columns import Sealer
from security.keyring import KeyRing
from store.answers import record_answer
from store.attempts import read_attempt
from store.beginning import begin
from store.capacity import slow_bucket
from store.engine import Database
from store.events import emit
from store.fences import go_on
from store.queueing import queue
from store.submissions import Begun, settle_unsent
from store.verifications import hold_verification

_NO_CARRIER = Answer(
    status=SubmissionStatus.REJECTED, failure_class=FailureClass.ROUTE_TEMPORARY, carrier_code="not-configured"
)
# Its turn would come after its code has ended.
NO_CAPACITY_CODE = "no-capacity"
# What an attempt's status says about a submission that was settled before.
_SETTLED = {
    AttemptStatus.REJECTED: SubmissionStatus.REJECTED,
    AttemptStatus.THROTTLED: SubmissionStatus.THROTTLED,
    AttemptStatus.UNKNOWN: SubmissionStatus.UNKNOWN,
}


class DeliveryActivities:
    """Submit one message at a time, never the same one twice."""

    def __init__(
        self,
        *,
        database: Database,
        carriers: Mapping[str, Carrier],
        keys: KeyRing,
        numbers: Sealer,
        templates: Mapping[str, str],
        scripted: frozenset[str] = frozenset(),
    ) -> None:
        """Take the carriers' adapters; those named as scripted reach nobody, and are the sandbox's alone."""
        self._database = database
        self._carriers = carriers
        self._keys = keys
        self._numbers = numbers
        self._templates = templates
        self._scripted = scripted

    @activity.defn
    async def send(self, order: SendOrder) -> Submission:
        """Submit a message and say what the carrier answered.

        A carrier that stays silent yields `unknown`, and so does an attempt that an earlier try of this activity left
        in `submitting`: either may have been sent, and asking again could send a second one.
        """
        begun = await self._begin(order)
        if isinstance(begun, Submission):
            return begun
        carrier = self._carrier_of(begun)
        asked = time.monotonic()
        answer = _NO_CARRIER if carrier is None else await carrier.submit(await self._message(order.attempt_id, begun))
        await record_answer(
            self._database,
            order.attempt_id,
            _event(order.attempt_id, begun, answer, latency_ms=round((time.monotonic() - asked) * 1000)),
            status=answer.status,
            failure_class=answer.failure_class,
            carrier_code=answer.carrier_code,
            carrier_message_id=answer.carrier_message_id,
        )
        if answer.status is SubmissionStatus.THROTTLED:
            await self._slow(begun)
        return Submission(attempt_id=order.attempt_id, status=answer.status, failure_class=answer.failure_class)

    async def _begin(self, order: SendOrder) -> Begun | Submission:
        """Take the attempt, once its turn is there; or say what is known of it where that cannot be waited for here."""
        came = time.monotonic()
        while (begun := await begin(self._database, order.attempt_id)) is None:
            instead = await self._instead(order)
            if instead is not None:
                waited_s = time.monotonic() - came
                if instead.wait_s > WAITS_HERE_S or waited_s + instead.wait_s > WAITS_HERE_AT_MOST_S:
                    return replace(instead, wait_s=max(instead.wait_s - COMES_EARLY_S, instead.wait_s / 2))
                if not instead.wait_s:
                    return instead
                await asyncio.sleep(min(instead.wait_s, LOOKS_EVERY_S))
        return begun

    def _carrier_of(self, begun: Begun) -> Carrier | None:
        """Return the adapter; a code that somebody waits for never goes to a carrier that plays the outside world."""
        if begun.carrier in self._scripted and begun.environment != Environment.SANDBOX:
            return None
        return self._carriers.get(begun.carrier)

    async def _slow(self, begun: Begun) -> None:
        """Let nothing through to a carrier for a moment, where its connection has a rate: it said "too fast"."""
        async with self._database.statement() as connection:
            name = connection_bucket(begun.carrier, region=begun.region)
            await slow_bucket(connection, name, pause_us=THROTTLED_PAUSE_S * MICROS)

    async def _instead(self, order: SendOrder) -> Submission | None:
        """Say what is known of an attempt that cannot be begun (again); None: now it can."""
        async with self._database.transaction() as connection:
            verification = await hold_verification(connection, order.verification_id)
            code = "abandoned"
            if verification is not None and verification.status_now is VerificationStatus.PENDING:
                queued = await queue(connection, order.attempt_id)
                if queued is not None and queued.until < verification.expires_at:
                    return Submission(attempt_id=order.attempt_id, status=None, wait_s=queued.wait_s)
                if queued is None and await go_on(connection, order.attempt_id):
                    return None
                # Planned still, and in time: what it may not do is leave with its number, or leave in time.
                code = LEASE_LOST_CODE if queued is None else NO_CAPACITY_CODE
            was_unsent = await settle_unsent(connection, order.attempt_id, code=code)
            found = await read_attempt(connection, order.attempt_id)
            if was_unsent and found is not None and verification is not None:
                await emit(connection, abandoned(verification, found[1]))
        if found is None or found[1].submitting_at is None:
            return Submission(attempt_id=order.attempt_id, status=None)
        status = _SETTLED.get(found[1].status, SubmissionStatus.ACCEPTED)
        return Submission(attempt_id=order.attempt_id, status=status, failure_class=found[1].failure_class)

    async def _message(self, attempt_id: UUID, begun: Begun) -> Message:
        code_key = await self._keys.codes.version(begun.code_key_version)
        code = code_for(
            code_key.secret,
            verification_id=begun.verification_id,
            counter=begun.sequence,
            length=begun.code_length,
        )
        left_s = int((begun.expires_at - begun.read_at).total_seconds())
        return Message(
            attempt_id=attempt_id,
            account_id=begun.account_id,
            to=await self._numbers.open(
                begun.number_sealed, account_id=begun.account_id, row=begun.verification_id, person=begun.person_salt
            ),
            sender=begun.sender,
            text=compose(self._templates, locale=begun.locale, code=code, brand=begun.brand, ttl_s=left_s),
            validity_s=max(1, left_s),
        )


def _event(attempt_id: UUID, begun: Begun, answer: Answer, *, latency_ms: int) -> NewEvent:
    words = AttemptWords(
        verification_id=begun.verification_id,
        account_id=begun.account_id,
        environment=Environment(begun.environment),
        country=begun.country,
        attempt_id=attempt_id,
        sequence=begun.sequence,
        send=begun.send,
        channel=Channel(begun.channel),
        carrier=begun.carrier,
        region=begun.region,
        pool_country=begun.pool_country,
        price=Price(micros=begun.price_micros, currency=begun.currency),
    )
    return answered(
        words,
        status=answer.status,
        latency_ms=latency_ms,
        failure_class=answer.failure_class,
        carrier_code=answer.carrier_code,
    )
