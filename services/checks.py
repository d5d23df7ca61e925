"""Checking a code: count the guess, compare, approve; one transaction, answered without Temporal."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.challenge import LIVE_CODES, is_guess
from domain.errors import CheckTooSoonError, DomainError, InvalidRequestError, NotFoundError
from domain.events import NewEvent
from domain.facts import AttemptFacts, Caller, Price, VerificationFacts, VerificationView
from domain.messages import VerificationEnded
from domain.moments import moment
from domain.statuses import VerificationStatus
from domain.verification_events import ended, guess_failed
from security.codes import proved_counter
from security.keyring import KeyRing
from services.limit_events import LimitEvents
from services.presenting import Presenter, finished
from services.workflow_gateway import WorkflowGateway
from services.wrong_checks import WrongCheckBudget
from store.attempts import LIVE, attempts_of
from store.checks import WithAdvice, count_guess, count_replay, read_with_advice
from store.engine import Database
from store.events import emit
from store.proofs import approve
from store.verifications import conclude


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The verdict on one guess, and the verification after it."""

    valid: bool
    view: VerificationView


class Checks:
    """Judge guesses, exactly as many as are allowed."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        presenter: Presenter,
        workflows: WorkflowGateway,
        budget: WrongCheckBudget,
        failures_cap: int,
    ) -> None:
        self._database = database
        self._keys = keys
        self._presenter = presenter
        self._workflows = workflows
        self._budget = budget
        self._failures_cap = failures_cap
        self._limit_events = LimitEvents(database)

    async def check(self, caller: Caller, verification_id: UUID, guess: str) -> CheckOutcome:
        """Return whether a guess is one of the codes alive.

        Raises:
            InvalidRequestError: the text could not be a code; it is not counted.
            NotFoundError: the account has no such verification.
            VerificationFinishedError: it has ended; a right code inside its lifetime is answered as approved instead.
            CheckTooSoonError: the number has failed so often that the next guess must wait; it is not counted.
            CheckBudgetError: the account has had too many wrong checks this hour; it is not counted.

        """
        if not is_guess(guess):
            raise InvalidRequestError("A code is 4 to 10 digits, 0 to 9, and nothing else.")
        telling = self._limit_events.telling(caller, subject="account")
        async with telling, self._budget.one_guess(caller) as spending:
            outcome = await self._judge(caller, verification_id, guess)
            spending.was_wrong = not outcome.valid
        facts = outcome.view.facts
        if facts.status is not VerificationStatus.PENDING:
            ended = VerificationEnded(status=facts.status, reason=facts.reason)
            self._workflows.tell_ended(verification_id, ended)
        return outcome

    async def _judge(self, caller: Caller, verification_id: UUID, guess: str) -> CheckOutcome:
        async with self._database.transaction() as connection:
            counted = await count_guess(
                connection, verification_id, account_id=caller.account_id, environment=caller.environment
            )
            if counted is not None:
                return await self._compare(connection, *counted, guess)
        return await self._replay(caller, verification_id, guess)

    async def _compare(
        self, connection: AsyncConnection, counted: WithAdvice, attempts: list[AttemptFacts], guess: str
    ) -> CheckOutcome:
        facts = counted.facts
        proved = await self._proved(facts, attempts, guess)
        if proved is not None:
            facts, attempts = await approve(connection, facts, attempts, counter=proved)
        elif facts.checks == facts.max_checks:
            facts = await self._exhaust(connection, facts)
        else:
            await emit(connection, guess_failed(facts))
        return CheckOutcome(valid=proved is not None, view=await self._presenter.show(facts, counted.guard, attempts))

    async def _replay(self, caller: Caller, verification_id: UUID, guess: str) -> CheckOutcome:
        """Judge a guess at a finished verification: a right one is told again and counts nothing, a wrong one counts.

        Both are exact because the count is taken first and rolled back for a right guess.
        """
        try:
            async with self._database.transaction() as connection:
                counted = await count_replay(
                    connection, verification_id, account_id=caller.account_id, environment=caller.environment
                )
                if counted is None:
                    raise await _refusal(connection, caller, verification_id)
                attempts = await attempts_of(connection, verification_id)
                if await self._proved(counted.facts, attempts, guess) is not None:
                    raise _RightAgain(  # noqa: TRY301 - it must leave the transaction
                        await self._presenter.show(counted.facts, counted.guard, attempts)
                    )
        except _RightAgain as again:
            return CheckOutcome(valid=True, view=again.view)
        raise finished(counted.facts)

    async def _proved(self, facts: VerificationFacts, attempts: list[AttemptFacts], guess: str) -> int | None:
        """Return the counter that was proved, of the newest attempts whose message may have arrived."""
        live = [each.sequence for each in attempts if each.status in LIVE]
        key = await self._keys.codes.version(facts.code_key_version)
        return proved_counter(
            key.secret,
            guess,
            verification_id=facts.id,
            counters=live[-LIVE_CODES:],
            length=facts.code_length,
        )

    async def _exhaust(self, connection: AsyncConnection, facts: VerificationFacts) -> VerificationFacts:
        """End a verification whose last guess was wrong."""
        after = await conclude(
            connection,
            facts.id,
            status=VerificationStatus.MAX_ATTEMPTS_REACHED,
            reason="too_many_wrong_codes",
            failures_cap=self._failures_cap,
            tell=_tell_last_guess,
        )
        # The guess holds the row, so nobody can have ended it in between.
        assert after is not None  # noqa: S101 - states the invariant for the reader and for mypy
        return after


def _tell_last_guess(facts: VerificationFacts, cost: Price) -> Sequence[NewEvent]:
    return guess_failed(facts), ended(facts, cost)


class _RightAgain(Exception):  # noqa: N818 - not an error: it carries an answer out of a transaction to be rolled back
    def __init__(self, view: VerificationView) -> None:
        super().__init__()
        self.view = view


async def _refusal(connection: AsyncConnection, caller: Caller, verification_id: UUID) -> DomainError:
    """Return why no guess may be compared now."""
    found = await read_with_advice(
        connection, verification_id, account_id=caller.account_id, environment=caller.environment
    )
    if found is None:
        return NotFoundError("This account has no verification with this id.")
    facts = found.facts
    if facts.status_now is not VerificationStatus.PENDING or facts.next_check_at is None:
        return finished(facts)
    return CheckTooSoonError(
        "Too many wrong codes in a row were tried for this number; wait before the next one.",
        retry_after_s=(facts.next_check_at - facts.read_at).total_seconds(),
        fields={"next_check_at": moment(facts.next_check_at)},
    )
