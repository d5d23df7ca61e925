"""Decisions about routes and numbers: for which countries there may be one, who is told, what was decided."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Integer, String, Uuid, bindparam, delete, insert, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import JsonScalar
from domain.ids import new_id
from domain.routing import NumberFacts, NumberState
from domain.statuses import Environment
from rules.routing.health import NumberRecord, Trouble
from rules.routing.verdicts import Decided, DecisionFacts
from store.learning import number_record
from store.number_tables import SenderNumber
from store.numbers import number_facts
from store.route_tables import NumberHealth, RouteDecision, RouteHealth
from store.tables import Verification, table_of
from store.times import fixed, now, now_plus

_decision, _health, _number = table_of(RouteDecision), table_of(RouteHealth), table_of(SenderNumber)
_known, _verification = table_of(NumberHealth), table_of(Verification)
# What was learnt longer ago was looked at when it was.
_NEWS_S = 120
# Whoever wrote to a country within a day is told of what becomes of its routes.
_CONCERNED_S, _MOST_CONCERNED = 86_400, 1_000
_TROUBLES = [fixed(each) for each in sorted(Trouble)]
_IS_BACK = (
    _number.c.state == fixed(NumberState.QUARANTINED),
    _number.c.state_reason.in_(_TROUBLES),
    _number.c.state_until <= now(),
)
_WITH_NEWS = union(
    select(_health.c.environment, _health.c.country).where(_health.c.changed_at > now_plus(-_NEWS_S)),
    select(_number.c.environment, _number.c.country).where(*_IS_BACK),
    select(_number.c.environment, _number.c.country).where(_number.c.probing_since.is_not(None)),
)
_CONCERNED = (
    select(_verification.c.account_id)
    .where(
        _verification.c.environment == bindparam("of_environment"),
        _verification.c.country == bindparam("of_country"),
        _verification.c.created_at > now_plus(-_CONCERNED_S),
    )
    .distinct()
    .order_by(_verification.c.account_id)
    .limit(_MOST_CONCERNED)
)
_POOL = (
    select(_number, *(column for column in _known.c if column.name != "version"))
    .outerjoin(_known, _known.c.number_id == _number.c.id)
    .where(_number.c.environment == bindparam("of_environment"), _number.c.country == bindparam("of_country"))
    .order_by(_number.c.id)
)
_BACK = (
    select(_number)
    .where(
        _number.c.environment == bindparam("of_environment"), _number.c.country == bindparam("of_country"), *_IS_BACK
    )
    .order_by(_number.c.id)
)
_ANY_COUNTRY: BindParameter[str | None] = bindparam("of_country", type_=String())
_IN_SIGHT_OF: BindParameter[UUID | None] = bindparam("in_sight_of", type_=Uuid())
_LIST = (
    select(_decision)
    .where(
        _decision.c.environment == bindparam("of_environment"),
        or_(_ANY_COUNTRY.is_(None), _decision.c.country == _ANY_COUNTRY),
        or_(_IN_SIGHT_OF.is_(None), _decision.c.account_id.is_(None), _decision.c.account_id == _IN_SIGHT_OF),
    )
    .order_by(_decision.c.decided_at.desc(), _decision.c.id.desc())
    .limit(bindparam("at_most"))
)


_DAY_S, _AT_ONCE = 86_400, 5_000
_OLDEST = select(_decision.c.id).order_by(_decision.c.id).limit(_AT_ONCE).scalar_subquery()
# By id, of which the smallest are the oldest, so that nothing is searched through.
_FORGET = delete(_decision).where(
    _decision.c.id.in_(_OLDEST), _decision.c.decided_at < now_plus(bindparam("kept_s", type_=Integer))
)


async def countries_with_news(connection: AsyncConnection) -> list[tuple[Environment, str]]:
    """Return the countries for which something was learnt lately, or a number is back from quarantine, or on trial."""
    rows = await connection.execute(_WITH_NEWS)
    return sorted((Environment(row.environment), row.country) for row in rows)


async def accounts_concerned(connection: AsyncConnection, country: str, *, environment: Environment) -> list[UUID]:
    """Return the accounts that wrote to a country within a day."""
    values = {"of_environment": environment.value, "of_country": country}
    return list((await connection.execute(_CONCERNED, values)).scalars())


async def known_numbers(
    connection: AsyncConnection, country: str, *, environment: Environment
) -> list[tuple[NumberFacts, NumberRecord]]:
    """Return the numbers of a pool of which something is known, with it."""
    rows = await connection.execute(_POOL, {"of_environment": environment.value, "of_country": country})
    return [(number_facts(row), number_record(row)) for row in rows if row.judged is not None]


async def numbers_back(connection: AsyncConnection, country: str, *, environment: Environment) -> list[NumberFacts]:
    """Return the numbers of a pool whose quarantine for their health is over."""
    rows = await connection.execute(_BACK, {"of_environment": environment.value, "of_country": country})
    return [number_facts(row) for row in rows]


async def keep_decision(
    connection: AsyncConnection,
    country: str,
    *,
    environment: Environment,
    decided: Decided,
    subject: str,
    evidence: Mapping[str, JsonScalar],
    account_id: UUID | None = None,
) -> None:
    """Write down what was decided, what it rests on, and of a number the account that has it alone."""
    values = {
        "id": new_id(),
        "environment": environment.value,
        "country": country,
        "kind": decided.value,
        "subject": subject,
        "evidence": json.dumps(dict(evidence), separators=(",", ":")),
        "account_id": account_id,
    }
    await connection.execute(insert(_decision).values(**values, decided_at=now()))


async def decisions(
    connection: AsyncConnection,
    *,
    environment: Environment,
    country: str | None,
    at_most: int,
    in_sight_of: UUID | None = None,
) -> list[DecisionFacts]:
    """Return the latest decisions of an environment, or of one of its countries, newest first.

    `in_sight_of` is an account, which does not see those about numbers that others had alone; None sees all.
    """
    values = {
        "of_environment": environment.value,
        "of_country": country,
        "at_most": at_most,
        "in_sight_of": in_sight_of,
    }
    return [_facts(row) for row in await connection.execute(_LIST, values)]


async def forget_record(connection: AsyncConnection, number_id: UUID) -> None:
    """Forget what is known of a number: what it meets from now on is judged alone."""
    await connection.execute(_known.delete().where(_known.c.number_id == number_id))


async def forget_old_decisions(connection: AsyncConnection, *, kept_days: int) -> int:
    """Forget decisions of so many days ago, some thousands at once; return how many."""
    return int((await connection.execute(_FORGET, {"kept_s": -kept_days * _DAY_S})).rowcount)


async def database_now(connection: AsyncConnection) -> datetime:
    """Return the database's time."""
    moment: datetime = (await connection.execute(select(now()))).scalar_one()
    return moment


def _facts(row: Any) -> DecisionFacts:
    return DecisionFacts(
        country=row.country,
        kind=Decided(row.kind),
        subject=row.subject,
        evidence=json.loads(row.evidence),
        decided_at=row.decided_at,
    )
