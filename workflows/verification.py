"""One verification, from the first send to the last word.

The workflow decides *when*. Activities do the work; pure rules decide *what*. Nothing here reads a clock, a database,
the environment or a random number, and nothing here ever holds a number, a code or a text.
"""

from collections import deque
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

with workflow.unsafe.imports_passed_through():
    from activities.conclusion import ConclusionActivities
    from activities.delivery import DeliveryActivities
    from activities.planning import PlanningActivities
    from domain.messages import (
        BadReceipt,
        Conclusion,
        FailOverCause,
        FailOverRequest,
        NextStepKind,
        PlannedAttempt,
        SendOrder,
        StartVerification,
        Submission,
        VerificationEnded,
        VerificationResult,
        carrier_queue,
    )
    from domain.statuses import SubmissionStatus, VerificationStatus
    from workflows import options
    from workflows.attributes import CARRIER, STATUS

_DEADLINE_PASSED = "deadline_passed"


@workflow.defn
class VerificationWorkflow:
    """Try each route in turn until the user proves the number or time runs out."""

    @workflow.init
    def __init__(self, start: StartVerification) -> None:
        self._id = start.verification_id
        self._country = start.country
        self._deadline = workflow.now() + timedelta(seconds=start.lifetime_s)
        self._current = start.first
        self._to_send = deque([start.first])
        self._known = {start.first.attempt_id}
        self._receipt_due: datetime | None = None
        self._code_due: datetime | None = None
        self._failed: FailOverCause | None = None
        self._ended: VerificationResult | None = None
        self._told: list[str] = []

    @workflow.run
    async def run(self, start: StartVerification) -> VerificationResult:  # noqa: ARG002 - taken by __init__
        """Send what is to be sent, fail over where it did not do, wait for proof, and expire at the deadline."""
        while self._ended is None:
            if self._to_send:
                await self._send(self._to_send.popleft())
            elif self._failed is not None:
                await self._fail_over(self._failed)
            elif workflow.now() < self._deadline:
                await self._wait()
            else:
                await self._conclude(VerificationStatus.EXPIRED, _DEADLINE_PASSED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        # Approval costs no further action: `CountersignStatus` marks the other ends (ADR 0011).
        if self._ended.status is not VerificationStatus.APPROVED:
            workflow.upsert_search_attributes([STATUS.value_set(self._ended.status.value)])
        return self._ended

    @workflow.signal
    def resend_asked(self, attempt: PlannedAttempt) -> None:
        """Send one more attempt. The same one asked for twice is sent once."""
        if attempt.attempt_id not in self._known:
            self._known.add(attempt.attempt_id)
            self._to_send.append(attempt)

    @workflow.signal
    def receipt_was_bad(self, receipt: BadReceipt) -> None:
        """Fail over from the newest attempt; an older one's receipt changes nothing any more."""
        if receipt.attempt_id == self._current.attempt_id:
            self._failed = FailOverCause.BAD_RECEIPT

    @workflow.signal
    def ended(self, ended: VerificationEnded) -> None:
        """Note the end state that the database holds; the first word stands."""
        if self._ended is None:
            self._ended = VerificationResult(status=ended.status, reason=ended.reason, attempts=len(self._known))
            self._tell(f"{ended.status}: {ended.reason}")

    async def _send(self, attempt: PlannedAttempt) -> None:
        """Have one attempt submitted, once, by a worker near its carrier."""
        self._current, self._failed, self._receipt_due, self._code_due = attempt, None, None, None
        what = f"{attempt.channel.upper()} to {self._country} via {attempt.carrier}, sender {attempt.sender}"
        try:
            submission = await self._submit(attempt, what)
            while submission.wait_s and await self._has_turn(what, submission.wait_s):
                submission = await self._submit(attempt, what)
        except ActivityError as error:
            self._failed = _cause_of(error)
            self._tell(f"{what}: {self._failed}")
            return
        self._tell(f"{what}: {submission.status or 'not sent'}")
        if submission.status is not SubmissionStatus.ACCEPTED:
            self._failed = FailOverCause.SUBMISSION
            return
        if attempt.receipt_wait_s:
            self._receipt_due = workflow.now() + timedelta(seconds=attempt.receipt_wait_s)
        self._await_code(attempt.code_wait_s)

    async def _submit(self, attempt: PlannedAttempt, what: str) -> Submission:
        return await workflow.execute_activity_method(
            DeliveryActivities.send,
            SendOrder(verification_id=self._id, attempt_id=attempt.attempt_id),
            task_queue=carrier_queue(attempt.region),
            schedule_to_start_timeout=options.SCHEDULE_TO_START,
            start_to_close_timeout=options.SUBMIT,
            schedule_to_close_timeout=self._time_left() + options.SUBMIT,
            retry_policy=options.SUBMIT_RETRIES,
            summary=what,
            event_groups=[workflow.create_event_group(f"attempt-{attempt.sequence}", label=what)],
        )

    async def _has_turn(self, what: str, wait_s: float) -> bool:
        """Wait until a sender that has no message part left may have one; False when the verification ends before."""
        until = min(workflow.now() + timedelta(seconds=wait_s), self._deadline)
        self._tell(f"{what}: its turn comes at {until:%H:%M:%S}")
        try:
            await workflow.wait_condition(
                lambda: self._ended is not None,
                timeout=until - workflow.now(),
                timeout_summary=f"the sender's turn comes at {until:%H:%M:%S}",
            )
        except TimeoutError:
            return until < self._deadline
        return False

    async def _fail_over(self, cause: FailOverCause) -> None:
        """Ask for what comes next after the newest attempt, and do it."""
        self._failed = self._receipt_due = None
        self._code_due = None if cause is FailOverCause.NO_CODE else self._code_due
        step = await workflow.execute_local_activity_method(
            PlanningActivities.plan_next,
            FailOverRequest(verification_id=self._id, attempt_id=self._current.attempt_id, cause=cause),
            start_to_close_timeout=options.PLAN,
            retry_policy=options.PLAN_RETRIES,
            summary=f"What after {self._current.carrier}? ({cause})",
        )
        self._tell(step.reason)
        match step.kind:
            case NextStepKind.SEND if step.attempt is not None:
                self.resend_asked(step.attempt)
                workflow.upsert_search_attributes([CARRIER.value_set(step.attempt.carrier)])
            case NextStepKind.FAIL:
                await self._conclude(VerificationStatus.FAILED, step.reason)
            case NextStepKind.FINISH:
                await self._conclude(VerificationStatus.EXPIRED, _DEADLINE_PASSED)
            case NextStepKind.WAIT:
                self._await_code(step.again_s)

    async def _wait(self) -> None:
        """Wait for proof, or for anything else to do, until a receipt is overdue or the time is over."""
        until = min(self._receipt_due or self._deadline, self._code_due or self._deadline, self._deadline)
        what = "the receipt" if until == self._receipt_due else "the code"
        self._tell(f"{what} is awaited until {until:%H:%M:%S}")
        try:
            await workflow.wait_condition(
                lambda: bool(self._ended or self._to_send or self._failed),
                timeout=until - workflow.now(),
                timeout_summary=f"{what} is awaited until {until:%H:%M:%S}",
            )
        except TimeoutError:
            if until == self._receipt_due:
                self._failed = FailOverCause.NO_RECEIPT
            elif until == self._code_due:
                self._failed = FailOverCause.NO_CODE

    def _await_code(self, wait_s: float) -> None:
        """Have another message follow when the code has not come back after a wait; 0 is no wait of its own."""
        due = workflow.now() + timedelta(seconds=wait_s)
        if wait_s and due < self._deadline:
            self._code_due = due

    async def _conclude(self, status: VerificationStatus, reason: str) -> None:
        """Have the end state written, unless the database holds one already or says that it is not due."""
        concluded = await workflow.execute_activity_method(
            ConclusionActivities.conclude,
            Conclusion(verification_id=self._id, status=status, reason=reason),
            start_to_close_timeout=options.CONCLUDE,
            retry_policy=options.CONCLUDE_RETRIES,
            summary=f"Conclude: {status}",
        )
        if concluded.status is VerificationStatus.PENDING:
            self._deadline = workflow.now() + timedelta(seconds=concluded.remaining_s)
            return
        self._ended = VerificationResult(status=concluded.status, reason=concluded.reason, attempts=len(self._known))
        self._tell(f"{concluded.status}: {concluded.reason}")

    def _time_left(self) -> timedelta:
        return max(self._deadline - workflow.now(), timedelta())

    def _tell(self, line: str) -> None:
        """Add a line to what the Temporal UI shows as the present state."""
        self._told.append(f"- {workflow.now():%H:%M:%S} {line}")
        workflow.set_current_details("\n".join(self._told))


def _cause_of(error: ActivityError) -> FailOverCause:
    """Return why a submission ended without an answer: nobody took it, or it was taken and not finished."""
    cause = error.cause
    if isinstance(cause, ActivityTimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START:
        return FailOverCause.REGION_SILENT
    return FailOverCause.SUBMISSION
