"""Judging the numbers of pools: set aside and taken back; each once, told in its own transaction."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, JsonScalar
from domain.ids import number_id as public_id
from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.health import Trouble, quarantine
from rules.routing.number_life import IN_SERVICE
from rules.routing.verdicts import Decided, trouble_among
from store.engine import Database
from store.number_news import By, tell_moved
from store.numbers import move_number
from store.route_decisions import database_now, forget_record, keep_decision, known_numbers, numbers_back


class JudgingNumbers:
    """Judges the numbers of a country's pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge(self, environment: Environment, country: str) -> list[Decided]:
        """Set aside what does worse than its pool, and take back whose time is over; return what was decided."""
        return await self._set_aside(environment, country) + await self._take_back(environment, country)

    async def _set_aside(self, environment: Environment, country: str) -> list[Decided]:
        """Quarantine the numbers of a pool that do worse than its others."""
        async with self._database.reading() as connection:
            now = await database_now(connection)
            numbers = await known_numbers(connection, country, environment=environment)
        made = []
        for number, record in numbers:
            others = [of_other for other, of_other in numbers if other.id != number.id]
            found = trouble_among(record, others) if number.state in IN_SERVICE else None
            if found is not None:
                # One transaction each: the trail's head is locked last.
                async with self._database.transaction() as connection:
                    is_made = await _quarantine(connection, number, *found, now=now)
                made += [Decided.NUMBER_QUARANTINED] if is_made else []
        return made

    async def _take_back(self, environment: Environment, country: str) -> list[Decided]:
        """Put numbers whose quarantine is over back into service, with nothing known of them."""
        async with self._database.reading() as connection:
            found = await numbers_back(connection, country, environment=environment)
        made = []
        for number in found:
            async with self._database.transaction() as connection:
                is_made = await _restore(connection, number)
            made += [Decided.NUMBER_RESTORED] if is_made else []
        return made


async def _quarantine(
    connection: AsyncConnection,
    number: NumberFacts,
    trouble: Trouble,
    evidence: Mapping[str, JsonScalar],
    *,
    now: datetime,
) -> bool:
    until = quarantine(relapses=number.relapses, now=now).until
    moved = await move_number(
        connection,
        number.id,
        seen=number.state,
        then=NumberState.QUARANTINED,
        reason=trouble.value,
        lasts_s=round((until - now).total_seconds()),
        is_relapse=True,
    )
    return moved is not None and await _tell(connection, moved, number.state, Decided.NUMBER_QUARANTINED, evidence)


async def _restore(connection: AsyncConnection, number: NumberFacts) -> bool:
    then = NumberState.AVAILABLE if number.account_id is None else NumberState.LEASED
    moved = await move_number(connection, number.id, seen=NumberState.QUARANTINED, then=then)
    if moved is None:
        return False
    await forget_record(connection, number.id)
    return await _tell(connection, moved, number.state, Decided.NUMBER_RESTORED, {"relapses": number.relapses})


async def _tell(
    connection: AsyncConnection,
    number: NumberFacts,
    before: NumberState,
    decided: Decided,
    evidence: Mapping[str, JsonScalar],
) -> bool:
    await keep_decision(
        connection,
        number.country,
        environment=number.environment,
        decided=decided,
        subject=public_id(number.id),
        evidence=evidence,
    )
    await tell_moved(connection, number, before=before, by=By(account_id=number.account_id, actor=SYSTEM))
    return True
