"""No route shows or changes what is another account's, or of the other environment: 404, and nothing is different.

The routes are read from the OpenAPI document. One whose path names a kind of thing that is not in `THINGS` fails:
whoever adds it says here how to make one.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from api.authorisation import OPERATIONS
from domain.access import Scope
from domain.ids import account_id, approval_id, number_id, verification_id
from domain.statuses import Environment
from store.number_leases import take_number
from store.number_tables import NumberLease, SenderNumber
from store.oauth_tables import OAuthClient
from store.tables import Account, ApiKey, Attempt, NumberGuard, Verification, table_of
from store.webhook_tables import Webhook
from tests.api.operations import STREAMS, Operation, every_operation
from tests.api.serving import Api, Server, calling, opened, running_api
from tests.building import a_key, a_phone, a_verification
from tests.people import an_approval, approved
from tests.store.numbering import a_country, a_new_lease, a_number

Maker = Callable[[Api], Awaitable[str]]


async def _verification(api: Api) -> str:
    return verification_id((await a_verification(api.database, api.caller, to=a_phone())).id)


async def _account(api: Api) -> str:
    return account_id(api.caller.account_id)


async def _key(api: Api) -> str:
    return (await a_key(api.database, of=api.caller))[1].key_id


async def _client(api: Api) -> str:
    made = await api.client.post("/v1/clients", json={})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _webhook(api: Api) -> str:
    made = await api.client.post("/v1/webhooks", json={"url": "https://hooks.example.com/countersign"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _approval(api: Api) -> str:
    return approval_id(await an_approval(api.database, api.caller))


async def _number(api: Api) -> str:
    country = a_country()
    for _ in range(2):
        await a_number(api.database, country)
    async with api.database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(api.caller, country))
    assert taken is not None
    return number_id(taken[0].id)


# How each kind of thing that a path names is made, for the account that it is to belong to.
THINGS: dict[str, Maker] = {
    "verification_id": _verification,
    "account_id": _account,
    "key_id": _key,
    "client_id": _client,
    "webhook_id": _webhook,
    "approval_id": _approval,
    "number_id": _number,
}
# What a path names that is no account's.
NOBODYS = frozenset({"carrier", "country"})
# An account is one in both of its environments.
IN_BOTH_ENVIRONMENTS = frozenset({"account_id"})
# What each operation takes, so that it is the id and not the body that it refuses.
BODIES: dict[str, dict[str, Any]] = {
    "check_code": {"code": "123456"},
    "change_account": {"plan": "stolen"},
    "change_key": {"name": "stolen", "allowlist": ["203.0.113.7"]},
    "rotate_key": {"overlap_s": 0},
    "change_webhook": {"status": "disabled"},
    "change_number": {"auto_renew": False},
    "quarantine_number": {"hours": 1},
    "release_number": {"drain": True},
    "replay_events": {"from": "2026-01-01T00:00:00Z"},
    "rotate_webhook_secret": {"end_previous_now": True},
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("crossing")) as running:
        yield running


def about_things(server: Server) -> list[Operation]:
    """Return the operations whose path names a thing that may be an account's, and that a key may do."""
    return [each for each in every_operation(server.openapi) if set(each.names) - NOBODYS and _is_for_keys(each)]


def _is_for_keys(operation: Operation) -> bool:
    access = OPERATIONS[operation.id]
    return not (access.is_public or access.is_for_people)


async def everything_of(api: Api) -> list[Any]:
    """Return every row of an account, but for the hour in which its keys were used."""
    owner, found = api.caller.account_id, list[Any]()
    async with api.database.reading() as connection:
        for model in (Verification, NumberGuard, ApiKey, OAuthClient, Webhook, SenderNumber, NumberLease):
            table = table_of(model)
            columns = [each for each in table.c if each.name != "last_used_at"]
            query = select(*columns).where(table.c.account_id == owner).order_by(*table.primary_key.columns)
            found += [tuple(row) for row in await connection.execute(query)]
        account, attempt, verification = table_of(Account), table_of(Attempt), table_of(Verification)
        found += [tuple(row) for row in await connection.execute(select(account).where(account.c.id == owner))]
        own = select(verification.c.id).where(verification.c.account_id == owner)
        query = select(attempt).where(attempt.c.verification_id.in_(own)).order_by(attempt.c.id)
        found += [tuple(row) for row in await connection.execute(query)]
    return found


