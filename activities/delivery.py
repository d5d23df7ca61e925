"""Submitting a message: never the same attempt twice, and no transaction open while a carrier is on the line."""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio import activity

from carriers.protocol import Answer, Carrier, Message
from domain.facts import AttemptFacts, VerificationFacts
from domain.messages import SendOrder, Submission
from domain.statuses import AttemptStatus, FailureClass, SubmissionStatus
from rules.content.text import compose
from security.codes import code_for
from security.columns import ColumnCipher
from security.keyring import KeyRing
from store.attempts import read_attempt
from store.engine import Database
from store.submissions import begin_submission, record_answer, settle_unsent
from store.verifications import read_verification

_NO_CARRIER = Answer(
    status=SubmissionStatus.REJECTED, failure_class=FailureClass.ROUTE_TEMPORARY, carrier_code="not-configured"
)
# What an attempt's status says about a submission that was settled before.
_SETTLED = {
    AttemptStatus.REJECTED: SubmissionStatus.REJECTED,
    AttemptStatus.THROTTLED: SubmissionStatus.THROTTLED,
    AttemptStatus.UNKNOWN: SubmissionStatus.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class _Won:
    """A submission that this try, and no other, may make."""

    attempt: AttemptFacts
    verification: VerificationFacts


class DeliveryActivities:
    """Submit one message at a time, never the same one twice."""

    def __init__(
        self,
        *,
        database: Database,
        carriers: Mapping[str, Carrier],
        keys: KeyRing,
        numbers: ColumnCipher,
        templates: Mapping[str, str],
    ) -> None:
        self._database = database
        self._carriers = carriers
        self._keys = keys
        self._numbers = numbers
        self._templates = templates

    @activity.defn
    async def send(self, order: SendOrder) -> Submission:
        """Submit a message and say what the carrier answered.

        A carrier that stays silent yields `unknown`, and so does an attempt that an earlier try of this activity left
        in `submitting`: either may have been sent, and asking again could send a second one.
        """
        won = await self._begin(order)
        if won is None:
            return await self._settled(order)
        carrier = self._carriers.get(won.attempt.carrier)
        answer = _NO_CARRIER if carrier is None else await carrier.submit(self._message(won))
        async with self._database.statement() as connection:
            await record_answer(
                connection,
                order.attempt_id,
                status=answer.status,
                failure_class=answer.failure_class,
                carrier_code=answer.carrier_code,
                carrier_message_id=answer.carrier_message_id,
            )
        return Submission(attempt_id=order.attempt_id, status=answer.status, failure_class=answer.failure_class)

    async def _begin(self, order: SendOrder) -> _Won | None:
        async with self._database.transaction() as connection:
            if await begin_submission(connection, order.attempt_id) is None:
                return None
            attempt = await read_attempt(connection, order.attempt_id)
            verification = await read_verification(connection, order.verification_id)
        return None if attempt is None or verification is None else _Won(attempt[1], verification)

    async def _settled(self, order: SendOrder) -> Submission:
        """Say what is known of an attempt that cannot be begun (again)."""
        async with self._database.transaction() as connection:
            await settle_unsent(connection, order.attempt_id, code="abandoned")
            found = await read_attempt(connection, order.attempt_id)
        if found is None or found[1].submitting_at is None:
            return Submission(attempt_id=order.attempt_id, status=None)
        status = _SETTLED.get(found[1].status, SubmissionStatus.ACCEPTED)
        return Submission(attempt_id=order.attempt_id, status=status, failure_class=found[1].failure_class)

    def _message(self, won: _Won) -> Message:
        verification, attempt = won.verification, won.attempt
        code = code_for(
            self._keys.codes,
            verification_id=verification.id,
            counter=attempt.sequence,
            length=verification.code_length,
        )
        left_s = int((verification.expires_at - verification.read_at).total_seconds())
        return Message(
            attempt_id=attempt.id,
            to=self._numbers.decrypt(
                verification.number_sealed, account_id=verification.account_id, row=verification.id
            ),
            sender=attempt.sender,
            text=compose(
                self._templates, locale=verification.locale, code=code, brand=verification.brand, ttl_s=left_s
            ),
            validity_s=max(1, left_s),
        )
