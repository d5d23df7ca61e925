"""Clients and tokens on SQLite and PostgreSQL: found while they live, forgotten afterwards, read over a rotation."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import func, select, update

from domain.access import Scope
from domain.facts import Caller
from domain.ids import new_id
from domain.oauth import InvalidClientError, IssuedToken, KnownClient, TokenFormat
from security.client_credentials import make_secret
from security.keyring import KeyRing, KeyUse
from services.client_authentication import Proof
from services.oauth import OAuth, oauth_of
from services.oauth_clients import ClientRequest
from services.refusals import Refusals
from store import oauth_clients, oauth_tokens
from store.audit_tables import AuditRow
from store.engine import Database
from store.oauth_tables import OAuthToken, RevokedToken, UsedAssertion
from store.oauth_tokens import deny
from store.tables import table_of
from store.times import now_plus
from tests.building import KEK, KEYS, MEMORY, a_caller
from tests.keys import MemoryKeys, memory_ring

ISSUER = "https://verify.example.com"
FORMATS = list(TokenFormat)


def oauth(database: Database, keys: KeyRing = KEYS) -> OAuth:
    return oauth_of(database=database, keys=keys, issuer=ISSUER, refusals=Refusals(database), changed=lambda: None)


async def a_client(database: Database, caller: Caller, token_format: TokenFormat) -> KnownClient:
    """Return a client that has just proved who it is."""
    request = ClientRequest(
        environment=caller.environment, token_format=token_format, scopes=frozenset({Scope.KEYS, Scope.USAGE_READ})
    )
    made = await oauth(database).clients.make(caller.account_id, request, actor="system")
    proof = Proof(client_id=made.facts.client_id, secret=made.secret)
    return await oauth(database).authentication.who_asks(proof, address=None)


async def rows(database: Database, model: type[OAuthToken | RevokedToken | UsedAssertion]) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table_of(model)))).scalar_one())


@pytest.mark.parametrize("token_format", FORMATS)
async def test_a_token_is_found_until_it_is_ended(database: Database, token_format: TokenFormat) -> None:
    caller = await a_caller(database)
    client = await a_client(database, caller, token_format)
    issued = await oauth(database).tokens.issue(client, scope="keys")

    found = await oauth(database).access.find(issued.text)
    await oauth(database).tokens.revoke(client, issued.text)

    assert found is not None
    assert (found.caller.account_id, found.caller.environment) == (caller.account_id, caller.environment)
    assert (found.caller.actor, found.caller.scopes) == (client.actor, frozenset({Scope.KEYS}))
    assert 890 < found.lives_s <= 900
    assert await oauth(database).access.find(issued.text) is None


@pytest.mark.parametrize("token_format", FORMATS)
async def test_a_token_is_over_by_the_database_s_clock(database: Database, token_format: TokenFormat) -> None:
    client = await a_client(database, await a_caller(database), token_format)
    issued = await _issued_before(database, client, seconds=901)

    assert await oauth(database).access.find(issued.text) is None


async def test_what_has_ended_is_forgotten_and_what_lives_is_kept(database: Database) -> None:
    client = await a_client(database, await a_caller(database), TokenFormat.OPAQUE)
    old = await _issued_before(database, client, seconds=901)
    kept = await oauth(database).tokens.issue(client, scope=None)
    now = datetime.now(tz=UTC)
    async with database.transaction() as connection:
        for hours in (-1, 1):
            until = now + timedelta(hours=hours)
            await deny(connection, new_id(), until=until)
            await oauth_clients.take_assertion(connection, client.client_id, jti_hash=f"{hours}", until=until)
    before = [await rows(database, each) for each in (OAuthToken, RevokedToken, UsedAssertion)]

    async with database.transaction() as connection:
        forgotten = await oauth_tokens.forget_old(connection) + await oauth_clients.forget_used(connection)

    after = [await rows(database, each) for each in (OAuthToken, RevokedToken, UsedAssertion)]
    assert forgotten == sum(before) - sum(after) >= 3
    assert all(one > other >= 1 for one, other in zip(before, after, strict=True))
    assert await oauth(database).access.find(kept.text) is not None
    assert await oauth(database).access.find(old.text) is None


async def test_a_signed_token_outlives_the_rotation_of_the_key_that_signed_it(database: Database) -> None:
    source = MemoryKeys(KEK)
    ring = memory_ring(source, KEK)
    client = await a_client(database, await a_caller(database), TokenFormat.JWT)
    before = await oauth(database, ring).tokens.issue(client, scope=None)
    fresh = source.add(KeyUse.TOKENS, version=2)
    late = memory_ring(source, KEK)
    await late.tokens.reload()
    after = await oauth(database, late).tokens.issue(client, scope=None)
    told: Any = {"keys": await oauth(database, late).signer.public_keys()}
    published = KeySet.import_key_set(told)

    kids = [jwt.decode(each.text, published, algorithms=["ES256"]).header["kid"] for each in (before, after)]

    assert kids == ["tokens-1", fresh.kid]
    # A process that has not noticed the rotation yet takes both as well.
    for each in (before, after):
        assert await oauth(database, ring).access.find(each.text) is not None
        assert await oauth(database, late).access.find(each.text) is not None


async def test_a_token_of_another_instance_is_none(database: Database) -> None:
    client = await a_client(database, await a_caller(database), TokenFormat.JWT)
    elsewhere = oauth_of(
        database=database,
        keys=KEYS,
        issuer="https://other.example.com",
        refusals=Refusals(database),
        changed=lambda: None,
    )
    issued = await elsewhere.tokens.issue(client, scope=None)

    assert await elsewhere.access.find(issued.text) is not None
    assert await oauth(database).access.find(issued.text) is None
    assert not [each for each in MEMORY.more if each.use is KeyUse.TOKENS]


async def test_an_unknown_client_and_a_wrong_secret_are_told_the_same(database: Database) -> None:
    client = await a_client(database, await a_caller(database), TokenFormat.OPAQUE)
    told = list[str]()
    for client_id in (client.client_id, "00000000"):
        secret = make_secret(KEYS.api_keys, client_id).text
        with pytest.raises(InvalidClientError) as refusal:
            await oauth(database).authentication.who_asks(Proof(client_id=client_id, secret=secret), address=None)
        told.append(refusal.value.description)

    assert told[0] == told[1]


async def _issued_before(database: Database, client: KnownClient, *, seconds: int) -> IssuedToken:
    """Return a token that was issued some seconds ago."""
    then = replace(client, seen_at=client.seen_at - timedelta(seconds=seconds))
    issued = await oauth(database).tokens.issue(then, scope=None)
    table = table_of(OAuthToken)
    if client.token_format is TokenFormat.OPAQUE:
        async with database.transaction() as connection:
            ends = update(table).where(table.c.client_id == client.client_id)
            await connection.execute(ends.values(expires_at=now_plus(900 - seconds)))
    return issued


async def test_clients_that_are_not_the_one_are_in_the_trail_once_with_their_count(own_database: Database) -> None:
    refusals = Refusals(own_database)
    wired = oauth_of(database=own_database, keys=KEYS, issuer=ISSUER, refusals=refusals, changed=lambda: None)
    for _ in range(3):
        with pytest.raises(InvalidClientError):
            await wired.authentication.who_asks(Proof(client_id="00000000", secret="x"), address=None)

    await refusals.drain()

    rows_of = table_of(AuditRow)
    async with own_database.reading() as connection:
        found = (await connection.execute(select(rows_of).where(rows_of.c.subject == "client:00000000"))).all()
    assert {each.action for each in found} == {"authentication.failed"}
    assert sum(json.loads(each.details)["count"] for each in found) == 3
