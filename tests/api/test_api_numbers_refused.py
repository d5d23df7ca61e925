"""What is refused of numbers, pools and policies says why, and leaves every row as it was."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from domain.access import EVERY_SCOPE
from domain.ids import parse
from runtime.setup import pool_book
from services.pools import Pools
from store.audit_tables import AuditRow
from store.event_tables import EventRow
from store.number_leases import lease_of_number
from store.number_tables import NumberLease, RoutingLease, SenderAuthorisation, SenderNumber
from store.route_tables import RoutePolicy
from store.tables import table_of
from tests.api.serving import Api, Server, calling, running_api
from tests.api.test_api_numbers import a_lease, a_reservation
from tests.building import a_verification, an_attempt
from tests.people import approved
from tests.sandbox.serving import SECRET, running_sandbox
from tests.store.numbering import SANDBOX, a_number, let_lease_end

OF_NUMBERS = (SenderNumber, NumberLease, RoutingLease, SenderAuthorisation, RoutePolicy)
WRITTEN_DOWN = (EventRow, AuditRow)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("refused")
    with (
        running_sandbox(home / "sandbox.db", receipt_url="http://127.0.0.1:9/receipts") as sandbox,
        running_api(home, sandbox_url=sandbox.url, sandbox_secret=SECRET) as server,
    ):
        yield server


@pytest.fixture
async def account(stocked: Server) -> AsyncIterator[Api]:
    async with calling(stocked, scopes=EVERY_SCOPE) as api:
        await Pools(database=api.database).load(pool_book(), environment=SANDBOX)
        yield api


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, once everything that it needs is there."""

    method: str
    path: str
    body: dict[str, Any] | None = None


async def rows(api: Api, *tables: type[SQLModel]) -> list[Any]:
    """Return every row of some tables, of whatever account."""
    async with api.database.reading() as connection:
        queries = [select(table_of(each)).order_by(*table_of(each).primary_key) for each in tables]
        return [list(await connection.execute(each)) for each in queries]


async def overlapping(api: Api) -> Request:
    made = await a_reservation(api)
    return Request(
        method="POST",
        path="/v1/numbers/reservations",
        body={name: made[name] for name in ("carrier", "sender", "country")},
    )


async def in_use(api: Api) -> Request:
    for _ in range(2):
        await a_number(api.database, "FI")
    made = await a_lease(api, country="FI")
    verification = await a_verification(api.database, api.caller, codes=0)
    route = {"sender": made["sender"], "carrier": made["carrier"], "pool_country": "FI"}
    await an_attempt(api.database, verification.id, **route)
    return Request(method="POST", path=f"/v1/numbers/{made['id']}/release", body={})


async def expired(api: Api) -> Request:
    for _ in range(2):
        await a_number(api.database, "SE")
    made = await a_lease(api, country="SE", auto_renew=False)
    number = parse(made["id"], prefix="num")
    assert number is not None
    async with api.database.reading() as connection:
        lease = await lease_of_number(connection, number)
    assert lease is not None
    await let_lease_end(api.database, lease.id)
    return Request(method="POST", path=f"/v1/numbers/{made['id']}/renew")


async def without_another(api: Api) -> Request:
    for _ in range(2):
        await a_number(api.database, "NO")
    made = await a_lease(api, country="NO")
    return Request(method="POST", path=f"/v1/numbers/{made['id']}/rotate")


def asking(method: str, path: str, **body: Any) -> Callable[[Api], Awaitable[Request]]:
    """Return what is asked for as it is."""

    async def ask(_: Api) -> Request:
        return Request(method=method, path=path, body=body or None)

    return ask


RESERVE = {"carrier": "alpha", "sender": "+447700900200"}
TO_US = "/v1/routes/policies/US"


@pytest.mark.parametrize(
    ("prepare", "status", "code", "why"),
    [
        (asking("POST", "/v1/numbers/reservations", **RESERVE, country="ZZ"), 422, "unknown-country", "country"),
        (asking("POST", "/v1/numbers", country="ZZ", type="long_code"), 422, "unknown-country", "country"),
        (asking("PUT", "/v1/routes/policies/ZZ", primary_pool="GB"), 422, "unknown-country", "country"),
        (overlapping, 409, "number-taken", "another"),
        (in_use, 409, "number-in-use", "under way"),
        (expired, 409, "lease-ended", "lease"),
        (without_another, 409, "pool-empty", "NO"),
        (asking("PUT", TO_US, primary_pool="GB", backup_pools=["GB"]), 422, "invalid-policy", "its own backup"),
        (asking("PUT", TO_US, primary_pool="GB", backup_pools=["DE"]), 422, "no-route", "authorised for US"),
        (asking("PUT", TO_US, primary_pool="AT"), 422, "no-route", "there is no pool AT"),
        (asking("PUT", TO_US, primary_pool="SG"), 422, "no-route", "US takes none of the kinds"),
        (asking("DELETE", TO_US), 404, "not-found", "set no policy"),
    ],
)
async def test_what_is_refused_says_why_and_changes_nothing(
    account: Api, prepare: Callable[[Api], Awaitable[Request]], status: int, code: str, why: str
) -> None:
    request = await prepare(account)
    before = await rows(account, *OF_NUMBERS, *WRITTEN_DOWN)

    answer = await account.client.request(request.method, request.path, json=request.body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert why in answer.json()["detail"]
    assert await rows(account, *OF_NUMBERS, *WRITTEN_DOWN) == before


async def test_an_empty_pool_is_not_rotated(account: Api, stocked: Server) -> None:
    """Somebody has to approve of it first, which is written down."""
    before = await rows(account, *OF_NUMBERS)

    answer = await approved(stocked, account.client, "POST", "/v1/pools/HU/rotate", None)

    assert (answer.status_code, answer.json()["code"]) == (409, "pool-empty")
    assert "HU" in answer.json()["detail"]
    assert await rows(account, *OF_NUMBERS) == before
