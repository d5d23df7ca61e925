"""What accounts want for their destinations: one row per country, and one for everywhere else."""

from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import Mode, RoutePolicyFacts
from domain.statuses import Environment
from store.route_tables import RoutePolicy
from store.tables import table_of
from store.times import now

_policy = table_of(RoutePolicy)
# No country's code: letters only name countries.
EVERYWHERE_ELSE = "**"
_KEY = ("account_id", "environment", "country")


def _put(insert: Any) -> Any:
    statement = insert(_policy)
    changed = {column.name: statement.excluded[column.name] for column in _policy.c if column.name not in _KEY}
    return statement.on_conflict_do_update(index_elements=_KEY, set_=changed)


_PUT = {"sqlite": _put(sqlite.insert), "postgresql": _put(postgresql.insert)}
_OF_ACCOUNT = (
    _policy.c.account_id == bindparam("of_account"),
    _policy.c.environment == bindparam("of_environment"),
)
FIND_POLICY = (
    select(_policy)
    .where(*_OF_ACCOUNT, _policy.c.country.in_((bindparam("of_country"), EVERYWHERE_ELSE)))
    .order_by((_policy.c.country == EVERYWHERE_ELSE).asc())
    .limit(1)
)
_REMOVE = delete(_policy).where(*_OF_ACCOUNT, _policy.c.country == bindparam("of_country"))
_LIST = select(_policy).where(*_OF_ACCOUNT).order_by(_policy.c.country)


async def put_policy(
    connection: AsyncConnection, policy: RoutePolicyFacts, *, account_id: UUID, environment: Environment
) -> None:
    """Set an account's policy for a country, or for everywhere else."""
    values = {
        "account_id": account_id,
        "environment": environment.value,
        "country": policy.country,
        "is_allowed": policy.is_allowed,
        "primary_pool": policy.primary_pool,
        "backups": " ".join(policy.backups),
        "mode": policy.mode.value,
        "max_attempts": policy.max_attempts,
        "max_carriers": policy.max_carriers,
        "cost_cap_micros": policy.cost_cap_micros,
        "receipt_wait_s": policy.receipt_wait_s,
        "verify_wait_s": policy.verify_wait_s,
        "is_resent": policy.is_resent,
        "is_rotated": policy.is_rotated,
        "changed_at": now(),
    }
    await connection.execute(_PUT[connection.dialect.name].values(**values))


async def remove_policy(
    connection: AsyncConnection, country: str, *, account_id: UUID, environment: Environment
) -> bool:
    """Take an account's policy for a country, or for everywhere else, away; False when it has set none."""
    values = {"of_account": account_id, "of_environment": environment.value, "of_country": country}
    return bool((await connection.execute(_REMOVE, values)).rowcount)


async def find_policy(
    connection: AsyncConnection, country: str, *, account_id: UUID, environment: Environment
) -> RoutePolicyFacts | None:
    """Return an account's policy for a country, else the one for everywhere else, else None: it has set none."""
    values = {"of_account": account_id, "of_environment": environment.value, "of_country": country}
    row = (await connection.execute(FIND_POLICY, values)).one_or_none()
    return None if row is None else policy_facts(row)


async def list_policies(
    connection: AsyncConnection, *, account_id: UUID, environment: Environment
) -> list[RoutePolicyFacts]:
    """Return all that an account has set, by country."""
    rows = await connection.execute(_LIST, {"of_account": account_id, "of_environment": environment.value})
    return [policy_facts(row) for row in rows]


def policy_facts(row: Any, *, prefix: str = "") -> RoutePolicyFacts:
    """Return the policy of a row; where other columns stand beside it, its own begin with the prefix."""
    of = {name: getattr(row, f"{prefix}{name}") for name in _FACTS}
    return RoutePolicyFacts(**{**of, "backups": tuple(of["backups"].split()), "mode": Mode(of["mode"])})


_FACTS = tuple(each.name for each in fields(RoutePolicyFacts))
