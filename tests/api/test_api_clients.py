"""OAuth2 clients through the API: made with no more than the maker has, shown once, ended with their tokens."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from domain.access import USUAL_SCOPES, Scope
from domain.accounts import AccountChanges
from domain.statuses import AccountStatus, Environment
from security.api_keys import KEY_PATTERN
from store import access_version
from store.accounts import change_account
from store.audit_tables import AuditRow
from store.oauth_tables import OAuthClient, OAuthToken, UsedAssertion
from store.tables import table_of
from store.times import now_plus
from tests.api.oauth_clients import (
    JWT_BEARER,
    a_client,
    a_live_client,
    a_pair,
    a_token,
    ask,
    bearer,
    claims_of,
    jwks_of,
    signed,
)
from tests.api.serving import Api, Server, calling, opened, running_api
from tests.building import a_key

GRANT = "client_credentials"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Without a rate: some of these ask until something has changed.
    with running_api(tmp_path_factory.mktemp("clients"), api_rate=0) as running:
        yield running


async def becomes(api: Api, token: str, status: int, *, within_s: float = 1.0) -> None:
    """Ask until a token is answered otherwise than before: at once, or within some seconds from now."""
    began_at = asked_at = time.monotonic()
    while (seen := await status_with(api, token)) == 200:
        assert asked_at - began_at <= within_s
        asked_at = time.monotonic()
    assert seen == status


async def status_with(api: Api, token: str) -> int:
    """Return how a token is answered."""
    return (await api.client.get("/v1/me", headers=bearer(token))).status_code


async def entries(api: Api) -> list[tuple[str, str, str]]:
    """Return what the trail of the account says: actor, action, subject."""
    rows = table_of(AuditRow)
    query = select(rows).where(rows.c.chain == api.caller.account_id.hex).order_by(rows.c.sequence)
    async with api.database.reading() as connection:
        return [(row.actor, row.action, row.subject) for row in await connection.execute(query)]


async def test_a_client_is_made_and_its_secret_is_never_shown_again(api: Api) -> None:
    answer = await api.client.post("/v1/clients", json={"name": "billing", "scopes": ["usage:read"]})
    told = answer.json()

    listed = await api.client.get("/v1/clients")
    shown = listed.json()["clients"][0]

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(KEY_PATTERN, told["secret"])
    assert told["secret"] not in listed.text
    assert {**shown, "secret": told["secret"]} == told
    assert (shown["name"], shown["scopes"], shown["environment"]) == ("billing", ["usage:read"], "sandbox")
    assert (shown["methods"], shown["key_ids"]) == (["client_secret_basic", "client_secret_post"], [])
    assert (shown["token_format"], shown["last_used_at"]) == ("opaque", None)
    life = datetime.fromisoformat(shown["expires_at"]) - datetime.now(tz=UTC)
    assert round(life / timedelta(days=1)) == 365


async def test_no_secret_and_no_token_stands_in_the_database(api: Api) -> None:
    made = await a_client(api)
    token = await a_token(api, made)
    found = list[str]()
    async with api.database.reading() as connection:
        for model in (OAuthClient, OAuthToken, AuditRow):
            found += [str(tuple(row)) for row in await connection.execute(select(table_of(model)))]

    everything = "".join(found)
    assert made["id"] in everything
    assert made["secret"][18:] not in everything
    assert token[6:] not in everything


async def test_a_client_gives_out_only_what_its_maker_has(api: Api) -> None:
    async with calling(api.server, scopes=frozenset({Scope.KEYS, Scope.ADMIN, Scope.CHECKS_WRITE})) as narrow:
        same = await narrow.client.post("/v1/clients", json={"scopes": ["checks:write"]})
        more = await narrow.client.post("/v1/clients", json={"scopes": ["checks:write", "routes"]})
        left_out = await narrow.client.post("/v1/clients", json={})

    assert same.status_code == 201
    assert (more.status_code, more.json()["scopes"]) == (403, ["routes"])
    assert set(left_out.json()["scopes"]) == {"keys", "checks:write"}
    assert set((await a_client(api))["scopes"]) == USUAL_SCOPES


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 65},
        {"name": "a\u0000b"},
        {"scopes": []},
        {"scopes": ["nothing"]},
        {"allowlist": ["localhost"]},
        {"allowlist": ["10.0.0.0/33"]},
        {"expires_in_days": 0},
        {"expires_in_days": 731},
        {"token_format": "saml"},
        {"jwks": {}},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}},
        {"jwks": {"keys": [a_pair().as_dict(private=True)]}},
        {"jwks": []},
        {"secret": "mine"},
    ],
)
async def test_a_client_of_another_form_is_refused_and_not_made(api: Api, body: dict[str, Any]) -> None:
    answer = await api.client.post("/v1/clients", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert (await api.client.get("/v1/clients")).json() == {"clients": []}


async def test_clients_of_the_two_environments_do_not_meet(api: Api) -> None:
    made = await a_live_client(api)

    token = await a_token(api, made)
    me = await api.client.get("/v1/me", headers=bearer(token))

    assert me.json()["environment"] == "production"
    live, _ = await a_key(api.database, of=api.caller, environment=Environment.PRODUCTION)
    asked = await api.client.post("/v1/clients", json={}, headers=bearer(live))
    assert (asked.status_code, asked.json()["code"]) == (403, "approval-required")
    assert (await api.client.get("/v1/clients")).json() == {"clients": []}
    assert (await api.client.delete(f"/v1/clients/{made['id']}")).status_code == 404


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_a_client_that_is_ended_takes_its_tokens_along(api: Api, token_format: str) -> None:
    made = await a_client(api, token_format=token_format)
    token = await a_token(api, made)
    assert await status_with(api, token) == 200

    ended = await api.client.delete(f"/v1/clients/{made['id']}")
    again = await api.client.delete(f"/v1/clients/{made['id']}")
    refused = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT)

    assert ended.status_code == 200
    assert ended.json()["revoked_at"] is not None
    assert ended.json()["last_used_at"] is not None
    assert again.status_code == 404
    assert await status_with(api, token) == 401
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_a_client_that_expires_takes_its_tokens_along(api: Api, token_format: str) -> None:
    made = await a_client(api, token_format=token_format)
    token = await a_token(api, made)
    assert await status_with(api, token) == 200
    table = table_of(OAuthClient)
    async with api.database.transaction() as connection:
        ends = update(table).where(table.c.client_id == made["id"]).values(expires_at=now_plus(-1))
        await connection.execute(ends)
        await access_version.bump(connection)

    refused = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    await becomes(api, token, 401)


async def test_an_opaque_token_ends_at_its_time_also_where_it_was_known(api: Api) -> None:
    made = await a_client(api)
    token = await a_token(api, made)
    table = table_of(OAuthToken)
    async with api.database.transaction() as connection:
        ends = update(table).where(table.c.client_id == made["id"]).values(expires_at=now_plus(1))
        await connection.execute(ends)
        await access_version.bump(connection)

    await becomes(api, token, 401, within_s=2.0)


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_neither_client_nor_token_works_from_outside_of_the_allowlist(api: Api, token_format: str) -> None:
    inside = await a_client(api, allowlist=["127.0.0.0/8"], token_format=token_format)
    outside = await a_client(api, allowlist=["203.0.113.0/24"])
    token = await a_token(api, inside)
    refused = await ask(api.client, basic=(outside["id"], outside["secret"]), grant_type=GRANT)
    assert await status_with(api, token) == 200
    table = table_of(OAuthClient)
    async with api.database.transaction() as connection:
        moved = update(table).where(table.c.client_id == inside["id"]).values(allowlist="203.0.113.0/24")
        await connection.execute(moved)
        await access_version.bump(connection)

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "127.0.0.1" in refused.json()["error_description"]
    await becomes(api, token, 403)


async def test_a_closed_account_gets_no_token_and_a_suspended_one_sends_nothing(api: Api) -> None:
    made = await a_client(api, token_format="jwt")
    token = await a_token(api, made)

    async def become(status: AccountStatus) -> None:
        async with api.database.transaction() as connection:
            await change_account(connection, api.caller.account_id, AccountChanges(status=status))
            await access_version.bump(connection)

    await become(AccountStatus.SUSPENDED)
    start = await api.client.post("/v1/verifications", json={"to": "+447400123456"}, headers=bearer(token))
    again = await a_token(api, made)
    await become(AccountStatus.CLOSED)
    refused = await ask(api.client, basic=(made["id"], made["secret"]), grant_type=GRANT)
    async with opened(api.server) as stranger:
        closed = await stranger.get("/v1/me", headers=bearer(again))

    assert (start.status_code, start.json()["code"]) == (403, "account-suspended")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert (closed.status_code, closed.json()["code"]) == (403, "account-closed")


async def test_the_trail_says_who_made_used_and_ended_what(api: Api) -> None:
    made = await a_client(api)
    token, other = await a_token(api, made), await a_token(api, made)
    by = (made["id"], made["secret"])
    await ask(api.client, path="/oauth2/revoke", basic=by, token=token)
    await ask(api.client, path="/oauth2/revoke", basic=by, token=token)
    await api.client.post("/v1/keys", json={}, headers=bearer(other))
    await api.client.delete(f"/v1/clients/{made['id']}")

    client = f"client:{made['id']}"
    assert [each for each in await entries(api) if each[1] != "key.created"] == [
        (api.caller.actor, "client.created", made["id"]),
        (client, "token.issued", made["id"]),
        (client, "token.issued", made["id"]),
        (client, "token.revoked", made["id"]),
        (api.caller.actor, "client.revoked", made["id"]),
    ]


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_secrets_and_tokens_that_leaked_are_ended_by_whoever_finds_them(api: Api, token_format: str) -> None:
    made = await a_client(api, token_format=token_format)
    found, kept = await a_token(api, made), await a_token(api, made)

    async with opened(api.server) as finder:
        told = [await finder.post("/v1/keys/report-leak", json={"key": each}) for each in (found, "cs_at_" + "0" * 46)]
        after_token = [await status_with(api, each) for each in (found, kept)]
        told.append(await finder.post("/v1/keys/report-leak", json={"key": made["secret"]}))
        after_secret = await status_with(api, kept)

    assert {(each.status_code, each.text) for each in told} == {(200, '{"received":true}')}
    assert after_token == [401, 200]
    assert after_secret == 401
    assert [each[:2] for each in await entries(api)][-2:] == [
        ("system", "token.leak_reported"),
        ("system", "client.leak_reported"),
    ]


async def test_a_token_makes_and_ends_clients_where_it_may(api: Api) -> None:
    maker = await a_client(api, scopes=["keys", "admin", "checks:write"])
    token = await a_token(api, maker)

    made = await api.client.post("/v1/clients", json={"scopes": ["checks:write"]}, headers=bearer(token))
    ended = await api.client.delete(f"/v1/clients/{made.json()['id']}", headers=bearer(token))
    beyond = await api.client.post("/v1/clients", json={"scopes": ["routes"]}, headers=bearer(token))

    assert (made.status_code, ended.status_code, beyond.status_code) == (201, 200, 403)


async def test_an_assertion_is_remembered_by_a_hash_until_its_end(api: Api) -> None:
    pair = a_pair()
    made = await a_client(api, jwks=jwks_of(pair))
    claims = claims_of(made["id"], aud="http://127.0.0.1:8000", jti="a number: +447700900123")
    form: dict[str, Any] = {"client_assertion_type": JWT_BEARER, "client_assertion": signed(pair, claims)}

    async with opened(api.server) as stranger:
        given = await ask(stranger, grant_type=GRANT, **form)
    table = table_of(UsedAssertion)
    async with api.database.reading() as connection:
        rows = (await connection.execute(select(table).where(table.c.client_id == made["id"]))).all()

    assert given.status_code == 200
    assert [int(row.expires_at.timestamp()) for row in rows] == [claims["exp"]]
    assert "4477" not in str(rows)
