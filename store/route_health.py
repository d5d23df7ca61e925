"""What is known of groups of routes, shared by all workers: read by many, written by who saw the newest version."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Integer, String, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import Environment
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.evidence import Evidence
from rules.routing.learning import Health
from rules.routing.proportions import Share
from rules.routing.sketch import of_text, to_text
from store.route_tables import RouteHealth
from store.tables import table_of
from store.times import fixed, now, now_plus

_health = table_of(RouteHealth)
_KEY = ("environment", "country", "route_group")
_BEGIN = {
    "sqlite": sqlite.insert(_health).on_conflict_do_nothing(index_elements=_KEY),
    "postgresql": postgresql.insert(_health).on_conflict_do_nothing(index_elements=_KEY),
}
_OF_GROUP = (
    _health.c.environment == bindparam("of_environment"),
    _health.c.country == bindparam("of_country"),
    _health.c.route_group == bindparam("of_group"),
)
# Where the breakers of carriers' connections are kept, under the connection's name: no country's code.
CONNECTIONS = "**"
_READ = select(_health, now().label("read_at")).where(*_OF_GROUP[:2]).order_by(_health.c.route_group)
_ANY_COUNTRY: BindParameter[str | None] = bindparam("of_country", type_=String())
_READ_ALL = (
    select(_health, now().label("read_at"))
    .where(
        _OF_GROUP[0],
        _health.c.country != CONNECTIONS,
        or_(_ANY_COUNTRY.is_(None), _health.c.country == _ANY_COUNTRY),
    )
    .order_by(_health.c.country, _health.c.route_group)
)
_WRITE = (
    update(_health)
    .where(*_OF_GROUP, _health.c.version == bindparam("seen"))
    .values(
        version=_health.c.version + 1,
        changed_at=now(),
        **{
            name: bindparam(f"new_{name}", type_=_health.c[name].type)
            for name in _health.c.keys()  # noqa: SIM118 - a collection of columns, not a mapping
            if name not in {*_KEY, "version", "changed_at"}
        },
    )
)
_TAKE_PROBE = (
    update(_health)
    .where(*_OF_GROUP, _health.c.breaker != fixed(BreakerState.CLOSED), _health.c.probe_at <= now())
    .values(probe_at=now_plus(bindparam("pause_s", type_=Integer)), version=_health.c.version + 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of routes towards a country: all but the sender is the same (`Candidate.group`).

    Or, with `CONNECTIONS` as the country, a carrier's connection in a region.
    """

    environment: Environment
    country: str
    name: str


async def begin_health(connection: AsyncConnection, group: Group) -> None:
    """Write the row of a group that nothing is known of; one that is there is left as it is."""
    values = {
        "environment": group.environment.value,
        "country": group.country,
        "route_group": group.name,
        "version": 0,
        "changed_at": now(),
        **_columns(Health()),
    }
    await connection.execute(_BEGIN[connection.dialect.name].values(**values))


async def read_health(connection: AsyncConnection, country: str, *, environment: Environment) -> dict[str, Health]:
    """Return what is known of the routes towards a country, by the group's name."""
    rows = await connection.execute(_READ, {"of_environment": environment.value, "of_country": country})
    return {row.route_group: _facts(row) for row in rows}


async def read_country_healths(
    connection: AsyncConnection, country: str | None, *, environment: Environment
) -> list[tuple[Group, Health]]:
    """Return what is known of the routes towards a country, or towards all, in one order."""
    rows = await connection.execute(_READ_ALL, {"of_environment": environment.value, "of_country": country})
    return [(Group(environment=environment, country=row.country, name=row.route_group), _facts(row)) for row in rows]


async def write_health(connection: AsyncConnection, group: Group, health: Health) -> bool:
    """Write what is known now; False, and nothing written, when another has written since this was read."""
    values = {f"new_{name}": value for name, value in _columns(health).items()}
    return bool((await connection.execute(_WRITE, {**_named(group), "seen": health.version, **values})).rowcount)


async def take_probe(connection: AsyncConnection, group: Group, *, pause_s: int) -> bool:
    """Take the one probe that a breaker lets through now; the next is due after the pause. False: it is not due."""
    return bool((await connection.execute(_TAKE_PROBE, {**_named(group), "pause_s": pause_s})).rowcount)


def _named(group: Group) -> dict[str, str]:
    return {"of_environment": group.environment.value, "of_country": group.country, "of_group": group.name}


def _columns(health: Health) -> dict[str, Any]:
    breaker, evidence = health.breaker, health.evidence
    return {
        "proved": evidence.proved,
        "unproved": evidence.unproved,
        "prior": evidence.prior,
        "learnt_at": evidence.at,
        "baseline_proved": health.baseline.of,
        "baseline_total": health.baseline.total,
        "recent": health.recent,
        "accepted": health.accepted,
        "receipts": to_text(health.receipts),
        "proofs": to_text(health.proofs),
        "breaker": breaker.state.value,
        "breaker_recent": breaker.recent,
        "breaker_run_began_at": breaker.run_began_at,
        "breaker_seen_at": breaker.seen_at,
        "probe_at": breaker.probe_at,
        "probes_lost": breaker.probes_lost,
        "probes_passed": breaker.probes_passed,
        "demoted_at": health.demoted_at,
        "demoted_for": health.demoted_for,
        "relapses": health.relapses,
        "receipt_wait_s": health.receipt_wait_s,
        "verify_wait_s": health.verify_wait_s,
        "breaker_told_at": health.breaker_told_at,
    }


def _facts(row: Any) -> Health:
    return Health(
        version=row.version,
        evidence=Evidence(row.proved, row.unproved, row.prior, row.learnt_at),
        baseline=Share(row.baseline_proved, row.baseline_total),
        recent=row.recent,
        accepted=row.accepted,
        receipts=of_text(row.receipts),
        proofs=of_text(row.proofs),
        breaker=Breaker(
            state=BreakerState(row.breaker),
            recent=row.breaker_recent,
            run_began_at=row.breaker_run_began_at,
            seen_at=row.breaker_seen_at,
            probe_at=row.probe_at,
            probes_lost=row.probes_lost,
            probes_passed=row.probes_passed,
        ),
        demoted_at=row.demoted_at,
        demoted_for=row.demoted_for,
        relapses=row.relapses,
        receipt_wait_s=row.receipt_wait_s,
        verify_wait_s=row.verify_wait_s,
        breaker_told_at=row.breaker_told_at,
    )
