"""What carriers tell us later: authenticated, stored as a fact, and only a bad word is passed on to the workflow."""

from collections.abc import Mapping

from carriers.protocol import ReceiptNotice, ReceiptReader
from domain.audit import AuditEntry
from domain.errors import NotFoundError, UnauthenticatedError
from domain.events import NewEvent
from domain.facts import AttemptFacts, VerificationFacts
from domain.ids import attempt_id
from domain.statuses import ReceiptStatus, VerificationStatus
from domain.verification_events import receipt_arrived
from services.refusals import MINUTE_S, Refusals
from services.workflow_gateway import WorkflowGateway
from store.attempts import read_attempt
from store.engine import Database
from store.events import emit
from store.submissions import record_receipt
from store.verifications import hold_verification

_BAD = frozenset({ReceiptStatus.UNDELIVERED, ReceiptStatus.EXPIRED, ReceiptStatus.REJECTED})


class Receipts:
    """Takes receipts in."""

    def __init__(
        self,
        *,
        database: Database,
        readers: Mapping[str, ReceiptReader],
        workflows: WorkflowGateway,
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._database = database
        self._readers = readers
        self._workflows = workflows

    async def arrive(self, carrier: str, *, body: bytes, headers: Mapping[str, str]) -> None:
        """Store a receipt. Doubled, reordered and late ones change nothing.

        Raises:
            NotFoundError: no such carrier, or no attempt of it by this name.
            UnauthenticatedError: the receipt is not authentic.
            TemporalUnavailableError: it is stored, but the workflow could not be told; the carrier should repeat it.

        """
        reader = self._readers.get(carrier)
        if reader is None:
            raise NotFoundError("No carrier of this name sends receipts here.")
        notice = reader.read(body=body, headers=dict(headers))
        if notice is None:
            self._note(carrier, why="signature", subject=None)
            raise UnauthenticatedError("The receipt's signature or time is not right.")
        await self._store(carrier, notice)

    async def _store(self, carrier: str, notice: ReceiptNotice) -> None:
        async with self._database.transaction() as connection:
            found = await read_attempt(connection, notice.attempt_id)
            if found is None or found[1].carrier != carrier:
                self._note(carrier, why="not_its_message", subject=attempt_id(notice.attempt_id))
                raise NotFoundError("This carrier was given no message with this reference.")
            # Before its attempt: the order in which everybody locks them.
            verification = await hold_verification(connection, found[0])
            is_news = await record_receipt(
                connection,
                notice.attempt_id,
                carrier=carrier,
                status=notice.status,
                failure_class=notice.failure_class,
                carrier_code=notice.carrier_code,
            )
            event = None if verification is None or not is_news else _event(verification, found[1], notice)
            if event is not None:
                await emit(connection, event)
        # Also for a repetition: the first telling may have been the one that got lost, and telling twice is harmless.
        is_pending = verification is not None and verification.status is VerificationStatus.PENDING
        if notice.status in _BAD and is_pending:
            await self._workflows.receipt_was_bad(found[0], attempt_id=notice.attempt_id)

    def _note(self, carrier: str, *, why: str, subject: str | None) -> None:
        """Take note of a receipt that is forged, or for a message that was another carrier's or nobody's."""
        entry = AuditEntry(
            account_id=None,
            environment=None,
            actor=f"carrier:{carrier}",
            action="receipt.refused",
            subject=subject,
            details={"why": why},
        )
        self._refusals.note(entry, window_s=MINUTE_S)


def _event(verification: VerificationFacts, attempt: AttemptFacts, notice: ReceiptNotice) -> NewEvent | None:
    return receipt_arrived(
        verification,
        attempt,
        status=notice.status,
        failure_class=notice.failure_class,
        carrier_code=notice.carrier_code,
    )
