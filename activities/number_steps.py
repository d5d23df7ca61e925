"""The steps of a number's life that the database alone takes: a conditional change, its event, its audit entry."""

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM
from domain.event_types import EventType
from domain.events import Value
from domain.inventory import OrderStatus
from domain.moments import moment
from domain.routing import EndReason, LeaseFacts, NumberFacts, NumberState, Use
from rules.routing.lease_life import DRAIN_S
from rules.routing.number_life import aging_days
from store.authorisations import Pair, authorise, revoke
from store.engine import Database
from store.number_leases import (
    end_lease,
    expire_lease,
    lease_of_number,
    note_warning,
    renew_lease,
    restart_lease,
)
from store.number_news import By, tell, tell_moved, tell_renewed, tell_started
from store.number_upkeep import note_ordered, touch_number
from store.numbers import move_seen

_DAY_S = 86_400
_S = NumberState


class NumberSteps:
    """Takes steps. Each returns what was done, in a sentence, or None where somebody had changed the number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lapse(self, number: NumberFacts) -> str | None:
        """Let go of a number that was reserved and not leased in time."""
        return await self._move(number, _S.RETIRED, reason="lapsed", done="The reservation lapsed")

    async def note_order(self, number: NumberFacts, status: OrderStatus) -> str | None:
        """Note what the carrier answered to an order, or about one."""
        match status:
            case OrderStatus.ACTIVE:
                return await self._move(number, _S.REGISTERING, done="Its carrier has activated it")
            case OrderStatus.PENDING:
                async with self._database.transaction() as connection:
                    noted = await note_ordered(connection, number)
                return None if noted is None else "Its carrier has taken the order"
            case _:
                return await self.refuse(number, reason=EndReason.REFUSED_BY_CARRIER)

    async def refuse(self, number: NumberFacts, *, reason: EndReason) -> str | None:
        """End a lease whose number the carrier does not give."""
        async with self._database.transaction() as connection:
            gone = await move_seen(connection, number, _S.RELEASING, reason=reason)
            if gone is None:
                return None
            await self._end_open(connection, number, reason=reason)
            await tell_moved(connection, gone, before=number.state, by=_by(number))
        return f"Its carrier does not give it: {reason}"

    async def register(self, number: NumberFacts, lease: LeaseFacts | None) -> str | None:
        """Put a number that its carrier has activated into service; its first period begins."""
        if lease is None:
            return await self._move(number, _S.RELEASING, reason=EndReason.RELEASED, done="Nobody wants it any more")
        then = _S.LEASED if lease.use is Use.DEDICATED else _S.AVAILABLE
        async with self._database.transaction() as connection:
            now_there = await move_seen(connection, number, then)
            if now_there is None:
                return None
            await authorise(connection, _pair(number), ground=f"a number of {number.country}, ordered by its account")
            started = await restart_lease(connection, lease)
            await tell_moved(connection, now_there, before=_S.REGISTERING, by=_by(number, lease))
            if started is not None:
                await tell_started(connection, now_there, started, by=_by(number, lease))
        return "It is in service"

    async def renew(self, number: NumberFacts, lease: LeaseFacts) -> str | None:
        """Let a lease last one period more."""
        async with self._database.transaction() as connection:
            renewed = await renew_lease(connection, lease, may_be_late=True)
            if renewed is None:
                return None
            await touch_number(connection, number)
            await tell_renewed(connection, number, renewed, by=_by(number, lease), is_automatic=True)
        return "The lease was renewed"

    async def warn(self, number: NumberFacts, lease: LeaseFacts, *, days: int) -> str | None:
        """Tell an account that a lease of it ends soon."""
        async with self._database.transaction() as connection:
            warned = await note_warning(connection, lease, days=days)
            if warned is None:
                return None
            told: dict[str, Value] = {"expires_at": moment(lease.expires_at), "days": days}
            await tell(connection, number, EventType.NUMBER_LEASE_ENDING, by=_by(number, lease), data=told)
        return "Its account was told that the lease ends"

    async def expire(self, number: NumberFacts, lease: LeaseFacts) -> str | None:
        """End a lease whose time is over; what was begun with its number may end."""
        async with self._database.transaction() as connection:
            if await expire_lease(connection, lease.id) is None:
                return None
            drained = await move_seen(connection, number, _S.DRAINING, reason=EndReason.EXPIRED, lasts_s=DRAIN_S)
            if drained is not None:
                await tell_moved(connection, drained, before=number.state, by=_by(number, lease))
        return "The lease is over"

    async def restore(self, number: NumberFacts, lease: LeaseFacts | None) -> str | None:
        """Put a number that was set aside for a time back to whom it belongs."""
        is_alone = lease is not None and lease.use is Use.DEDICATED
        return await self._move(number, _S.LEASED if is_alone else _S.AVAILABLE, done="It is in service again")

    async def rest(self, number: NumberFacts) -> str | None:
        """Let one that an account had alone rest, before another may have it; give another one back."""
        if number.account_id is None:
            return await self._move(number, _S.RELEASING, reason=number.state_reason, done="It is given back")
        lasts_s = aging_days(number.country) * _DAY_S
        return await self._move(number, _S.AGING, lasts_s=lasts_s, done="It rests")

    async def return_to_pool(self, number: NumberFacts) -> str | None:
        """Let a number that has rested be lent again."""
        return await self._move(number, _S.AVAILABLE, done="It can be leased again")

    async def give_back(self, number: NumberFacts, *, reason: str | None = None) -> str | None:
        """Note that the carrier has its number again; it may be used nowhere any more.

        With a reason, it has not said so, and is not waited for.
        """
        async with self._database.transaction() as connection:
            gone = await move_seen(connection, number, _S.RETIRED, reason=reason or number.state_reason)
            if gone is None:
                return None
            await revoke(connection, _pair(number), ground="given back to its carrier")
            await tell_moved(connection, gone, before=_S.RELEASING, by=_by(number))
        return "Its carrier has it again" if reason is None else f"It is given up: {reason}"

    async def _move(
        self,
        number: NumberFacts,
        then: NumberState,
        *,
        done: str,
        reason: str | None = None,
        lasts_s: int | None = None,
    ) -> str | None:
        async with self._database.transaction() as connection:
            after = await move_seen(connection, number, then, reason=reason, lasts_s=lasts_s)
            if after is None:
                return None
            await tell_moved(connection, after, before=number.state, by=_by(number))
        return done

    async def _end_open(self, connection: AsyncConnection, number: NumberFacts, *, reason: EndReason) -> None:
        lease = await lease_of_number(connection, number.id)
        if lease is not None:
            await end_lease(connection, lease.id, reason=reason)


def _by(number: NumberFacts, lease: LeaseFacts | None = None) -> By:
    """Return whose events and trail a step belongs to: who leases the number, else who has it, else the instance."""
    return By(account_id=number.account_id if lease is None else lease.account_id, actor=SYSTEM)


def _pair(number: NumberFacts) -> Pair:
    return Pair(environment=number.environment, country=number.country, sender=number.sender, carrier=number.carrier)
