"""The keys of a database: made once, taken over from a version before, refused with the wrong key-encryption key."""

import asyncio
import base64
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, update

from domain.errors import DatabaseUnavailableError, KeysUnavailableError
from runtime.setup import number_sealer
from security.columns import key_id_of
from security.key_encryption import KeyEncryptions, LocalKey, MissingKeyError, WrongKeyError
from security.keyring import KeyUse
from services.keys import has_nothing_to_open, open_keys
from store.engine import Database
from store.key_tables import WrappedKey
from store.migrate import NotMigratedError, migrate
from store.tables import Verification, table_of
from tests.building import a_caller, a_key, a_verification
from tests.keys import MASTER_KEY, Kms, KmsKey, MemoryKeys, a_master_key, first_keys, memory_ring

ACCOUNT = UUID(int=7)


def kek(*texts: str) -> KeyEncryptions:
    current, *previous = [LocalKey(text) for text in texts]
    return KeyEncryptions(current, tuple(previous))


async def rows(database: Database) -> list[Any]:
    async with database.reading() as connection:
        return list((await connection.execute(select(table_of(WrappedKey)).order_by(table_of(WrappedKey).c.kid))).all())


async def test_a_new_database_gets_random_keys_and_finds_them_again(own_database: Database) -> None:
    master = a_master_key()

    ring = await open_keys(own_database, kek(master))
    again = await open_keys(own_database, kek(master))

    assert (ring.lookup, ring.api_keys, ring.audit_seed) == (again.lookup, again.api_keys, again.audit_seed)
    assert await ring.codes.newest() == await again.codes.newest()
    derived = {key.secret for key in first_keys(LocalKey(master))}
    assert not derived & {ring.lookup, ring.api_keys, ring.audit_seed, (await ring.codes.newest()).secret}


async def test_no_key_stands_in_the_database_but_wrapped(own_database: Database) -> None:
    ring = await open_keys(own_database, kek(a_master_key()))
    caller = await a_caller(own_database)
    secrets = [ring.lookup, ring.api_keys, ring.audit_seed, (await ring.data.of_account(caller.account_id)).secret]
    secrets += [(await each.newest()).secret for each in (ring.codes, ring.payloads, ring.columns)]

    stored = [base64.urlsafe_b64decode(row.wrapped) for row in await rows(own_database)]

    assert len(stored) == 8
    assert not [secret for secret in secrets for each in stored if secret in each]


async def test_processes_that_start_at_once_get_the_same_keys(own_database: Database, own_url: str) -> None:
    master = a_master_key()
    databases = [Database(own_url, pool_size=2) for _ in range(8)]
    caller = await a_caller(own_database)

    rings = await asyncio.gather(*(open_keys(each, kek(master)) for each in databases))
    of_account = await asyncio.gather(*(ring.data.of_account(caller.account_id) for ring in rings))

    assert len({ring.lookup for ring in rings}) == 1
    assert len(set(of_account)) == 1
    assert len(await rows(own_database)) == 8
    for database in databases:
        await database.close()


async def test_a_database_from_before_is_taken_over_without_encrypting_anything_again(own_database: Database) -> None:
    """What the version before wrote: a key's hash, a hash of the number, the number under the master's own name."""
    key, caller = await a_key(own_database)
    facts = await a_verification(own_database, caller)
    sealed = await legacy(own_database, facts.id, caller.account_id)

    ring = await open_keys(own_database, kek(MASTER_KEY))

    assert {each.secret for each in first_keys(LocalKey(MASTER_KEY))} >= {ring.lookup, ring.api_keys, ring.audit_seed}
    assert ring.lookup_hash("+447400123456") == facts.number_hash
    opened = await number_sealer(ring).open(
        sealed, account_id=caller.account_id, row=facts.id, person=facts.person_salt
    )
    assert opened == "+447400123456"
    assert (await ring.columns.newest()).kid == key_id_of(sealed) == LocalKey(MASTER_KEY).kid
    assert key


async def legacy(database: Database, verification: UUID, account: UUID) -> str:
    """Have a verification's number look as the version before sealed it."""
    master = LocalKey(MASTER_KEY)
    ring = memory_ring(MemoryKeys(master), master)
    key = await ring.columns.newest()
    sealed = _sealed_by(key.secret, key.kid, account=account, row=verification)
    table = table_of(Verification)
    async with database.transaction() as connection:
        await connection.execute(update(table).where(table.c.id == verification).values(number_sealed=sealed))
    return sealed


def _sealed_by(secret: bytes, kid: str, *, account: UUID, row: UUID) -> str:
    nonce = bytes(range(12))
    bound_to = f"{account.hex}|verification|number|{row.hex}".encode()
    sealed = AESGCM(secret).encrypt(nonce, b"+447400123456", bound_to)
    return (
        f"v1.{kid}.{base64.urlsafe_b64encode(nonce).decode()}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"
    )


