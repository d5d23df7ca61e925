"""The promises of `product.md` about checks, held against any order of starts, resends, guesses, ends and receipts.

A machine drives the real use cases over a real database and keeps its own small account of what must be true: which
codes are alive, how many guesses were compared, how each verification ended. Time passes by moving rows into the past.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from activities.conclusion import ConclusionActivities
from api.parts import Parts
from domain.challenge import LIVE_CODES
from domain.errors import (
    CheckTooSoonError,
    InvalidRequestError,
    NotFoundError,
    NumberLimitError,
    NumberLockedError,
    TooSoonError,
    UnauthenticatedError,
    VerificationFinishedError,
)
from domain.facts import Caller
from domain.ids import attempt_id, new_id
from domain.messages import Conclusion
from domain.statuses import VerificationStatus
from rules.protection.checks import CHECKS_PER_VERIFICATION, DELAY_FROM_FAILURE, FAILURES_CAP
from services.checks import CheckOutcome
from services.sends import StartRequest
from services.verifications import Done
from store.engine import Database
from store.guards import add_failures
from store.migrate import migrate
from store.tables import Attempt, table_of
from tests.building import a_caller, code_of, number_key, pass_time, use_cases, wrong_codes

SECRET = "a secret of the tests"
PHONES = ("+447400123451", "+447400123452")
NO_SEND = (TooSoonError, NumberLimitError, NumberLockedError, CheckTooSoonError)
T = TypeVar("T")
# Without shrinking, which would take minutes: the steps of a failure are told as they were.
SETTINGS = settings(
    max_examples=40, stateful_step_count=30, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
)


@dataclass(slots=True, kw_only=True)
class World:
    """A database with the use cases over it, and the event loop they run on."""

    runner: asyncio.Runner
    database: Database
    parts: Parts

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@dataclass(slots=True, kw_only=True)
class Known:
    """What the machine knows of one verification; `ended` is its end state once that has been told."""

    id: UUID
    phone: str
    max_checks: int
    codes: list[str] = field(default_factory=list)
    wrong: int = 0
    approvals: int = 0
    ended: VerificationStatus | None = None

    @property
    def live(self) -> list[str]:
        return self.codes[-LIVE_CODES:]


class Machine(RuleBasedStateMachine):
    """Everybody who may touch a verification, in any order."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.caller: Caller = world.do(a_caller(world.database))
        self.known: list[Known] = []
        # Guesses compared in vain since the number was last proved, or its lock ran out.
        self.failures = dict.fromkeys(PHONES, 0)
        self.told_to_wait_s = 0

    @initialize(failures=st.sampled_from([0, 0, 7, 23, 28]))
    def begin(self, failures: int) -> None:
        """Have something to guess at, and a number that has failed so often before."""
        phone = PHONES[0]
        self.start(phone)
        self.world.do(self.world.parts.verifications.cancel(self.caller, self.known.pop().id))
        self.world.do(fail(self.world.database, self.caller, phone, times=failures))
        self.failures[phone] = failures
        self.world.do(pass_time(self.world.database, self.caller, seconds=30))
        self.start(phone)

    @rule(phone=st.sampled_from(PHONES))
    def start_when_allowed(self, phone: str) -> None:
        """Start, or wait as long as the refusal says and start then."""
        self.start(phone)
        if self.told_to_wait_s:
            self.wait_as_told()
            self.start(phone)

    @rule(phone=st.sampled_from(PHONES), messages=st.integers(1, 4))
    def prove_when_allowed(self, phone: str, messages: int) -> None:
        """Ask for some messages, type the code before the three newest, then one of those."""
        for _ in range(messages):
            self.start_when_allowed(phone)
        known = self.pending(phone)
        if known is not None and len(known.codes) > LIVE_CODES:
            self.guess(known, known.codes[-LIVE_CODES - 1])
        if known is not None:
            self.guess(known, known.live[0])

    @rule(phone=st.sampled_from(PHONES))
    def start(self, phone: str) -> None:
        """Start: a new verification, one more message of the pending one, or a refusal that says when."""
        pending = self.pending(phone)
        try:
            done = self.world.do(self.world.parts.verifications.start(self.caller, StartRequest(to=phone, ttl_s=600)))
        except NO_SEND as refused:
            if refused.retry_after_s is None:
                raise
            self.told_to_wait_s = refused.retry_after_s
            return
        assert isinstance(done, Done)
        facts = done.view.facts
        if done.status == 200:
            assert pending is not None
            assert facts.id == pending.id
            self.sent(pending)
            return
        assert pending is None, "a second verification of a number that has one pending"
        assert facts.max_checks <= CHECKS_PER_VERIFICATION
        if facts.failures_before == 0 and self.failures[phone] >= FAILURES_CAP:
            self.failures[phone] = 0  # the lock ran out
        assert facts.failures_before == self.failures[phone]
        known = Known(id=facts.id, phone=phone, max_checks=facts.max_checks)
        self.known.append(known)
        self.sent(known)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        """Resend: one more code, or a refusal; never for one that has ended, and no counter is reset."""
        known = self.one(data)
        try:
            done = self.world.do(self.world.parts.verifications.resend(self.caller, known.id))
        except NO_SEND:
            return
        except VerificationFinishedError as refused:
            self.note_end(known, refused)
            return
        assert isinstance(done, Done)
        assert known.ended is None
        assert done.view.facts.checks == known.wrong
        self.sent(known)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), newest=st.integers(min_value=1, max_value=LIVE_CODES))
    def guess_right(self, data: st.DataObject, newest: int) -> None:
        """Type one of the three newest codes."""
        known = self.one(data)
        self.guess(known, known.codes[-min(newest, len(known.codes))])

    @precondition(lambda self: self.known)
    @rule(data=st.data(), guess=st.from_regex(r"[0-9]{4,10}", fullmatch=True), times=st.integers(1, 2))
    def guess_wrong(self, data: st.DataObject, guess: str, times: int) -> None:
        """Type something else, once or several times."""
        known = self.one(data)
        for _ in range(times):
            self.guess(known, guess)

    @rule(phone=st.sampled_from(PHONES), verifications=st.sampled_from([1, 1, 2]))
    def guess_patiently(self, phone: str, verifications: int) -> None:
        """Guess wrong to the end of some verifications, waiting as every refusal says."""
        for _ in range(verifications):
            while (known := self.pending(phone)) is None:
                self.start(phone)
                self.wait_as_told()
            while known.ended is None:
                self.guess(known, wrong_codes(known.id)[0])
                self.wait_as_told()

    def wait_as_told(self) -> None:
        waited_s, self.told_to_wait_s = self.told_to_wait_s, 0
        self.wait(waited_s)
        self.every_end_is_told_the_same_for_ever()

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(), guess=st.sampled_from(["", "12", "abcdef", "12345\n", "\u0661\u0662\u0663\u0664\u0665\u0666"])
    )
    def guess_nonsense(self, data: st.DataObject, guess: str) -> None:
        """Type what could not be a code."""
        with pytest.raises(InvalidRequestError):
            self.world.do(self.world.parts.checks.check(self.caller, self.one(data).id, guess))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel: once, and only what is pending."""
        known = self.one(data)
        try:
            view = self.world.do(self.world.parts.verifications.cancel(self.caller, known.id))
        except VerificationFinishedError as refused:
            self.note_end(known, refused)
            return
        assert known.ended is None
        assert view.facts.status is VerificationStatus.CANCELED
        known.ended = VerificationStatus.CANCELED

    @rule(seconds=st.sampled_from([30, 60, 120, 600, 4_000, 40_000, 86_400]))
    def wait(self, seconds: int) -> None:
        """Let time pass; upkeep does not come by."""
        self.world.do(pass_time(self.world.database, self.caller, seconds=seconds))

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        status=st.sampled_from([VerificationStatus.EXPIRED, VerificationStatus.FAILED]),
        really=st.sampled_from([True, False, False, False]),
    )
    def workflow_concludes(self, data: st.DataObject, status: VerificationStatus, *, really: bool) -> None:
        """Have the workflow believe that it is over: it may be early, late, or wrong. It seldom fails for good."""
        if status is VerificationStatus.FAILED and not really:
            return
        known = self.one(data)
        activities = ConclusionActivities(database=self.world.database, failures_cap=FAILURES_CAP)
        conclusion = Conclusion(verification_id=known.id, status=status, reason="no_route_left")
        if status is VerificationStatus.EXPIRED:
            conclusion = Conclusion(verification_id=known.id, status=status, reason="deadline_passed")
        self.world.do(activities.conclude(conclusion))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), word=st.sampled_from(["delivered", "undelivered"]), times=st.integers(1, 3))
    def receipt(self, data: st.DataObject, word: str, times: int) -> None:
        """Have a carrier report on any message ever sent, late or twice: the attempt moves at most once."""
        attempt = self.an_attempt(data)
        first = self.rows().get(attempt["id"])
        for _ in range(times):
            self.world.do(self.arrive(attempt["carrier"], attempt["id"], word))
        after = self.rows()[attempt["id"]]
        assert first is not None
        if first["receipt_status"] is not None:
            assert (after["status"], after["receipt_status"]) == (first["status"], first["receipt_status"])
        else:
            assert (after["status"], after["receipt_status"]) == (word, word)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), how=st.sampled_from(["signature", "stale", "carrier", "reference", "nobody"]))
    def forged_receipt(self, data: st.DataObject, how: str) -> None:
        """Have a stranger report: refused, and nothing changes."""
        attempt, before = self.an_attempt(data), self.rows()
        others = {each for each in ("alpha", "bravo", "charlie", "delta") if each != attempt["carrier"]}
        forged = {
            "signature": lambda: self.arrive(attempt["carrier"], attempt["id"], "undelivered", secret="guessed"),
            "stale": lambda: self.arrive(attempt["carrier"], attempt["id"], "undelivered", age_s=301),
            "carrier": lambda: self.arrive(min(others), attempt["id"], "undelivered"),
            "reference": lambda: self.arrive(attempt["carrier"], new_id(), "undelivered"),
            "nobody": lambda: self.arrive("nobody", attempt["id"], "undelivered"),
        }
        with pytest.raises((UnauthenticatedError, NotFoundError)):
            self.world.do(forged[how]())
        assert self.rows() == before

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def somebody_else_guesses(self, data: st.DataObject) -> None:
        """Have another account type the right code."""
        known, other = self.one(data), self.world.do(a_caller(self.world.database))
        with pytest.raises(NotFoundError):
            self.world.do(self.world.parts.checks.check(other, known.id, known.codes[-1]))

    @invariant()
    def no_verification_compared_more_than_its_checks(self) -> None:
        """Hold promise 2 for each verification, by our own count of what was compared."""
        for known in self.known:
            assert known.wrong <= known.max_checks <= CHECKS_PER_VERIFICATION
            assert known.approvals <= 1

    @invariant()
    def no_number_compared_more_than_the_cap(self) -> None:
        """Hold promise 2 for each number, over resends and verifications."""
        assert max(self.failures.values()) <= FAILURES_CAP

    @invariant()
    def every_end_is_told_the_same_for_ever(self) -> None:
        """Hold promise 1: one end state, with its reason and time, whoever asks and whenever."""
        self.look_at(3)  # the newest; all of them at the end, because looking costs time

    def teardown(self) -> None:
        """Look at everything once more."""
        self.look_at(99)

    def look_at(self, count: int) -> None:
        """Compare the newest verifications with what is known of them."""
        page = self.world.do(self.world.parts.reading.list(self.caller, limit=count))
        told = {each.facts.id: each.facts for each in page.items}
        assert {known.id for known in self.known[-count:]} <= set(told)
        for known in self.known[-count:]:
            facts = told[known.id]
            assert facts.checks == known.wrong + known.approvals
            if facts.status_now is VerificationStatus.PENDING:
                assert known.ended is None, "left its end state"
                continue
            assert known.ended in {None, facts.status_now}, "changed its end state"
            assert facts.ended_at is not None
            known.ended = facts.status_now

    def guess(self, known: Known, guess: str) -> None:
        """Type a code; the answer must be what the codes alive, the end and the limits make it."""
        is_right = guess in known.live
        try:
            outcome = self.world.do(self.world.parts.checks.check(self.caller, known.id, guess))
        except CheckTooSoonError as refused:
            if refused.retry_after_s is None or self.failures[known.phone] < DELAY_FROM_FAILURE:
                raise
            self.told_to_wait_s = refused.retry_after_s
            return
        except VerificationFinishedError as refused:
            self.note_end(known, refused)
            return
        assert outcome.valid is is_right
        if known.ended is not None:
            assert known.ended is VerificationStatus.APPROVED, "compared after the end"
            assert is_right
            assert outcome.view.facts.status is VerificationStatus.APPROVED
            return
        self.compared(known, outcome)

    def compared(self, known: Known, outcome: CheckOutcome) -> None:
        facts = outcome.view.facts
        if outcome.valid:
            known.approvals += 1
            self.failures[known.phone] = 0
            assert facts.status is VerificationStatus.APPROVED
            known.ended = facts.status
            return
        known.wrong += 1
        self.failures[known.phone] += 1
        is_last = known.wrong == known.max_checks
        assert facts.status is (VerificationStatus.MAX_ATTEMPTS_REACHED if is_last else VerificationStatus.PENDING)
        assert outcome.view.checks_left == known.max_checks - known.wrong
        if is_last:
            known.ended = facts.status

    def note_end(self, known: Known, refused: VerificationFinishedError) -> None:
        """Hold that a refusal tells the end state that was told before."""
        told = refused.fields
        assert known.ended is not None, f"refused as {told['verification_status']} while pending"
        assert told["verification_status"] == known.ended.value
        assert told["reason"]

    def sent(self, known: Known) -> None:
        known.codes.append(code_of(known.id, counter=len(known.codes)))

    def pending(self, phone: str) -> Known | None:
        return next((each for each in self.known if each.phone == phone and each.ended is None), None)

    def one(self, data: st.DataObject) -> Known:
        """Return a verification: the newest of a number, seldom an older one."""
        newest = list({each.phone: each for each in self.known}.values())
        return data.draw(st.sampled_from([*newest * 5, *self.known[-3:]]))

    def an_attempt(self, data: st.DataObject) -> dict[str, Any]:
        rows = self.rows()
        return rows[data.draw(st.sampled_from(sorted(rows)))]

    def rows(self) -> dict[UUID, dict[str, Any]]:
        return self.world.do(attempts(self.world.database, [each.id for each in self.known]))

    def arrive(
        self, carrier: str, attempt: UUID, word: str, *, secret: str = SECRET, age_s: int = 0
    ) -> Coroutine[Any, Any, None]:
        body = json.dumps({"reference": attempt_id(attempt), "status": word, "error": "absent_subscriber"}).encode()
        at = str(int(time.time()) - age_s)
        signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"x-sandbox-timestamp": at, "x-sandbox-signature": signature}
        return self.world.parts.receipts.arrive(carrier, body=body, headers=headers)


async def fail(database: Database, caller: Caller, phone: str, *, times: int) -> None:
    async with database.transaction() as connection:
        number = number_key(caller, to=phone)
        await add_failures(connection, number, more=times, until=None, cap=FAILURES_CAP)


async def attempts(database: Database, verifications: list[UUID]) -> dict[UUID, dict[str, Any]]:
    table = table_of(Attempt)
    async with database.reading() as connection:
        rows = await connection.execute(select(table).where(table.c.verification_id.in_(verifications)))
        return {row["id"]: dict(row) for row in rows.mappings()}


async def opened(url: str) -> tuple[Database, Parts]:
    database = Database(url)
    await migrate(database)
    # The address is never called: nothing here is sent to a sandbox, but its receipts are read.
    return database, use_cases(database, sandbox_url="http://127.0.0.1:9", sandbox_secret=SECRET)


def test_no_order_of_events_breaks_a_promise(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        database, parts = runner.run(opened(f"sqlite+aiosqlite:///{tmp_path / 'countersign.db'}"))
        world = World(runner=runner, database=database, parts=parts)

        class MachineInThisWorld(Machine):
            def __init__(self) -> None:
                super().__init__(world)

        run_state_machine_as_test(MachineInThisWorld, settings=SETTINGS)

        runner.run(database.close())
