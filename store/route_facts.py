"""All that a choice of a route needs, in one statement: senders, leases, permissions, health, the account's policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, String, bindparam, case, cast, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.routing import NumberState, RoutePolicyFacts
from domain.statuses import AttemptStatus, Channel, Environment
from rules.routing.breaker import Breaker, BreakerState
from rules.routing.candidates import Authorisation, Candidate
from rules.routing.capacity import MAY_WAIT_S, MICROS
from rules.routing.catalog import Catalog, Route, SenderType
from rules.routing.evidence import Evidence
from rules.routing.number_life import IN_SERVICE
from rules.routing.outlook import Sender
from rules.routing.timers import DEFAULT_VERIFY_WAIT_S
from store.capacity import now_us
from store.number_tables import CapacityBucket, RoutingLease, SenderAuthorisation, SenderNumber
from store.route_health import CONNECTIONS
from store.route_policies import EVERYWHERE_ELSE, FIND_POLICY, policy_facts
from store.route_tables import RouteHealth
from store.tables import Attempt, table_of
from store.times import fixed, now

_number, _lease = table_of(SenderNumber), table_of(RoutingLease)
_authorisation, _health = table_of(SenderAuthorisation), table_of(RouteHealth)
_bucket = table_of(CapacityBucket)
# The breakers of carriers' connections.
_link = _health.alias("link")
_ENVIRONMENT: BindParameter[str] = bindparam("of_environment", type_=String())
_COUNTRY: BindParameter[str] = bindparam("of_country", type_=String())
_HAS_ROWS = (
    select(literal(1))
    .select_from(_authorisation)
    .where(_authorisation.c.environment == _ENVIRONMENT, _authorisation.c.country == _COUNTRY)
    .exists()
)
# The words of `Candidate.group`.
_GROUP = (
    _number.c.carrier.concat("/")
    .concat(_number.c.country)
    .concat("/")
    .concat(_number.c.sender_type)
    .concat("/")
    .concat(fixed(Channel.SMS))
)
_OF_SENDER = (
    *(_number.c[name] for name in ("id", "country", "sender", "sender_type", "carrier", "region")),
    *(_number.c[name] for name in ("price_micros", "currency")),
    _number.c.state,
    _number.c.account_id.label("holder"),
    _number.c.probing_since,
)
_OF_LEASE = (_lease.c.fence, _lease.c.expires_at.label("lent_until"))
_OF_PERMISSION = (_authorisation.c.valid_since, _authorisation.c.valid_until)
_OF_HEALTH = tuple(
    _health.c[name].label(f"health_{name}")
    for name in (
        "proved",
        "unproved",
        "prior",
        "learnt_at",
        "breaker",
        "probe_at",
        "probes_lost",
        "demoted_at",
        "receipt_wait_s",
        "verify_wait_s",
    )
)
_OF_LINK = tuple(_link.c[name].label(f"link_{name}") for name in ("breaker", "probe_at", "probes_lost"))
# When a message that is planned now would leave: after what was taken of its number and of its carrier's connection,
# and after those that wait for either.
_waiting, _connection = table_of(Attempt), _bucket.alias("connection")
_IS_WAITING = (_waiting.c.status == fixed(AttemptStatus.PLANNED)) & _waiting.c.waits_until.is_not(None)


def _last_of(line: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.max(_waiting.c.waits_until)).where(line, _IS_WAITING).scalar_subquery()


_BUCKET_NAME = literal("number/").concat(func.replace(cast(_number.c.id, String), "-", ""))
_CONNECTION_NAME = literal("carrier/").concat(_number.c.carrier).concat("/").concat(_number.c.region)
_THROUGH_CONNECTION = (_waiting.c.carrier == _number.c.carrier) & (_waiting.c.region == _number.c.region)
_OF_CAPACITY = (
    (_bucket.c.free_at_us - _bucket.c.slack_us - now_us()).label("busy_us"),
    _last_of(_waiting.c.number_id == _number.c.id).label("last_in_line"),
    (_connection.c.free_at_us - _connection.c.slack_us - now_us()).label("connection_busy_us"),
    _last_of(_THROUGH_CONNECTION).label("last_of_connection"),
)
_ONE = select(fixed(1).label("one")).subquery("one")
_POLICY = FIND_POLICY.subquery("policy")
_OF_POLICY = tuple(
    column.label(f"policy_{column.name}") for column in _POLICY.c if column.name not in {"account_id", "environment"}
)
_READ = select(
    now().label("read_at"),
    *_OF_POLICY,
    *_OF_SENDER,
    *_OF_LEASE,
    *_OF_PERMISSION,
    *_OF_HEALTH,
    *_OF_LINK,
    *_OF_CAPACITY,
).select_from(
    _ONE.outerjoin(_POLICY, true())
    .outerjoin(_number, _number.c.environment == _ENVIRONMENT)
    .outerjoin(_lease, _lease.c.number_id == _number.c.id)
    .outerjoin(_bucket, _bucket.c.name == _BUCKET_NAME)
    .outerjoin(_connection, _connection.c.name == _CONNECTION_NAME)
    .outerjoin(
        _authorisation,
        (_authorisation.c.environment == _ENVIRONMENT)
        & (_authorisation.c.country == case((_HAS_ROWS, _COUNTRY), else_=EVERYWHERE_ELSE))
        & (_authorisation.c.sender == _number.c.sender)
        & (_authorisation.c.carrier == _number.c.carrier),
    )
    .outerjoin(
        _health,
        (_health.c.environment == _ENVIRONMENT) & (_health.c.country == _COUNTRY) & (_health.c.route_group == _GROUP),
    )
    .outerjoin(
        _link,
        (_link.c.environment == _ENVIRONMENT)
        & (_link.c.country == CONNECTIONS)
        & (_link.c.route_group == _number.c.carrier.concat("/").concat(_number.c.region)),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What there is towards a country; `regions` are those where a routing lease is held, `policy` is the account's."""

    senders: tuple[Sender, ...]
    regions: frozenset[str]
    policy: RoutePolicyFacts | None


