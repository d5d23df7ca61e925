"""Starting, resending and cancelling: one transaction for the facts, then a word to the workflow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import AuditEntry
from domain.errors import NotFoundError, TemporalUnavailableError
from domain.facts import Caller, VerificationFacts, VerificationView
from domain.ids import new_id
from domain.messages import VerificationEnded
from domain.phone import parse_phone
from domain.statuses import VerificationStatus
from services.idempotency import Idempotency, Repeatable, RepeatedError, StoredAnswer
from services.limit_events import LimitEvents
from services.presenting import Presenter, finished
from services.reading import Reading
from services.sends import Sends, StartRequest, Written
from services.workflow_gateway import PATIENCE_S, WorkflowGateway
from store import audit
from store.attempts import attempts_of
from store.blocks import unblock_number
from store.engine import Database
from store.guards import unlock
from store.verifications import conclude, read_verification_of

_CREATED, _OK = 201, 200
# However slow the database was, Temporal gets a chance.
_LEAST_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a start or a resend, and the status to answer it with."""

    view: VerificationView
    status: int


class Verifications:
    """Start, resend and cancel verifications."""

    def __init__(
        self,
        *,
        database: Database,
        sends: Sends,
        presenter: Presenter,
        reading: Reading,
        workflows: WorkflowGateway,
        idempotency: Idempotency,
        failures_cap: int,
    ) -> None:
        self._database = database
        self._sends = sends
        self._presenter = presenter
        self._reading = reading
        self._workflows = workflows
        self._idempotency = idempotency
        self._failures_cap = failures_cap
        self._limit_events = LimitEvents(database)

    async def start(
        self, caller: Caller, request: StartRequest, *, repeatable: Repeatable | None = None
    ) -> Done | StoredAnswer:
        """Start verifying a number, or send its pending verification's message once more.

        Raises:
            InvalidNumberError, UnknownCountryError, NumberTypeError: the text names no number that may be verified.
            TooSoonError, NumberLimitError, NumberLockedError, CheckTooSoonError: a limit of the number forbids it.
            AccountSuspendedError, AccountSendLimitError: the account may send nothing, or nothing more today.
            TemporalUnavailableError: nothing was started, and nothing is left behind.

        """
        phone = parse_phone(request.to, environment=caller.environment)
        verification_id = new_id()
        await self._sends.make_ready(caller)

        async def write(connection: AsyncConnection) -> Written:
            await self._idempotency.claim(connection, caller, repeatable, verification_id=verification_id)
            written = await self._sends.start(connection, caller, phone, request, new_id=verification_id)
            if not written.is_new:
                await self._idempotency.attach(connection, caller, repeatable, verification_id=written.facts.id)
            return written

        subject = str(self._sends.number_key(caller, phone)["of_number"])
        async with self._limit_events.telling(caller, subject=subject, phone=phone):
            return await self._do(caller, write, repeatable)

    async def resend(
        self, caller: Caller, verification_id: UUID, *, repeatable: Repeatable | None = None
    ) -> Done | StoredAnswer:
        """Send one more message of a pending verification; its wrong guesses stay counted.

        Raises:
            NotFoundError: the account has no such verification.
            VerificationFinishedError: it has ended.
            TooSoonError, NumberLimitError, NumberLockedError: a limit of the number forbids it.
            AccountSuspendedError, AccountSendLimitError: the account may send nothing, or nothing more today.
            TemporalUnavailableError: nothing was sent.

        """

        async def write(connection: AsyncConnection) -> Written:
            await self._idempotency.claim(connection, caller, repeatable, verification_id=verification_id)
            pending = await _of_caller(connection, caller, verification_id)
            return await self._sends.resend(connection, caller, pending)

        return await self._do(caller, write, repeatable)

    async def cancel(self, caller: Caller, verification_id: UUID) -> VerificationView:
        """End a pending verification; its codes are worth nothing from then on.

        Raises:
            NotFoundError: the account has no such verification.
            VerificationFinishedError: it has ended already.

        """
        async with self._database.transaction() as connection:
            before = await _of_caller(connection, caller, verification_id)
            if before.status_now is not VerificationStatus.PENDING:
                raise finished(before)
            after = await conclude(
                connection,
                verification_id,
                status=VerificationStatus.CANCELED,
                reason="canceled_by_account",
                failures_cap=self._failures_cap,
            )
            if after is None:
                raise finished(await _of_caller(connection, caller, verification_id))
            attempts = await attempts_of(connection, verification_id)
        self._workflows.tell_ended(verification_id, VerificationEnded(status=after.status, reason=after.reason))
        return await self._presenter.show(after, None, attempts)

    async def unlock(self, caller: Caller, to: str) -> bool:
        """Forget a number's failures and lift its lock, up to the day's hard limit; say whether the number was known.

        Raises:
            InvalidNumberError, UnknownCountryError, NumberTypeError: the text names no number that may be verified.

        """
        phone = parse_phone(to, environment=caller.environment)
        number = self._sends.number_key(caller, phone)
        entry = AuditEntry(
            account_id=caller.account_id,
            environment=caller.environment,
            actor=caller.actor,
            action="number.unlocked",
            subject=number.subject,
        )
        async with self._database.transaction() as connection:
            was_known = await unlock(connection, number)
            if was_known:
                await unblock_number(connection, number)
                await audit.record(connection, entry)
        return was_known

    async def _do(
        self,
        caller: Caller,
        write: Callable[[AsyncConnection], Awaitable[Written]],
        repeatable: Repeatable | None,
    ) -> Done | StoredAnswer:
        """Write, tell the workflow, keep the answer; take everything back when the workflow cannot be told."""
        arrived = asyncio.get_running_loop().time()
        try:
            async with self._database.transaction() as connection:
                written = await write(connection)
        except RepeatedError:
            return await self._answer_again(caller, repeatable)
        try:
            await self._tell(written, caller, arrived=arrived)
        except TemporalUnavailableError:
            # Raised after the transaction: inside, it would roll the taking back back.
            if await self._take_back(caller, written, repeatable):
                raise
        view = await self._presenter.show(
            written.facts, written.sends, written.attempts, planned_wait_s=written.verify_wait_s, to=written.to
        )
        status = _CREATED if written.is_new else _OK
        await self._idempotency.keep(caller, repeatable, status=status, view=view)
        return Done(view=view, status=status)

    async def _tell(self, written: Written, caller: Caller, *, arrived: float) -> None:
        """Tell the workflow within the patience that is left of the caller's, of which writing has taken some."""
        tell = self._workflows.start if written.is_new else self._workflows.send_another
        until = max(arrived + PATIENCE_S, asyncio.get_running_loop().time() + _LEAST_PATIENCE_S)
        try:
            async with asyncio.timeout_at(until):
                await tell(written.as_start(), account_id=caller.account_id)
        except TimeoutError:
            raise TemporalUnavailableError(
                "The workflow service does not answer; nothing was started.", retry_after_s=2
            ) from None

    async def _take_back(self, caller: Caller, written: Written, repeatable: Repeatable | None) -> bool:
        async with self._database.transaction() as connection:
            taken_back = await self._sends.take_back(connection, written)
            if taken_back:
                await self._idempotency.release(connection, caller, repeatable)
        return taken_back

    async def _answer_again(self, caller: Caller, repeatable: Repeatable | None) -> Done | StoredAnswer:
        assert repeatable is not None  # noqa: S101 - only a request with a key can have been claimed before
        answer = await self._idempotency.answer_again(caller, repeatable)
        if isinstance(answer, StoredAnswer):
            return answer
        return Done(view=await self._reading.read(caller, answer), status=_OK)


async def _of_caller(connection: AsyncConnection, caller: Caller, verification_id: UUID) -> VerificationFacts:
    facts = await read_verification_of(
        connection, verification_id, account_id=caller.account_id, environment=caller.environment
    )
    if facts is None:
        raise NotFoundError("This account has no verification with this id.")
    return facts
