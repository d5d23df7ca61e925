"""Where senders may be used: per destination country, sender and carrier, from when until when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import Environment
from rules.routing.candidates import Authorisation
from store.number_tables import SenderAuthorisation
from store.route_policies import EVERYWHERE_ELSE
from store.tables import table_of
from store.times import UtcDateTime, now

_authorisation = table_of(SenderAuthorisation)
_KEY = ("environment", "country", "sender", "carrier")
_VALUES = {
    "environment": bindparam("of_environment"),
    "country": bindparam("of_country"),
    "sender": bindparam("of_sender"),
    "carrier": bindparam("of_carrier"),
    "valid_since": now(),
    "valid_until": bindparam("until", type_=UtcDateTime),
    "ground": bindparam("because"),
}
_CHANGED = {"valid_until": bindparam("until", type_=UtcDateTime), "ground": bindparam("because")}
_GRANT = {
    "sqlite": sqlite.insert(_authorisation).values(_VALUES).on_conflict_do_update(index_elements=_KEY, set_=_CHANGED),
    "postgresql": postgresql.insert(_authorisation)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_KEY, set_=_CHANGED),
}
_OF_ONE = (
    _authorisation.c.environment == bindparam("of_environment"),
    _authorisation.c.country == bindparam("of_country"),
    _authorisation.c.sender == bindparam("of_sender"),
    _authorisation.c.carrier == bindparam("of_carrier"),
)
_REVOKE = (
    update(_authorisation)
    .where(*_OF_ONE, or_(_authorisation.c.valid_until.is_(None), _authorisation.c.valid_until > now()))
    .values(valid_until=now(), ground=bindparam("because"))
)
_READ = select(_authorisation).where(
    _authorisation.c.environment == bindparam("of_environment"), _authorisation.c.country == bindparam("of_country")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sender on a carrier, towards a destination country."""

    environment: Environment
    country: str
    sender: str
    carrier: str


async def authorise(connection: AsyncConnection, pair: Pair, *, ground: str, until: datetime | None = None) -> None:
    """Allow a sender from now on, or change how long it is allowed; `ground` is what the permission rests on."""
    values = {**_named(pair), "until": until, "because": ground}
    await connection.execute(_GRANT[connection.dialect.name], values)


async def revoke(connection: AsyncConnection, pair: Pair, *, ground: str) -> bool:
    """Allow a sender no longer; False when it was not allowed."""
    return bool((await connection.execute(_REVOKE, {**_named(pair), "because": ground})).rowcount)


async def authorisations_for(
    connection: AsyncConnection, country: str, *, environment: Environment
) -> dict[tuple[str, str], Authorisation]:
    """Return what is, was or will be allowed towards a country, by sender and carrier."""
    rows = await connection.execute(_READ, {"of_environment": environment.value, "of_country": country})
    return {(row.sender, row.carrier): Authorisation(since=row.valid_since, until=row.valid_until) for row in rows}


async def authorisations_towards(
    connection: AsyncConnection, country: str, *, environment: Environment
) -> dict[tuple[str, str], Authorisation]:
    """Return what holds towards a country: its own permissions, or where it has none those for everywhere else."""
    own = await authorisations_for(connection, country, environment=environment)
    return own or await authorisations_for(connection, EVERYWHERE_ELSE, environment=environment)


def _named(pair: Pair) -> dict[str, str]:
    return {
        "of_environment": pair.environment.value,
        "of_country": pair.country,
        "of_sender": pair.sender,
        "of_carrier": pair.carrier,
    }
