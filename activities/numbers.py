"""Tending a number: one step at a time, each one conditional change with its event and its audit entry.

No transaction is open while a carrier is on the line. A carrier that is silent is no error: it is asked again later,
under the same reference, and does what it was asked once; one that stays silent for days is given up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity

from activities.number_steps import NumberSteps
from carriers.inventory import InventoryAwayError, NumberInventory, NumberTakenError, UnknownNumberError
from domain.messages import NumberOrder, NumberReport
from domain.routing import EndReason, LeaseFacts, NumberFacts
from domain.statuses import MAY_SEND, Environment
from rules.routing.lease_life import NOT_GIVEN_BACK, Due, Step, ask_again_s, is_given_up, next_due
from store.accounts import read_account
from store.clock import read_clock
from store.engine import Database
from store.number_upkeep import note_due, note_silence
from store.number_views import find_with_lease

# A step that could not be taken was somebody else's; should it not be, it is tried again after this, not at once.
_STUCK_S = 5.0
_OF_CARRIER = frozenset({Step.ORDER, Step.LOOK, Step.GIVE_BACK})
_OF_LEASE = frozenset({Step.RENEW, Step.WARN, Step.EXPIRE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A number at a moment, and what is due for it."""

    number: NumberFacts
    lease: LeaseFacts | None
    now: datetime
    due: Due | None


class NumberActivities:
    """Tend numbers. `inventories` are the carriers' by name, each environment's apart."""

    def __init__(self, *, database: Database, inventories: Mapping[Environment, Mapping[str, NumberInventory]]) -> None:
        self._database = database
        self._inventories = inventories
        self._steps = NumberSteps(database)

    @activity.defn
    async def tend(self, order: NumberOrder) -> NumberReport:
        """Take the step that is due for a number, if one is, and say when to come again; safe to run twice."""
        seen = await self._see(order)
        if seen is None:
            return NumberReport()
        if seen.due is None or seen.due.at > seen.now:
            return await self._report(seen, done=None, at_least_s=0.0)
        done = await self._take(seen, seen.due)
        after = await self._see(order)
        if after is None:
            return NumberReport(done=done)
        return await self._report(after, done=done, at_least_s=0.0 if done else _STUCK_S)

    async def _see(self, order: NumberOrder) -> _Seen | None:
        async with self._database.reading() as connection:
            found = await find_with_lease(connection, order.number_id, environment=order.environment)
            if found is None:
                return None
            number, lease = found
            account = None if lease is None else await read_account(connection, lease.account_id)
            now = await read_clock(connection)
        may_renew = account is not None and account.status in MAY_SEND
        return _Seen(number=number, lease=lease, now=now, due=next_due(number, lease, now=now, may_renew=may_renew))

    async def _report(self, seen: _Seen, *, done: str | None, at_least_s: float) -> NumberReport:
        """Note when there is something to do next, and say so. Who changed the number meanwhile is heard at once."""
        due = seen.due
        async with self._database.statement() as connection:
            is_noted = await note_due(connection, seen.number, None if due is None else due.at)
        status = f"{seen.number.state} in {seen.number.country} via {seen.number.carrier}"
        if not is_noted:
            return NumberReport(status=status, done=done, next="See what was changed", next_s=at_least_s)
        if due is None:
            return NumberReport(status=status, done=done)
        wait_s = max((due.at - seen.now).total_seconds(), at_least_s)
        return NumberReport(status=status, done=done, next=due.told, next_s=round(wait_s, 3))

    async def _take(self, seen: _Seen, due: Due) -> str | None:
        """Take the step that is due; return what was done, or None where somebody had changed the number."""
        number, lease, steps = seen.number, seen.lease, self._steps
        if due.step in _OF_CARRIER:
            return await self._ask(seen, due.step)
        if lease is not None and due.step in _OF_LEASE:
            match due.step:
                case Step.RENEW:
                    return await steps.renew(number, lease)
                case Step.WARN:
                    return await steps.warn(number, lease, days=due.days)
                case _:
                    return await steps.expire(number, lease)
        alone = {
            Step.LAPSE: lambda: steps.lapse(number),
            Step.REGISTER: lambda: steps.register(number, lease),
            Step.RESTORE: lambda: steps.restore(number, lease),
            Step.REST: lambda: steps.rest(number),
            Step.RETURN: lambda: steps.return_to_pool(number),
        }
        return await alone[due.step]()

    async def _ask(self, seen: _Seen, step: Step) -> str | None:
        """Ask the number's carrier, and note what it answered; one that is silent is asked again later."""
        number = seen.number
        inventory = self._inventories.get(number.environment, {}).get(number.carrier)
        try:
            if inventory is None:
                raise InventoryAwayError(f"{number.carrier} has no inventory here")  # noqa: TRY301 - as silent as one
            if step is Step.GIVE_BACK:
                await inventory.release(number.sender, number_id=number.id)
                return await self._steps.give_back(number)
            ask = inventory.provision if step is Step.ORDER else inventory.look
            order = await ask(number.sender, number_id=number.id)
        except UnknownNumberError:
            if step is Step.GIVE_BACK:
                return await self._steps.give_back(number)
            return await self._steps.refuse(number, reason=EndReason.UNKNOWN_TO_CARRIER)
        except NumberTakenError:
            return await self._steps.refuse(number, reason=EndReason.TAKEN_AT_CARRIER)
        except InventoryAwayError:
            return await self._later_or_not(seen, step)
        done = await self._steps.note_order(number, order.status)
        again = await self._see(NumberOrder(number_id=number.id, environment=number.environment))
        if again is not None and again.number.state is number.state:
            await self._later(again)
        return done

    async def _later_or_not(self, seen: _Seen, step: Step) -> str | None:
        """Ask a silent carrier again later; one that has had its time is given up."""
        if not is_given_up(seen.number, now=seen.now):
            async with self._database.statement() as connection:
                await note_silence(connection, seen.number, _again_at(seen))
            return f"{seen.number.carrier} does not answer"
        if step is Step.GIVE_BACK:
            return await self._steps.give_back(seen.number, reason=NOT_GIVEN_BACK)
        return await self._steps.refuse(seen.number, reason=EndReason.CARRIER_SILENT)

    async def _later(self, seen: _Seen) -> None:
        """Put the next question to a carrier off."""
        async with self._database.statement() as connection:
            await note_due(connection, seen.number, _again_at(seen))


def _again_at(seen: _Seen) -> datetime:
    """Return when a carrier is asked again: the later the longer it has been asked."""
    return seen.now + timedelta(seconds=ask_again_s(since=seen.number.changed_at, now=seen.now))
