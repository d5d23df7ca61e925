"""Keys are exchanged while everything is read and written; whatever dies, running it again ends it."""

import base64
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select, update
from sqlmodel import SQLModel

from domain.events import BEGINNING
from domain.facts import Caller
from domain.ids import new_id
from runtime.setup import number_sealer, webhook_secrets
from security.columns import key_id_of
from security.key_encryption import KeyEncryptions, LocalKey, WrongKeyError
from security.keyring import KeyRing, KeyUse
from services.key_rotation import ROTATED, KeyRotations, Rotated
from services.key_wrapping import key_status, rewrap_keys
from services.keys import open_keys
from store.audit_tables import AuditRow
from store.engine import Database
from store.guards import NumberKey, take_send
from store.key_rotation import latest_rotation
from store.key_tables import WrappedKey
from store.sealed import SEALED_COLUMNS
from store.starts import insert_verification
from store.tables import NumberGuard, Verification, table_of
from store.webhooks import NewWebhook, Whose, insert_webhook, read_webhook
from tests.building import a_caller, a_new_row
from tests.keys import Kms, KmsKey, a_master_key

KEK = KeyEncryptions(LocalKey(a_master_key()))
_verification = table_of(Verification)
COLUMNS = [f"{each.table.name}.{each.column}" for each in SEALED_COLUMNS]


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing, having seen that it makes sense."""
    assert stage
    assert 0 <= done <= total


class DiesError(Exception):
    """Stands for kill -9, at a place of the test's choosing."""


async def rotate(database: Database, *, kek: KeyEncryptions = KEK, tell: Any = silent) -> Rotated:
    return await KeyRotations(database=database, kek=kek, tell=tell, settle_s=0).rotate()


async def a_number(database: Database, ring: KeyRing, caller: Caller, *, at: int) -> UUID:
    """Return a verification with its number sealed as this ring's instance seals it."""
    phone = f"+44740012{at:04d}"
    number = NumberKey(
        account_id=caller.account_id, environment=caller.environment, number_hash=ring.lookup_hash(phone)
    )
    sealer = number_sealer(ring)
    await sealer.key_for(caller.account_id)
    async with database.transaction() as connection:
        guard = await take_send(connection, number)
        assert guard is not None
        new = await a_new_row(caller, to=phone)
        sealed = await sealer.seal(phone, account_id=caller.account_id, row=new.id, person=guard.person_salt)
        values = {name: getattr(new, name) for name in type(new).__slots__}
        made = type(new)(**{**values, "number_sealed": sealed, "number_hash": number["of_number"]})
        await insert_verification(connection, made)
        return made.id


async def numbers(database: Database, ring: KeyRing) -> dict[UUID, tuple[str, str]]:
    """Return every number with the name of the key it is sealed with."""
    guard = table_of(NumberGuard)
    query = select(_verification, guard.c.person_salt).join(guard, guard.c.number_hash == _verification.c.number_hash)
    async with database.reading() as connection:
        rows = (await connection.execute(query)).all()
    return {
        row.id: (
            await number_sealer(ring).open(
                row.number_sealed, account_id=row.account_id, row=row.id, person=row.person_salt
            ),
            key_id_of(row.number_sealed),
        )
        for row in rows
    }


async def count(database: Database, *conditions: Any) -> int:
    table = table_of(WrappedKey)
    async with database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table).where(*conditions))).scalar_one())


async def test_a_rotation_seals_every_number_with_a_new_key_of_its_account(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)
    callers = [await a_caller(own_database) for _ in range(3)]
    made = [await a_number(own_database, ring, caller, at=at) for at, caller in enumerate(callers * 5)]
    before = await numbers(own_database, ring)

    done = await rotate(own_database)

    after = await numbers(own_database, ring)
    assert (done.accounts, done.values, done.unreadable, done.was_resumed) == (3, 15, 0, False)
    assert {each: number for each, (number, _) in after.items()} == {each: n for each, (n, _) in before.items()}
    assert set(made) == set(after)
    assert not {kid for _, kid in before.values()} & {kid for _, kid in after.values()}
    assert (await key_status(own_database)).sealed_before == dict.fromkeys(COLUMNS, 0)


