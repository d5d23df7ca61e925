"""The way from a use case to its workflow: start it, tell it something, and say so when Temporal is away."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import TemporalUnavailableError
from domain.ids import verification_id as public_id
from domain.messages import (
    VERIFICATION_QUEUE,
    BadReceipt,
    StartVerification,
    VerificationEnded,
)
from workflows.attributes import ACCOUNT, CARRIER, COUNTRY, ENVIRONMENT
from workflows.verification import VerificationWorkflow

# A caller is told within three seconds of its arrival that nothing was started; the rest of them is for writing the
# rows and for taking them back.
PATIENCE_S = 2.0
# After Temporal did not answer, nobody else waits for it for so long.
_BELIEVED_AWAY_S = 0.5
# Where no caller waits, a slow Temporal is worth waiting for.
_UNHURRIED_S = 10.0
# Answers that are no absence: the workflow is not there, or we asked for something wrong.
_OUR_FAULT = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.ALREADY_EXISTS})
_log = structlog.get_logger()


class WorkflowGateway(Protocol):
    """What the use cases need of the way to workflows."""

    async def ping(self) -> None:
        """Ask Temporal for a word, or raise."""
        ...

    async def start(self, start: StartVerification, *, account_id: UUID) -> None:
        """Start a verification's workflow, or raise `TemporalUnavailableError`."""
        ...

    async def send_another(self, start: StartVerification, *, account_id: UUID) -> None:
        """Have a workflow send `start.first`, or raise `TemporalUnavailableError`."""
        ...

    async def receipt_was_bad(self, verification_id: UUID, *, attempt_id: UUID) -> None:
        """Tell a workflow that a message did not arrive, or raise `TemporalUnavailableError`."""
        ...

    def tell_ended(self, verification_id: UUID, ended: VerificationEnded) -> None:
        """Tell a workflow, without waiting, that the database holds an end state."""
        ...

    async def drain(self) -> None:
        """Wait until everything that was to be told without waiting has been told, or given up."""
        ...


class VerificationWorkflows:
    """Starts and signals verification workflows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._untold: set[asyncio.Task[None]] = set()
        self._believed_away_until = 0.0

    async def ping(self) -> None:
        """Ask Temporal for a word, or raise."""
        await self._client.service_client.check_health(timeout=timedelta(seconds=PATIENCE_S))

    async def start(self, start: StartVerification, *, account_id: UUID) -> None:
        """Start a verification's workflow; one that is running already is left as it is.

        Raises:
            TemporalUnavailableError: Temporal did not answer in time; it may yet have heard.

        """
        await self._begin(start, account_id=account_id)

    async def send_another(self, start: StartVerification, *, account_id: UUID) -> None:
        """Have a running workflow send `start.first`; one that is gone is started anew with it.

        Raises:
            TemporalUnavailableError: as above.

        """
        await self._begin(start, account_id=account_id, signal="resend_asked", words=[start.first])

    async def receipt_was_bad(self, verification_id: UUID, *, attempt_id: UUID) -> None:
        """Tell a workflow that an attempt's message did not arrive; one that has ended needs no telling.

        Raises:
            TemporalUnavailableError: Temporal did not answer in time; the carrier should repeat its receipt.

        """
        handle = self._client.get_workflow_handle_for(VerificationWorkflow.run, _workflow_id(verification_id))
        signal = handle.signal(VerificationWorkflow.receipt_was_bad, BadReceipt(attempt_id=attempt_id))
        await _unless_gone(in_time(signal))

    def tell_ended(self, verification_id: UUID, ended: VerificationEnded) -> None:
        """Tell a workflow, without waiting, that the database holds an end state.

        A word that gets lost costs nothing but time: the workflow reads the database before its own last word.
        """
        task = asyncio.create_task(self._tell_ended(verification_id, ended))
        self._untold.add(task)
        task.add_done_callback(self._untold.discard)

    async def drain(self) -> None:
        """Wait until everything that was to be told without waiting has been told, or given up."""
        await asyncio.gather(*self._untold)

    async def _tell_ended(self, verification_id: UUID, ended: VerificationEnded) -> None:
        handle = self._client.get_workflow_handle_for(VerificationWorkflow.run, _workflow_id(verification_id))
        signal = handle.signal(VerificationWorkflow.ended, ended)
        try:
            await _unless_gone(in_time(signal, patience_s=_UNHURRIED_S))
        except TemporalUnavailableError:
            _log.warning("workflow_not_told", verification=public_id(verification_id), status=ended.status)

    async def _begin(
        self, start: StartVerification, *, account_id: UUID, signal: str | None = None, words: Sequence[object] = ()
    ) -> None:
        if asyncio.get_running_loop().time() < self._believed_away_until:
            raise _away()
        try:
            await self._begin_in_time(start, account_id, signal, words)
        except TemporalUnavailableError:
            self._believed_away_until = asyncio.get_running_loop().time() + _BELIEVED_AWAY_S
            raise

    async def _begin_in_time(
        self, start: StartVerification, account_id: UUID, signal: str | None, words: Sequence[object]
    ) -> None:
        first = start.first
        await in_time(
            self._client.start_workflow(
                VerificationWorkflow.run,
                start,
                id=_workflow_id(start.verification_id),
                task_queue=VERIFICATION_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=signal,
                start_signal_args=words,
                rpc_timeout=timedelta(seconds=PATIENCE_S),
                static_summary=f"{first.channel.upper()} to {start.country}, first via {first.carrier}",
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(ACCOUNT, str(account_id)),
                        SearchAttributePair(COUNTRY, start.country),
                        SearchAttributePair(CARRIER, first.carrier),
                        SearchAttributePair(ENVIRONMENT, start.environment.value),
                    ]
                ),
            )
        )


def _workflow_id(verification_id: UUID) -> str:
    return f"verification/{public_id(verification_id)}"


async def in_time(call: Awaitable[object], *, patience_s: float = PATIENCE_S) -> None:
    """Wait for a call, by default for as long as a caller can be kept, and give every kind of absence one name."""
    try:
        async with asyncio.timeout(patience_s):
            await call
    except RPCError as error:
        if error.status in _OUR_FAULT:
            raise
        raise _away() from error
    # A client that has never been connected says so with a bare RuntimeError.
    except (TimeoutError, RuntimeError) as error:
        raise _away() from error


async def _unless_gone(call: Awaitable[None]) -> None:
    """Let pass that the workflow has ended: then it knows."""
    try:
        await call
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _away() -> TemporalUnavailableError:
    return TemporalUnavailableError("The workflow service does not answer; nothing was started.", retry_after_s=2)
