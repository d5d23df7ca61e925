"""A key changes none that can do more than it can, on both databases; people and equals may."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from domain.access import EVERY_SCOPE, Role, Scope
from domain.errors import InsufficientScopeError
from domain.facts import Caller
from services.api_keys import ApiKeys
from store.api_keys import keys_of
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import table_of
from tests.building import KEYS, a_caller, a_key

ALLOWLIST = ("192.0.2.0/24",)
STRONG = frozenset({Scope.KEYS, Scope.ADMIN, Scope.CHECKS_WRITE})
_ENTRIES = table_of(AuditRow)


async def facts_of(database: Database, caller: Caller) -> tuple[str, tuple[str, ...]]:
    async with database.reading() as connection:
        found = await keys_of(connection, account_id=caller.account_id, environment=caller.environment)
    return next((each.name, each.allowlist) for each in found if each.key_id == caller.key_id)


async def changes_noted(database: Database, caller: Caller) -> int:
    query = select(func.count()).where(
        _ENTRIES.c.chain == caller.account_id.hex,
        _ENTRIES.c.action == "key.changed",
    )
    async with database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


@pytest.mark.parametrize("lacks", sorted(STRONG))
async def test_whoever_lacks_one_scope_of_a_key_changes_nothing_of_it(database: Database, lacks: Scope) -> None:
    account, keys = await a_caller(database), ApiKeys(database=database, keys=KEYS)
    _, strong = await a_key(database, of=account, scopes=STRONG, allowlist=ALLOWLIST, name="server")
    _, weak = await a_key(database, of=account, scopes=EVERY_SCOPE - {lacks})

    for allowlist in ((), ("0.0.0.0/0",), None):
        with pytest.raises(InsufficientScopeError) as refused:
            await keys.change(weak, strong.key_id, name="mine", allowlist=allowlist)
        assert refused.value.fields == {"scopes": [lacks.value]}

    assert await facts_of(database, strong) == ("server", ALLOWLIST)
    assert await changes_noted(database, strong) == 0


async def test_an_equal_the_key_itself_and_a_person_change_it(database: Database) -> None:
    account, keys = await a_caller(database), ApiKeys(database=database, keys=KEYS)
    _, strong = await a_key(database, of=account, scopes=STRONG, allowlist=ALLOWLIST)
    _, equal = await a_key(database, of=account, scopes=STRONG)
    person = replace(account, actor="operator:1", role=Role.OWNER, scopes=frozenset())

    for number, caller in enumerate((equal, strong, person)):
        await keys.change(caller, strong.key_id, name=f"change {number}", allowlist=ALLOWLIST, may_lock_out=True)
        assert await facts_of(database, strong) == (f"change {number}", ALLOWLIST)

    assert await changes_noted(database, strong) == 3


async def test_a_weaker_key_ends_a_stronger_one(database: Database) -> None:
    account, keys = await a_caller(database), ApiKeys(database=database, keys=KEYS)
    _, strong = await a_key(database, of=account, scopes=STRONG, allowlist=ALLOWLIST)
    _, weak = await a_key(database, of=account, scopes=frozenset({Scope.KEYS}))

    ended = await keys.revoke(strong.key_id, account_id=weak.account_id, environment=weak.environment, actor=weak.actor)

    assert (ended.key_id, ended.revoked_at is not None) == (strong.key_id, True)