async def read_route_facts(
    connection: AsyncConnection, country: str, *, environment: Environment, account_id: UUID, catalog: Catalog
) -> RouteFacts:
    """Return every sender of an environment with what is known of it towards a country, and an account's policy."""
    values = {"of_environment": environment.value, "of_country": country, "of_account": account_id}
    rows = (await connection.execute(_READ, values)).all()
    policy = None if rows[0].policy_country is None else policy_facts(rows[0], prefix="policy_")
    found = [row for row in rows if row.id is not None]
    newest = max((row.health_learnt_at or 0 for row in found), default=0)
    return RouteFacts(
        senders=tuple(_sender(row, catalog, learnt=newest) for row in _in_order(found)),
        regions=frozenset(row.region for row in found if row.lent_until is not None and row.lent_until > row.read_at),
        policy=policy,
    )


def _in_order(rows: Sequence[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: (row.country, row.carrier, row.sender))


def _sender(row: Any, catalog: Catalog, *, learnt: int) -> Sender:
    is_known = row.health_breaker is not None
    return Sender(
        candidate=Candidate(
            route=Route(
                pool_country=row.country,
                carrier=row.carrier,
                region=row.region,
                sender=row.sender,
                sender_type=SenderType(row.sender_type),
                receipt_wait_s=_receipt_wait_s(row, catalog),
            ),
            place=0,
            price_micros=row.price_micros,
            authorisation=_authorised(row.valid_since, row.valid_until),
            is_in_service=NumberState(row.state) in IN_SERVICE,
            has_capacity=_has_capacity(row),
            evidence=_evidence(row).aged(learnt) if is_known else Evidence(),
            number_id=row.id,
            fence=row.fence,
            currency=row.currency,
            verify_wait_s=row.health_verify_wait_s or DEFAULT_VERIFY_WAIT_S,
        ),
        holder=row.holder,
        is_demoted=row.health_demoted_at is not None,
        is_on_trial=row.probing_since is not None,
        breaker=_breaker(row.health_breaker, row.health_probe_at, row.health_probes_lost),
        connection=_breaker(row.link_breaker, row.link_probe_at, row.link_probes_lost),
    )


def _has_capacity(row: Any) -> bool:
    """Say whether a message that is planned now would leave soon; what has no rate has no line."""
    buckets = ((row.busy_us, row.last_in_line), (row.connection_busy_us, row.last_of_connection))
    return all(_is_short(busy_us, last, read_at=row.read_at) for busy_us, last in buckets if busy_us is not None)


def _is_short(busy_us: int, last: datetime | None, *, read_at: datetime) -> bool:
    line_s = 0.0 if last is None else (last - read_at).total_seconds()
    return max(busy_us / MICROS, line_s) <= MAY_WAIT_S


def _receipt_wait_s(row: Any, catalog: Catalog) -> int:
    learnt = row.health_receipt_wait_s
    return catalog.receipt_wait_s(row.carrier) if learnt is None else int(learnt)


def _authorised(since: datetime | None, until: datetime | None) -> Authorisation | None:
    return None if since is None else Authorisation(since=since, until=until)


def _evidence(row: Any) -> Evidence:
    return Evidence(row.health_proved, row.health_unproved, row.health_prior, row.health_learnt_at)


def _breaker(state: str | None, probe_at: datetime | None, probes_lost: int) -> Breaker:
    """Return a breaker as read; one that has no row has seen nothing."""
    return (
        Breaker() if state is None else Breaker(state=BreakerState(state), probe_at=probe_at, probes_lost=probes_lost)
    )
