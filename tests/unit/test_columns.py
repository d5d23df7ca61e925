"""Encrypted columns: bound to account, table, column, row and person; a person's salt gone, the value is gone."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.columns import Sealer, UndecryptableError, key_id_of
from security.key_encryption import LocalKey
from security.keyring import KeyRing, KeyUse
from tests.keys import MemoryKeys, a_master_key, memory_ring

MASTER, OTHER = LocalKey(a_master_key()), LocalKey(a_master_key())
ACCOUNT, ROW = UUID(int=1), UUID(int=2)
ANNA, BEN = "a1" * 16, "b2" * 16
NUMBER = "+447400123456"


def ring(master: LocalKey = MASTER, *, source: MemoryKeys | None = None) -> KeyRing:
    return memory_ring(source or MemoryKeys(master), master)


def sealer(*, table: str = "verification", column: str = "number", keys: KeyRing | None = None) -> Sealer:
    return Sealer(keys or ring(), table=table, column=column)


@given(text=st.text(max_size=40), account=st.sampled_from([None, ACCOUNT]), person=st.sampled_from([None, ANNA]))
async def test_what_is_sealed_comes_back(text: str, account: UUID | None, person: str | None) -> None:
    stored = await sealer().seal(text, account_id=account, row=ROW, person=person)

    assert await sealer().open(stored, account_id=account, row=ROW, person=person) == text


async def test_the_same_number_is_stored_differently_each_time_and_names_its_key() -> None:
    keys = ring()
    stored = {await sealer(keys=keys).seal(NUMBER, account_id=ACCOUNT, row=ROW, person=ANNA) for _ in range(100)}

    assert len(stored) == 100
    assert {each.split(".")[0] for each in stored} == {"v1"}
    assert {key_id_of(each) for each in stored} == {(await keys.data.of_account(ACCOUNT)).kid}
    assert max(map(len, stored)) <= 160


@pytest.mark.parametrize(
    ("where", "account", "row", "person"),
    [
        (sealer(), ACCOUNT, UUID(int=3), ANNA),
        (sealer(), UUID(int=3), ROW, ANNA),
        (sealer(), None, ROW, ANNA),
        (sealer(), ROW, ACCOUNT, ANNA),
        (sealer(), ACCOUNT, ROW, BEN),
        (sealer(), ACCOUNT, ROW, None),
        (sealer(table="attempt"), ACCOUNT, ROW, ANNA),
        (sealer(column="sender"), ACCOUNT, ROW, ANNA),
        (sealer(keys=ring(OTHER)), ACCOUNT, ROW, ANNA),
    ],
    ids=[
        "another row",
        "another account",
        "the instance",
        "account and row swapped",
        "another person",
        "a person's salt gone",
        "another table",
        "another column",
        "another instance",
    ],
)
async def test_a_value_moved_elsewhere_does_not_open(
    where: Sealer, account: UUID | None, row: UUID, person: str | None
) -> None:
    stored = await sealer().seal(NUMBER, account_id=ACCOUNT, row=ROW, person=ANNA)

    with pytest.raises(UndecryptableError):
        await where.open(stored, account_id=account, row=row, person=person)


async def test_what_an_earlier_version_stored_still_opens() -> None:
    """Its key was the instance's, derived from the master key; its associated data is what it was."""
    stored = "v1.9157fc77.AAAAAAAAAAAAAAAA.Uc79RjtYFVem_uuDyWdN-m4sHutbfujWbOL8xMY"
    master = LocalKey(base64.b64encode(bytes(range(32))).decode())
    assert key_id_of(stored) == master.kid

    opened = await sealer(keys=ring(master)).open(stored, account_id=ACCOUNT, row=ROW, person=ANNA)

    assert opened == NUMBER


async def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    source = MemoryKeys(MASTER)
    before = await sealer(keys=ring(source=source)).seal(NUMBER, account_id=ACCOUNT, row=ROW, person=ANNA)
    newer = source.add(KeyUse.DATA, version=2, account_id=ACCOUNT)

    after = await sealer(keys=ring(source=source)).seal(NUMBER, account_id=ACCOUNT, row=ROW, person=ANNA)

    assert key_id_of(after) == newer.kid != key_id_of(before)
    for stored in (before, after):
        opened = await sealer(keys=ring(source=source)).open(stored, account_id=ACCOUNT, row=ROW, person=ANNA)
        assert opened == NUMBER


async def test_a_value_with_any_bit_changed_does_not_open() -> None:
    stored = await sealer().seal(NUMBER, account_id=ACCOUNT, row=ROW, person=ANNA)
    version, kid, nonce, sealed = stored.split(".")
    changed = [f"{version}.{kid}.{each}.{sealed}" for each in flipped(nonce)]
    changed += [f"{version}.{kid}.{nonce}.{each}" for each in flipped(sealed)]

    for each in changed:
        with pytest.raises(UndecryptableError):
            await sealer().open(each, account_id=ACCOUNT, row=ROW, person=ANNA)


def flipped(text: str) -> list[str]:
    """Return the text with one bit of what it stands for changed, for every byte."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    changed = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]
    return [base64.urlsafe_b64encode(each).decode().rstrip("=") for each in changed]


@pytest.mark.parametrize(
    "stored",
    ["", "v1", "v1.x.y.z", "v2.a.b.c", "+447400123456", "a.b.c.d.e", "v1.{kid}.AAAA.", "v1.{kid}..", "v1.codes-1.."],
)
async def test_what_was_never_sealed_does_not_open(stored: str) -> None:
    with pytest.raises(UndecryptableError):
        await sealer().open(stored.format(kid=MASTER.kid), account_id=ACCOUNT, row=ROW)
