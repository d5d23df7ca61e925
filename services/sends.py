"""What one more message writes: the number's limit, the verification if it is new, the attempt; in one transaction.

Also how it is taken back when the workflow could not be told of it. Rows are locked in one order everywhere, so that
nobody waits in a circle: verification, attempt, number's guard.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.challenge import DEFAULT_CODE_LENGTH, DEFAULT_TTL_S
from domain.errors import TooSoonError
from domain.facts import AttemptFacts, Caller, GuardFacts, SendFacts, VerificationFacts
from domain.messages import PlannedAttempt, StartVerification
from domain.phone import Phone
from domain.statuses import Channel, Purpose, VerificationStatus
from domain.verification_events import created, withdrawn
from rules.protection.checks import CheckLimits
from security.columns import Sealer
from security.keyring import KeyRing
from services.daily_sends import DailySend, give_back_daily_send, take_daily_send
from services.number_limits import allowed_checks, why_no_send
from services.presenting import finished
from services.refusals import Refusals
from services.refused_sends import noting_refusal
from store.accounts import remember_short_codes
from store.attempts import attempts_of, plan_attempt
from store.events import emit
from store.guards import NumberKey, give_back_send, take_send
from store.plans import announced, plan_of
from store.router import Router
from store.starts import pending_of, take_first_send, write_start
from store.submissions import withdraw_planned
from store.verifications import (
    NewVerification,
    conclude,
    number_of,
    read_verification,
    remove_untouched,
    take_counter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What a business asks for when it starts a verification; `to` is the text as it came."""

    to: str = field(repr=False)
    channel: Channel = Channel.SMS
    purpose: Purpose = Purpose.CONFIRM_CONTACT
    locale: str = "en"
    brand: str | None = None
    ttl_s: int = DEFAULT_TTL_S
    code_length: int = DEFAULT_CODE_LENGTH
    client_ip: str | None = field(default=None, repr=False)
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a transaction wrote for one more message; `attempts` are all of the verification's but the new one.

    `to` is the masked number where it was at hand.
    """

    facts: VerificationFacts
    sends: SendFacts
    attempt: PlannedAttempt
    verify_wait_s: int
    is_new: bool
    attempts: tuple[AttemptFacts, ...] = ()
    of_the_day: DailySend | None = None
    to: str | None = None

    def as_start(self) -> StartVerification:
        """Return what the workflow is told."""
        left_s = (self.facts.expires_at - self.facts.read_at).total_seconds()
        return StartVerification(
            verification_id=self.facts.id,
            country=self.facts.country,
            lifetime_s=max(1, round(left_s)),
            first=self.attempt,
            environment=self.facts.environment,
        )


class Sends:
    """Writes one more message of a number, or refuses it, and takes it back."""

    def __init__(
        self, *, keys: KeyRing, numbers: Sealer, router: Router, limits: CheckLimits, refusals: Refusals
    ) -> None:
        self._refusals = refusals
        self._keys = keys
        self._numbers = numbers
        self._router = router
        self._limits = limits

    async def make_ready(self, caller: Caller) -> None:
        """See to it, before a transaction, that the account's data key is known: its first use ever makes it."""
        await self._numbers.key_for(caller.account_id)

    def number_key(self, caller: Caller, phone: Phone) -> NumberKey:
        """Return the name of a number's limits."""
        return NumberKey(
            account_id=caller.account_id,
            environment=caller.environment,
            number_hash=self._keys.lookup_hash(phone.e164),
        )

    async def start(
        self, connection: AsyncConnection, caller: Caller, phone: Phone, request: StartRequest, *, new_id: UUID
    ) -> Written:
        """Write a new verification, or one more message of the number's pending one.

        Raises:
            TooSoonError, NumberLimitError, NumberLockedError, CheckTooSoonError: a limit of the number forbids it.
            AccountSuspendedError, AccountSendLimitError: the account may send nothing, or nothing more today.
            NoRouteError: there is no route that may be used.

        """
        number = self.number_key(caller, phone)
        with noting_refusal(self._refusals, caller, number):
            return await self._start(connection, caller, phone, request, number, new_id=new_id)

    async def _start(
        self,
        connection: AsyncConnection,
        caller: Caller,
        phone: Phone,
        request: StartRequest,
        number: NumberKey,
        *,
        new_id: UUID,
    ) -> Written:
        taken = await take_first_send(connection, number)
        if taken is None:
            if (refusal := await why_no_send(connection, number)) is not None:
                raise refusal
            pending = await pending_of(connection, number)
            if pending is not None:
                counter = await take_counter(connection, pending.id)
                if counter is not None:
                    return await self._another(connection, caller, pending, counter)
                await self._expire(connection, pending)
            # What stood in the way does so no longer.
            taken = await take_first_send(connection, number)
        if taken is None:
            raise _in_the_way()
        guard, day = taken
        of_the_day = await take_daily_send(connection, caller)
        checks = allowed_checks(self._limits, guard=guard, day=day, ttl_s=request.ttl_s)
        if request.code_length < DEFAULT_CODE_LENGTH:
            await remember_short_codes(connection, caller.account_id)
        new = await self._new_row(caller, phone, request, guard, new_id=new_id, max_checks=checks)
        facts = new.facts(person_salt=guard.person_salt)
        routed = await self._router.begin(connection, facts, [], last_sender=guard.last_sender)
        plan = plan_of(routed, verification_id=facts.id, sequence=0, send=1, after=None)
        await write_start(connection, new, plan, created(facts, to=phone.masked))
        return Written(
            facts=facts,
            sends=guard.sends,
            attempt=announced(plan),
            verify_wait_s=routed.verify_wait_s,
            is_new=True,
            of_the_day=of_the_day,
            to=phone.masked,
        )

    async def resend(self, connection: AsyncConnection, caller: Caller, pending: VerificationFacts) -> Written:
        """Write one more message of a pending verification.

        Raises:
            VerificationFinishedError: it has ended.
            TooSoonError, NumberLimitError, NumberLockedError: a limit of the number forbids it.
            AccountSuspendedError, AccountSendLimitError: the account may send nothing, or nothing more today.

        """
        counter = await take_counter(connection, pending.id)
        if counter is None:
            raise finished(await read_verification(connection, pending.id) or pending)
        with noting_refusal(self._refusals, caller, number_of(pending)):
            return await self._another(connection, caller, pending, counter)

    async def take_back(self, connection: AsyncConnection, written: Written) -> bool:
        """Undo what was written, the workflow not having been told of it; False, and nothing done, when it has been.

        A call that timed out may have reached Temporal: an attempt that was begun shows that it did.
        """
        if written.is_new:
            taken_back = await remove_untouched(connection, written.facts.id)
        else:
            taken_back = await withdraw_planned(connection, written.attempt.attempt_id)
        if taken_back:
            await give_back_send(connection, number_of(written.facts), taken=written.sends)
            await give_back_daily_send(connection, written.of_the_day)
        if taken_back and written.is_new:
            # Whoever was told of the start must hear that it came to nothing.
            await emit(connection, withdrawn(written.facts))
        return taken_back

    async def _another(
        self, connection: AsyncConnection, caller: Caller, pending: VerificationFacts, counter: int
    ) -> Written:
        guard, of_the_day = await _take_send(connection, caller, number_of(pending))
        attempts = await attempts_of(connection, pending.id)
        routed = await self._router.begin(connection, pending, attempts, last_sender=guard.last_sender)
        send = 1 + max(each.send for each in attempts)
        plan = plan_of(routed, verification_id=pending.id, sequence=counter, send=send, after=None)
        await plan_attempt(connection, plan)
        return Written(
            facts=pending,
            sends=guard.sends,
            attempt=announced(plan),
            verify_wait_s=routed.verify_wait_s,
            is_new=False,
            attempts=tuple(attempts),
            of_the_day=of_the_day,
        )

    async def _expire(self, connection: AsyncConnection, overdue: VerificationFacts) -> None:
        """Conclude, in passing, a verification whose time is over but whose workflow has not said so yet."""
        await conclude(
            connection,
            overdue.id,
            status=VerificationStatus.EXPIRED,
            reason="deadline_passed",
            failures_cap=self._limits.failures_in_a_row,
            only_when_due=True,
        )

    async def _new_row(
        self,
        caller: Caller,
        phone: Phone,
        request: StartRequest,
        guard: GuardFacts,
        *,
        new_id: UUID,
        max_checks: int,
    ) -> NewVerification:
        sealed = await self._numbers.seal(
            phone.e164, account_id=caller.account_id, row=new_id, person=guard.person_salt
        )
        code_key = await self._keys.codes.newest()
        return NewVerification(
            id=new_id,
            account_id=caller.account_id,
            environment=caller.environment,
            country=phone.country,
            number_sealed=sealed,
            number_hash=self._keys.lookup_hash(phone.e164),
            channel=request.channel,
            purpose=request.purpose,
            locale=request.locale,
            brand=request.brand or caller.account_name,
            reference=request.reference,
            client_ip_hash=None if request.client_ip is None else self._keys.lookup_hash(request.client_ip),
            code_length=request.code_length,
            created_at=guard.read_at,
            expires_at=guard.read_at + timedelta(seconds=request.ttl_s),
            max_checks=max_checks,
            failures_before=guard.failures,
            next_check_at=guard.next_check_at,
            code_key_version=code_key.version,
        )


async def _take_send(
    connection: AsyncConnection, caller: Caller, number: NumberKey
) -> tuple[GuardFacts, DailySend | None]:
    guard = await take_send(connection, number)
    if guard is None:
        raise await why_no_send(connection, number) or _in_the_way()
    return guard, await take_daily_send(connection, caller)


def _in_the_way() -> TooSoonError:
    """Return the refusal of a send that something forbade which has ended meanwhile."""
    return TooSoonError("Another message to this number is being counted; try again.", retry_after_s=1)