async def test_a_database_from_before_is_not_opened_with_another_master_key(own_database: Database) -> None:
    caller = await a_caller(own_database)
    facts = await a_verification(own_database, caller)
    await legacy(own_database, facts.id, caller.account_id)
    other = a_master_key()

    with pytest.raises(WrongKeyError, match=rf"{LocalKey(MASTER_KEY).kid}.* was given is {LocalKey(other).kid}"):
        await open_keys(own_database, kek(other))

    assert await rows(own_database) == []


async def test_a_database_from_before_can_go_straight_to_another_key_with_its_own_behind(
    own_database: Database,
) -> None:
    caller = await a_caller(own_database)
    facts = await a_verification(own_database, caller)
    await legacy(own_database, facts.id, caller.account_id)
    kms = Kms()
    remote = KmsKey(kms, kms.create_key())

    ring = await open_keys(own_database, KeyEncryptions(remote, (LocalKey(MASTER_KEY),)))

    assert ring.lookup_hash("+447400123456") == facts.number_hash
    assert {row.wrapped_by for row in await rows(own_database)} == {remote.kid}


async def test_the_wrong_key_is_refused_with_the_names_of_both(own_database: Database) -> None:
    right, wrong = a_master_key(), a_master_key()
    await open_keys(own_database, kek(right))

    with pytest.raises(WrongKeyError, match=rf"key {LocalKey(right).kid}, and what was given is {LocalKey(wrong).kid}"):
        await open_keys(own_database, kek(wrong))
    assert await open_keys(own_database, kek(wrong, right))


async def test_no_key_is_refused_with_the_name_of_the_one_wanted(own_database: Database) -> None:
    right = a_master_key()
    assert await has_nothing_to_open(own_database)
    with pytest.raises(MissingKeyError, match="is needed, and none was given: set one of COUNTERSIGN_MASTER_KEY"):
        await open_keys(own_database, None)
    await open_keys(own_database, kek(right))

    assert not await has_nothing_to_open(own_database)
    with pytest.raises(MissingKeyError, match=f"wants key-encryption key {LocalKey(right).kid}"):
        await open_keys(own_database, None)


async def test_a_key_moved_to_another_place_does_not_unwrap(own_database: Database) -> None:
    master = a_master_key()
    await open_keys(own_database, kek(master))
    [first, second] = [row for row in await rows(own_database) if row.use in {"codes", "payloads"}]
    table = table_of(WrappedKey)
    async with own_database.transaction() as connection:
        await connection.execute(update(table).where(table.c.kid == first.kid).values(wrapped=second.wrapped))

    with pytest.raises(WrongKeyError, match="was changed since"):
        await open_keys(own_database, kek(master))


async def test_a_kms_that_stumbles_is_asked_again_and_one_that_is_gone_is_told(own_database: Database) -> None:
    kms = Kms(latency_s=0.001)
    remote = KeyEncryptions(KmsKey(kms, kms.create_key()))
    ring = await open_keys(own_database, remote)
    caller = await a_caller(own_database)

    kms.fails_next = 2
    again = await open_keys(own_database, remote)
    assert again.lookup == ring.lookup

    key = await ring.data.of_account(caller.account_id)
    kms.fails_next = 100
    with pytest.raises(KeysUnavailableError):
        await again.data.by_kid(key.kid)
    kms.fails_next = 0
    assert await again.data.by_kid(key.kid) == key


async def test_a_kms_is_asked_once_for_each_key_and_not_for_what_is_known(own_database: Database) -> None:
    kms = Kms()
    ring = await open_keys(own_database, KeyEncryptions(KmsKey(kms, kms.create_key())))
    caller = await a_caller(own_database)
    await ring.data.of_account(caller.account_id)
    asked = kms.calls

    await asyncio.gather(*(ring.data.of_account(caller.account_id) for _ in range(100)))
    await asyncio.gather(*(ring.codes.newest() for _ in range(100)))

    assert kms.calls == asked


async def test_a_key_is_loaded_inside_a_transaction_that_holds_the_only_connection(
    own_url: str, own_database: Database
) -> None:
    master = a_master_key()
    caller = await a_caller(own_database)
    made = await (await open_keys(own_database, kek(master))).data.of_account(caller.account_id)
    single = Database(own_url, pool_size=1)
    ring = await open_keys(single, kek(master))

    async with single.transaction():
        assert await ring.data.by_kid(made.kid) == made

    await single.close()


async def test_a_database_that_is_away_or_not_migrated_is_waited_for_and_then_told(empty_url: str) -> None:
    empty = Database(empty_url)

    with pytest.raises((NotMigratedError, DatabaseUnavailableError)):
        await open_keys(empty, kek(a_master_key()))
    waiting = asyncio.ensure_future(open_keys(empty, kek(a_master_key()), within_s=60))
    await _migrated(empty_url)

    assert (await waiting).lookup
    await empty.close()


async def _migrated(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


async def test_uses_are_what_the_database_says(own_database: Database) -> None:
    await open_keys(own_database, kek(a_master_key()))

    assert {row.use for row in await rows(own_database)} == {each.value for each in KeyUse} - {KeyUse.DATA.value}