async def refusals(server: Server, victim: Api, key: str, *, leave_out: frozenset[str] = frozenset()) -> dict[str, int]:
    """Call every operation about a thing with things of the victim and somebody's key; return the statuses."""
    statuses: dict[str, int] = {}
    async with opened(server, headers={"Authorization": f"Bearer {key}"}) as thief:
        for each in about_things(server):
            if leave_out & set(each.names):
                continue
            things = {name: await THINGS[name](victim) for name in set(each.names) - NOBODYS}
            before = await everything_of(victim)
            answer = await approved(server, thief, each.method, each.path_with(things), BODIES.get(each.id))
            assert await everything_of(victim) == before, each.id
            assert [name for name, thing in things.items() if thing in answer.text] == [], each.id
            statuses[each.id] = answer.status_code
    return statuses


async def test_every_kind_of_thing_can_be_made_and_every_body_is_known(quiet: Server) -> None:
    operations = about_things(quiet)

    assert {name for each in operations for name in each.names} - NOBODYS == THINGS.keys()
    assert {each.id for each in operations if "requestBody" in each.told} == BODIES.keys()


async def test_another_account_s_things_are_not_there(quiet: Server) -> None:
    async with calling(quiet) as victim, calling(quiet) as thief:
        statuses = await refusals(quiet, victim, thief.key)

    # To administer accounts takes a scope that no account's own key has; without it, the id is not looked at.
    instance = {each for each in statuses if Scope.ACCOUNTS in OPERATIONS[each].scopes}
    assert len(statuses) >= 9
    assert {statuses[each] for each in instance} == {403}
    assert {name: status for name, status in statuses.items() if name not in instance and status != 404} == {}


async def test_things_of_the_other_environment_are_not_there(quiet: Server) -> None:
    async with calling(quiet) as victim:
        live, _ = await a_key(victim.database, of=victim.caller, environment=Environment.PRODUCTION)

        statuses = await refusals(quiet, victim, live, leave_out=IN_BOTH_ENVIRONMENTS)

    assert len(statuses) >= 7
    assert {name: status for name, status in statuses.items() if status != 404} == {}


async def test_no_list_shows_what_is_another_account_s_or_of_the_other_environment(quiet: Server) -> None:
    lists = [each for each in every_operation(quiet.openapi) if each.method == "GET" and not each.names]
    lists = [each for each in lists if each.id not in STREAMS]
    async with calling(quiet) as victim, calling(quiet) as thief:
        things = {name: await make(victim) for name, make in THINGS.items()}
        live, _ = await a_key(victim.database, of=victim.caller, environment=Environment.PRODUCTION)
        own = await victim.client.get("/v1/verifications")
        for key, left_out in ((thief.key, set[str]()), (live, set(IN_BOTH_ENVIRONMENTS))):
            for each in lists:
                answer = await thief.client.get(each.path, headers={"Authorization": f"Bearer {key}"})
                shown = {name for name, thing in things.items() if thing in answer.text}
                assert shown - left_out == set(), each.id

    assert len(lists) >= 9
    assert things["verification_id"] in own.text


async def test_the_same_calls_find_the_account_s_own_things(quiet: Server) -> None:
    async with calling(quiet) as owner:
        for each in about_things(quiet):
            if Scope.ACCOUNTS in OPERATIONS[each.id].scopes:
                continue
            things = {name: await THINGS[name](owner) for name in set(each.names) - NOBODYS}
            answer = await owner.client.request(each.method, each.path_with(things), json=BODIES.get(each.id))
            # Too soon for another message, or not set aside, for two; but found.
            assert answer.status_code in {200, 201, 202, 204, 409, 429}, (each.id, answer.text)
