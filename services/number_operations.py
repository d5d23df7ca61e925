"""What is done by hand with a number that is there: renewed, replaced, set aside, put back, given back."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.facts import Caller
from domain.number_errors import (
    LeaseEndedError,
    LeaseTooLongError,
    NumberChangedError,
    NumberInUseError,
    PoolEmptyError,
    QuarantineHoldsError,
)
from domain.phone import ensure_country
from domain.routing import EndReason, LeaseFacts, NumberFacts, NumberState, NumberView, Use
from rules.routing.health import TURNED_AGAINST
from rules.routing.lease_life import BY_HAND, DRAIN_S, LONGEST_AHEAD, RETURNS_BY_TIME, ROTATED
from services.number_allowance import NumberAllowance
from services.number_changes import by_caller, moved, own_number, wrong_state
from services.number_workflows import NumberKeepers, wake_if_there
from services.pool_judging import PoolJudges
from store.clock import read_clock
from store.engine import Database
from store.number_leases import end_lease, lease_of_number, renew_lease
from store.number_news import By, tell_moved, tell_renewed
from store.number_replacing import take_replacement, tell_replaced
from store.number_trials import end_trial
from store.number_upkeep import touch_number
from store.numbers import move_seen
from store.pool_rotation import set_longest_aside

_S = NumberState
_HOUR_S = 3_600
ROTATION_H = 24
_LENT = frozenset({_S.LEASED, _S.QUARANTINED, _S.SUSPENDED})


class NumberOperations:
    """Changes numbers on demand; their workflows do the rest."""

    def __init__(
        self, *, database: Database, allowance: NumberAllowance, keepers: NumberKeepers, judges: PoolJudges
    ) -> None:
        self._database = database
        self._allowance = allowance
        self._keepers = keepers
        self._judges = judges

    async def renew(self, caller: Caller, number_id: UUID) -> NumberView:
        """Let a lease last one period more.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            LeaseEndedError: there is no lease, or its time is over.
            LeaseTooLongError: it is paid for far enough ahead.
            NumberChangedError: somebody renewed it at the same moment.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            lease = _lease_of(view)
            now = await read_clock(connection)
            if lease.expires_at - now > LONGEST_AHEAD:
                raise LeaseTooLongError(f"The lease is paid for more than {LONGEST_AHEAD.days} days ahead.")
            renewed = await renew_lease(connection, lease)
            if renewed is None:
                if lease.expires_at <= now:
                    raise _ended()
                raise NumberChangedError("The lease was changed by somebody else at the same moment; read it again.")
            await touch_number(connection, view.number)
            await tell_renewed(connection, view.number, renewed, by=by_caller(caller), is_automatic=False)
        await wake_if_there(self._keepers, view.number)
        return NumberView(number=view.number, lease=renewed, is_own=True)

    async def rotate(self, caller: Caller, number_id: UUID) -> NumberView:
        """Replace a number that the account has alone by another of its pool and kind, for what is left of its period.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            LeaseEndedError, NumberStateError: it is not lent to the account alone.
            QuarantineHoldsError: recipients or carriers turned against it.
            HarvestingError: the account changes numbers too often.
            PoolEmptyError: the pool has none to take its place.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            lease = _lease_of(view)
            if lease.use is not Use.DEDICATED or view.number.state not in _LENT:
                raise wrong_state(view.number, "Only a number that the account has alone is replaced.")
            if view.number.state_reason in TURNED_AGAINST:
                raise QuarantineHoldsError(
                    f"The number is set aside for {view.number.state_reason}. Another one would meet the same: mend "
                    "what is sent, and to whom.",
                    fields={"reason": view.number.state_reason},
                )
            await self._allowance.ensure_no_harvesting(connection, caller)
            new = await self._replace(connection, view.number, lease)
            old, by = await self._end(connection, caller, view, reason=EndReason.ROTATED)
            await tell_replaced(connection, before=view.number, old=old, new=new.number, lease=_lease_of(new), by=by)
        await self._moved_on(old, new.number)
        return new

    async def quarantine(self, caller: Caller, number_id: UUID, *, hours: int) -> NumberView:
        """Set a number aside for a time: nothing is begun with it.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            NumberStateError, NumberChangedError: it is not in service, or was moved at the same moment.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            if view.number.state not in {_S.AVAILABLE, _S.LEASED} or view.number.is_probing:
                raise wrong_state(view.number, "Only one in service is set aside.")
            aside = moved(
                await move_seen(connection, view.number, _S.QUARANTINED, reason=BY_HAND, lasts_s=hours * _HOUR_S)
            )
            await tell_moved(connection, aside, before=view.number.state, by=_by(caller, view), hours=hours)
        await self._moved_on(aside)
        return NumberView(number=aside, lease=view.lease, is_own=view.is_own)

    async def restore(self, caller: Caller, number_id: UUID) -> NumberView:
        """Put a number that was set aside back into service, or end its trial.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            NumberStateError, NumberChangedError: it is not set aside, or was moved at the same moment.
            QuarantineHoldsError: it was set aside for its health, and the caller does not run the instance.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            number = view.number
            if number.state is not _S.QUARANTINED and not number.is_probing:
                raise wrong_state(number, "Only one that is set aside is put back.")
            if (number.state_reason not in RETURNS_BY_TIME or number.is_probing) and not caller.administers_accounts:
                raise QuarantineHoldsError(
                    f"The number is set aside for {number.state_reason} and comes back through probes.",
                    fields={"reason": number.state_reason},
                )
            back = moved(await _put_back(connection, number))
            await tell_moved(connection, back, before=number.state, by=_by(caller, view))
        await self._moved_on(back)
        return NumberView(number=back, lease=view.lease, is_own=view.is_own)

    async def release(self, caller: Caller, number_id: UUID, *, drain: bool) -> NumberView:
        """Give a number back, and end its lease. With `drain`, also one in use: what was begun with it may end.

        Raises:
            NotFoundError, InsufficientScopeError: it is not the caller's to change.
            NumberInUseError: verifications are under way with it, and it is not to be drained.
            NumberStateError, NumberChangedError: it is given back already, or was moved at the same moment.

        """
        async with self._database.transaction() as connection:
            view = await own_number(connection, caller, number_id)
            gone, by = await self._end(connection, caller, view, reason=EndReason.RELEASED, only_unused=not drain)
            await tell_moved(connection, gone, before=view.number.state, by=by)
        await self._moved_on(gone)
        return NumberView(number=gone, lease=None, is_own=gone.account_id == caller.account_id)

    async def rotate_pool(self, caller: Caller, country: str) -> NumberView:
        """Set the number of a pool aside that has been in service longest, for a day; others of its kind go on.

        Raises:
            UnknownCountryError: there is no such country.
            PoolEmptyError: no number of the pool could be spared: there is none, or none of the same kind beside it.

        """
        ensure_country(country)
        async with self._database.transaction() as connection:
            aside = await set_longest_aside(
                connection, country, environment=caller.environment, reason=ROTATED, lasts_s=ROTATION_H * _HOUR_S
            )
            if aside is None:
                raise PoolEmptyError(
                    f"The pool of {country} has no number in service that another one of its kind could stand in for.",
                    fields={"country": country},
                )
            by = By(account_id=None, actor=caller.actor)
            await tell_moved(connection, aside, before=_S.AVAILABLE, by=by, hours=ROTATION_H)
        await self._moved_on(aside)
        return NumberView(number=aside, lease=None, is_own=False)

    async def _moved_on(self, *numbers: NumberFacts) -> None:
        """Have numbers tended, and the pools that they are of judged by who is left."""
        for each in numbers:
            await wake_if_there(self._keepers, each)
        self._judges.ask()

    async def _end(
        self,
        connection: AsyncConnection,
        caller: Caller,
        view: NumberView,
        *,
        reason: EndReason,
        only_unused: bool = False,
    ) -> tuple[NumberFacts, By]:
        """Take a number out of service, and end its lease, whoever's; return it and whose trail that belongs to."""
        number = view.number
        then = _AFTER.get(number.state)
        if then is None:
            raise wrong_state(number, "It is given back, or on its way.")
        gone = await move_seen(
            connection,
            number,
            then,
            reason=reason.value,
            lasts_s=DRAIN_S if then is _S.DRAINING else None,
            only_unused=only_unused,
        )
        if gone is None:
            await self._tell_why_not(connection, caller, number)
        lease = await lease_of_number(connection, number.id)
        if lease is None:
            return moved(gone), _by(caller, view)
        await end_lease(connection, lease.id, reason=reason)
        return moved(gone), By(account_id=lease.account_id, actor=caller.actor)

    async def _tell_why_not(self, connection: AsyncConnection, caller: Caller, number: NumberFacts) -> None:
        again = await own_number(connection, caller, number.id)
        if again.number.changed_at == number.changed_at:
            raise NumberInUseError(
                "Verifications are under way whose messages came from this number. Release it when they have ended, or "
                'with {"drain": true}: then they may end, and nothing new is begun with it.'
            )

    async def _replace(self, connection: AsyncConnection, old: NumberFacts, lease: LeaseFacts) -> NumberView:
        left_s = int((lease.expires_at - await read_clock(connection)).total_seconds())
        if left_s < 1:
            raise _ended()
        taken = await take_replacement(connection, old, lease, left_s=left_s)
        if taken is None:
            raise PoolEmptyError(
                f"The pool of {old.country} has no {old.sender_type} to take this one's place.",
                fields={"country": old.country, "sender_type": old.sender_type},
            )
        number, written = taken
        return NumberView(number=number, lease=written, is_own=True)


# Where a number goes that is given back.
_AFTER = {
    _S.RESERVED: _S.RETIRED,
    _S.PROVISIONING: _S.RELEASING,
    _S.REGISTERING: _S.RELEASING,
    _S.AVAILABLE: _S.DRAINING,
    _S.LEASED: _S.DRAINING,
    _S.QUARANTINED: _S.DRAINING,
    _S.SUSPENDED: _S.DRAINING,
}


async def _put_back(connection: AsyncConnection, number: NumberFacts) -> NumberFacts | None:
    if number.is_probing:
        return await end_trial(connection, number)
    return await move_seen(connection, number, _S.AVAILABLE if number.account_id is None else _S.LEASED)


def _by(caller: Caller, view: NumberView) -> By:
    """Return whose trail a change belongs to: the account's for its own numbers, the instance's for those of pools."""
    return By(account_id=caller.account_id if view.is_own else None, actor=caller.actor)


def _lease_of(view: NumberView) -> LeaseFacts:
    if view.lease is None:
        raise _ended()
    return view.lease


def _ended() -> LeaseEndedError:
    return LeaseEndedError("The number is under no lease of yours any more, or its time is over; lease a number anew.")
