"""A key used from fifty addresses raises one alarm, over all processes; an ordinary one costs one write an hour."""

from ipaddress import ip_address

import pytest
from sqlalchemy import event, select

from api.parts import Parts
from domain.facts import Caller
from domain.oauth import TokenFormat
from services.client_authentication import Proof
from services.oauth_clients import ClientRequest
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import ApiKey, KeySighting, table_of
from tests.building import a_caller, a_key, use_cases

ENTRIES, SIGHTINGS, KEYS = table_of(AuditRow), table_of(KeySighting), table_of(ApiKey)


async def use(parts: Parts, key: str, *, addresses: range) -> None:
    """Use a key once from each address, and have what was noted written."""
    for number in addresses:
        await parts.callers.who_calls(key, address=ip_address(f"203.0.113.{number}"))
    await parts.sightings.write()


async def alarms(database: Database, caller: Caller, *, action: str = "key.used_widely") -> list[str]:
    query = select(ENTRIES.c.details).where(ENTRIES.c.chain == caller.account_id.hex, ENTRIES.c.action == action)
    async with database.reading() as connection:
        return list((await connection.execute(query)).scalars())


async def test_a_key_used_from_fifty_addresses_over_two_processes_raises_one_alarm(database: Database) -> None:
    text, caller = await a_key(database)
    one, other = use_cases(database), use_cases(database)

    await use(one, text, addresses=range(25))
    await use(other, text, addresses=range(25, 49))
    before = await alarms(database, caller)
    await use(one, text, addresses=range(49, 50))
    await use(other, text, addresses=range(60, 90))

    assert before == []
    assert await alarms(database, caller) == ['{"addresses":50}']


@pytest.mark.parametrize("token_format", list(TokenFormat))
async def test_the_tokens_of_a_client_raise_it_together(database: Database, token_format: TokenFormat) -> None:
    caller = await a_caller(database)
    oauth = use_cases(database).oauth
    request = ClientRequest(environment=caller.environment, token_format=token_format)
    made = await oauth.clients.make(caller.account_id, request, actor="system")
    proof = Proof(client_id=made.facts.client_id, secret=made.secret)
    client = await oauth.authentication.who_asks(proof, address=None)
    tokens = [(await oauth.tokens.issue(client, scope=None)).text for _ in range(2)]
    parts = use_cases(database)

    for token, addresses in zip(tokens, (range(25), range(25, 50)), strict=True):
        await use(parts, token, addresses=addresses)

    assert await alarms(database, caller, action="client.used_widely") == ['{"addresses":50}']
    assert await alarms(database, caller) == []


async def test_addresses_are_written_down_as_keyed_hashes_only(database: Database) -> None:
    text, caller = await a_key(database)

    await use(use_cases(database), text, addresses=range(10))

    async with database.reading() as connection:
        rows = (await connection.execute(select(SIGHTINGS).where(SIGHTINGS.c.key_id == caller.key_id))).all()
    assert len(rows) == 10
    assert not [row for row in rows if "203.0.113" in repr(row)]


async def test_an_ordinary_key_is_written_once_an_hour_and_never_on_a_request_s_path(database: Database) -> None:
    text, caller = await a_key(database)
    parts = use_cases(database)
    await parts.callers.who_calls(text, address=ip_address("203.0.113.1"))
    written: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        written.append(statement.split(maxsplit=1)[0])

    await use(parts, text, addresses=range(4))
    first = list(written)
    written.clear()
    for _ in range(5):
        await use(parts, text, addresses=range(4))
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)

    async with database.reading() as connection:
        used = (
            await connection.execute(select(KEYS.c.last_used_at).where(KEYS.c.key_id == caller.key_id))
        ).scalar_one()
    assert first.count("UPDATE") == 1
    assert "INSERT" not in first
    assert [each for each in written if each != "SELECT"] == []
    assert (used.minute, used.second) == (0, 0)
