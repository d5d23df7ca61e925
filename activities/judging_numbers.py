"""Judging the numbers of pools: set aside, tried, taken back; each once, told in its own transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import SYSTEM, JsonScalar
from domain.ids import number_id as public_id
from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.health import NumberRecord, Trouble, in_a_row, quarantine
from rules.routing.number_life import IN_SERVICE
from rules.routing.verdicts import Decided, trial_among, trouble_among
from store.engine import Database
from store.number_news import By, tell_moved
from store.number_trials import begin_trial, end_trial
from store.numbers import move_number
from store.route_decisions import database_now, forget_record, keep_decision, known_numbers, numbers_back

# What is told of a number that is in service on trial, and of one that has stood it.
ON_TRIAL, PROVED = "probing", "proved"
_Known = tuple[NumberFacts, NumberRecord]


class JudgingNumbers:
    """Judges the numbers of a country's pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge(self, environment: Environment, country: str) -> list[Decided]:
        """Set aside what does worse than its pool, try what was, take back what proved itself; return what was decided.

        One transaction for each number: the trail's head is locked last.
        """
        async with self._database.reading() as connection:
            now = await database_now(connection)
            numbers = await known_numbers(connection, country, environment=environment)
            back = await numbers_back(connection, country, environment=environment)
        made = []
        for number, record in numbers:
            if number.state in IN_SERVICE:
                # What is on trial is no measure for others.
                others = [of_other for other, of_other in numbers if other.id != number.id and not other.is_probing]
                made += await self._judge(number, record, others, now=now)
        for number in back:
            made += await self._try(number)
        return made

    async def _judge(
        self, number: NumberFacts, record: NumberRecord, others: Sequence[NumberRecord], *, now: datetime
    ) -> list[Decided]:
        found = trial_among(record, others) if number.is_probing else trouble_among(record, others)
        if found is None:
            return []
        trouble, evidence = found
        async with self._database.transaction() as connection:
            if trouble is None:
                return await _take_back(connection, number, evidence)
            return await _quarantine(connection, number, trouble, evidence, now=now)

    async def _try(self, number: NumberFacts) -> list[Decided]:
        """Put a number whose quarantine is over into service on trial; what was known of it does not count there."""
        async with self._database.transaction() as connection:
            moved = await begin_trial(connection, number)
            if moved is None:
                return []
            await forget_record(connection, number.id)
            told, evidence = replace(moved, state_reason=ON_TRIAL), {"relapses": number.relapses}
            return await _tell(connection, told, number.state, Decided.NUMBER_PROBING, evidence)


async def _quarantine(
    connection: AsyncConnection,
    number: NumberFacts,
    trouble: Trouble,
    evidence: Mapping[str, JsonScalar],
    *,
    now: datetime,
) -> list[Decided]:
    before = in_a_row(relapses=number.relapses, in_service_for=now - number.changed_at)
    set_aside = quarantine(relapses=before, now=now)
    moved = await move_number(
        connection,
        number.id,
        seen=number.state,
        then=NumberState.QUARANTINED,
        reason=trouble.value,
        lasts_s=round((set_aside.until - now).total_seconds()),
        relapses=set_aside.relapses,
    )
    return [] if moved is None else await _tell(connection, moved, number.state, Decided.NUMBER_QUARANTINED, evidence)


async def _take_back(
    connection: AsyncConnection, number: NumberFacts, evidence: Mapping[str, JsonScalar]
) -> list[Decided]:
    proved = await end_trial(connection, number)
    if proved is None:
        return []
    told = replace(proved, state_reason=PROVED)
    return await _tell(connection, told, number.state, Decided.NUMBER_RESTORED, evidence)


async def _tell(
    connection: AsyncConnection,
    number: NumberFacts,
    before: NumberState,
    decided: Decided,
    evidence: Mapping[str, JsonScalar],
) -> list[Decided]:
    await keep_decision(
        connection,
        number.country,
        environment=number.environment,
        decided=decided,
        subject=public_id(number.id),
        evidence=evidence,
        account_id=number.account_id,
    )
    await tell_moved(connection, number, before=before, by=By(account_id=number.account_id, actor=SYSTEM))
    return [decided]