async def test_a_running_process_reads_what_it_never_saw_the_key_of(own_database: Database) -> None:
    """`numbers` opens with the ring from before; codes and payloads are found by version and name."""
    ring = await open_keys(own_database, KEK)
    first = await ring.codes.newest()

    await rotate(own_database)

    second = await ring.codes.version(2)
    assert (await ring.codes.version(1), second.version) == (first, 2)
    fresh = await open_keys(own_database, KEK)
    newest = await fresh.payloads.newest()
    assert await ring.payloads.of(newest.kid) == newest
    assert (await fresh.codes.newest()) == second


async def test_what_is_one_way_stays(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)

    await rotate(own_database)

    again = await open_keys(own_database, KEK)
    assert (again.lookup, again.api_keys, again.audit_seed) == (ring.lookup, ring.api_keys, ring.audit_seed)
    assert set(ROTATED) == {KeyUse.CODES, KeyUse.PAYLOADS, KeyUse.COLUMNS, KeyUse.TOKENS}


@pytest.mark.parametrize("stage", ["new keys for accounts", "verification.number_sealed anew", "after everything"])
async def test_a_rotation_that_died_is_gone_on_with_and_gives_each_account_one_new_key(
    own_database: Database, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.key_rotation._ACCOUNTS_AT_ONCE", 2)
    monkeypatch.setattr("services.resealing._ROWS_AT_ONCE", 2)
    ring = await open_keys(own_database, KEK)
    callers = [await a_caller(own_database) for _ in range(5)]
    for at, caller in enumerate(callers):
        await a_number(own_database, ring, caller, at=at)

    def dies(at: str, done: int, total: int) -> None:
        if at == stage and 0 < done < total:
            raise DiesError

    if stage == "after everything":
        monkeypatch.setattr(KeyRotations, "_finish", _die)
    with pytest.raises(DiesError):
        await rotate(own_database, tell=dies)
    monkeypatch.undo()
    died = await numbers(own_database, ring)
    done = await rotate(own_database)

    assert len(died) == len(await numbers(own_database, await open_keys(own_database, KEK))) == 5
    assert (done.rotation_id, done.was_resumed) == (1, True)
    assert await count(own_database, table_of(WrappedKey).c.use == "data") == 10
    assert (await key_status(own_database)).sealed_before == dict.fromkeys(COLUMNS, 0)
    async with own_database.reading() as connection:
        latest = await latest_rotation(connection)
    assert latest is not None
    assert latest.finished_at is not None


async def _die(*_: object) -> None:
    raise DiesError


async def test_each_rotation_is_one_entry_of_the_audit_trail(own_database: Database) -> None:
    await open_keys(own_database, KEK)
    first, second = await rotate(own_database), await rotate(own_database)

    async with own_database.reading() as connection:
        rows = (await connection.execute(select(table_of(AuditRow).c.action))).scalars().all()
    assert [first.rotation_id, second.rotation_id] == [1, 2]
    assert list(rows).count("keys.rotated") == 2


async def test_a_number_from_before_gets_its_person_a_salt_and_its_account_a_key(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)
    caller = await a_caller(own_database)
    made = await a_number(own_database, ring, caller, at=1)
    [(phone, _)] = (await numbers(own_database, ring)).values()
    instance = await number_sealer_of_instance(ring, phone, caller, made)
    async with own_database.transaction() as connection:
        await connection.execute(update(_verification).values(number_sealed=instance))
        await connection.execute(update(table_of(NumberGuard)).values(person_salt=None))

    done = await rotate(own_database)

    [(opened, kid)] = (await numbers(own_database, ring)).values()
    assert (done.values, opened) == (1, phone)
    assert kid == (await (await open_keys(own_database, KEK)).data.of_account(caller.account_id)).kid


async def test_secrets_of_webhooks_are_sealed_anew_too(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)
    caller, webhook, secrets = await a_caller(own_database), new_id(), webhook_secrets(ring)
    whose = Whose(account_id=caller.account_id, environment=caller.environment)
    fresh = await secrets.fresh(account_id=caller.account_id, webhook=webhook)
    ed25519 = await secrets.fresh_ed25519(account_id=caller.account_id, webhook=webhook)
    new = NewWebhook(
        id=webhook,
        account_id=caller.account_id,
        environment=caller.environment,
        url="https://example.com/hook",
        events=("verification.*",),
        description=None,
        secret_sealed=fresh.sealed,
        ed25519_sealed=ed25519,
        cursor=BEGINNING,
    )
    async with own_database.transaction() as connection:
        before = await insert_webhook(connection, new)

    done = await rotate(own_database)

    async with own_database.reading() as connection:
        after = await read_webhook(connection, webhook, whose)
    assert after is not None
    assert (done.values, after.sealed.previous) == (2, None)
    assert key_id_of(after.sealed.current) != key_id_of(before.sealed.current)
    assert await secrets.opened(after) == await secrets.opened(before)
    assert fresh.text in await secrets.opened(after)


async def number_sealer_of_instance(ring: KeyRing, phone: str, caller: Caller, row: UUID) -> str:
    """Return a number sealed with the instance's key, bound to its account, as the version before did."""
    key, nonce = await ring.columns.version(1), bytes(12)
    bound_to = f"{caller.account_id.hex}|verification|number|{row.hex}".encode()
    sealed = AESGCM(key.secret).encrypt(nonce, phone.encode(), bound_to)
    nonce_text, text = (base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (nonce, sealed))
    return f"v1.{key.kid}.{nonce_text}.{text}"


async def test_a_value_that_no_key_opens_is_counted_and_left(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)
    caller = await a_caller(own_database)
    await a_number(own_database, ring, caller, at=1)
    async with own_database.transaction() as connection:
        await connection.execute(update(_verification).values(number_sealed="v1.00000000.aaaa.bbbb"))

    done = await rotate(own_database)

    assert (done.values, done.unreadable) == (0, 1)
    assert (await key_status(own_database)).sealed_before["verification.number_sealed"] == 1


async def test_after_rewrapping_only_the_new_key_is_needed(own_database: Database) -> None:
    ring = await open_keys(own_database, KEK)
    caller = await a_caller(own_database)
    await a_number(own_database, ring, caller, at=1)
    kms = Kms()
    remote = KmsKey(kms, kms.create_key())
    both = KeyEncryptions(remote, (KEK.current,))

    done = await rewrap_keys(own_database, both, tell=silent)
    again = await rewrap_keys(own_database, both, tell=silent)

    assert (done, again) == (8, 0)
    assert (await key_status(own_database)).wrapped_by == {remote.kid: 8}
    only = await open_keys(own_database, KeyEncryptions(remote))
    assert await numbers(own_database, only) == await numbers(own_database, ring)
    with pytest.raises(WrongKeyError):
        await open_keys(own_database, KEK)


async def test_rewrapping_that_died_is_gone_on_with(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.key_wrapping._AT_ONCE", 2)
    await open_keys(own_database, KEK)
    both = KeyEncryptions(LocalKey(a_master_key()), (KEK.current,))

    def dies(_: str, done: int, total: int) -> None:
        if 0 < done < total:
            raise DiesError

    with pytest.raises(DiesError):
        await rewrap_keys(own_database, both, tell=dies)
    assert len((await key_status(own_database)).wrapped_by) == 2
    assert await open_keys(own_database, both)

    assert await rewrap_keys(own_database, both, tell=silent) == 5
    assert await open_keys(own_database, KeyEncryptions(both.current))


async def test_rewrapping_without_the_key_before_says_which_it_was(own_database: Database) -> None:
    await open_keys(own_database, KEK)

    with pytest.raises(WrongKeyError, match=KEK.current.kid):
        await rewrap_keys(own_database, KeyEncryptions(LocalKey(a_master_key())), tell=silent)


def test_every_sealed_column_is_listed_for_rotation() -> None:
    sealed = {
        (table.name, column.name)
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_sealed")
    }

    assert sealed == {(each.table.name, each.column) for each in SEALED_COLUMNS}
