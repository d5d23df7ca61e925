"""Keys in memory: loaded once, noticed when added, bounded, and never shown."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

import security.keychain
from domain.errors import DatabaseUnavailableError
from security.key_encryption import LocalKey
from security.keychain import LOOK_EVERY_S, Keychain, KeyName
from security.keyring import Key, KeyUse, UnknownKeyError, Versions
from tests.keys import MemoryKeys, a_master_key, first_keys, memory_ring

MASTER, OTHER = LocalKey(a_master_key()), LocalKey(a_master_key())
ACCOUNT = UUID(int=7)


@dataclass
class Clock:
    """A clock to be moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def keychain(source: MemoryKeys, clock: Clock | None = None) -> Keychain:
    return Keychain(source, first_keys(MASTER), clock=clock or Clock())


def test_every_use_has_a_key_of_its_own_and_every_master_key_other_ones() -> None:
    secrets = [key.secret for master in (MASTER, OTHER) for key in first_keys(master)]

    assert len(set(secrets)) == 14
    assert {len(each) for each in secrets} == {32}


def test_a_ring_and_its_keys_show_no_key() -> None:
    ring = memory_ring(MemoryKeys(MASTER), MASTER)

    shown = f"{ring!r} {ring.codes!r} {ring.codes.known!r}"

    for key in first_keys(MASTER):
        assert repr(key.secret)[2:-1] not in shown
        assert key.secret.hex() not in shown


async def test_an_unknown_key_is_loaded_once_for_a_hundred_who_ask() -> None:
    source = MemoryKeys(MASTER)
    added = source.add(KeyUse.PAYLOADS, version=2)
    keys = keychain(source)

    found = await asyncio.gather(*(keys.by_kid(added.kid) for _ in range(100)))

    assert set(found) == {added}
    assert source.asked == [added.kid]
    assert await keys.by_kid(added.kid) == added
    assert source.asked == [added.kid]


async def test_one_who_gives_up_does_not_take_the_key_from_the_others() -> None:
    source = MemoryKeys(MASTER)
    added = source.add(KeyUse.PAYLOADS, version=2)
    keys = keychain(source)
    impatient, patient = (asyncio.ensure_future(keys.by_kid(added.kid)) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient == added


async def test_a_key_that_nobody_has_is_said_to_be_unknown() -> None:
    keys = keychain(MemoryKeys(MASTER))

    with pytest.raises(UnknownKeyError, match="no key 0123456789abcdef"):
        await keys.by_kid("0123456789abcdef")
    with pytest.raises(UnknownKeyError, match="no version 9"):
        await keys.version(KeyUse.CODES, 9)


async def test_a_version_added_since_is_found_when_something_made_with_it_comes() -> None:
    source = MemoryKeys(MASTER)
    keys = keychain(source)
    added = source.add(KeyUse.CODES, version=2)

    assert await keys.version(KeyUse.CODES, 2) == added
    assert await Versions(keys, KeyUse.CODES).newest() == added


async def test_what_was_added_is_used_within_seconds_and_asked_for_no_more_often() -> None:
    source, clock = MemoryKeys(MASTER), Clock()
    keys = keychain(source, clock)
    before = await keys.of_account(ACCOUNT)
    of_account = source.add(KeyUse.DATA, version=2, account_id=ACCOUNT)
    of_instance = source.add(KeyUse.PAYLOADS, version=2)

    for _ in range(100):
        assert await keys.of_account(ACCOUNT) == before
    assert source.asked == [ACCOUNT.hex]

    clock.now += LOOK_EVERY_S
    assert await keys.of_account(ACCOUNT) == of_account
    assert await keys.newest(KeyUse.PAYLOADS) == of_instance
    assert source.asked.count("added") == 1


async def test_while_the_database_is_away_what_is_known_goes_on_being_used() -> None:
    class Away(MemoryKeys):
        async def added(self) -> list[KeyName]:
            raise DatabaseUnavailableError("away")

    source, clock = Away(MASTER), Clock()
    keys = keychain(source, clock)
    known = await keys.of_account(ACCOUNT)
    clock.now += LOOK_EVERY_S

    assert await keys.of_account(ACCOUNT) == known


async def test_a_key_is_only_for_what_it_is_for() -> None:
    source = MemoryKeys(MASTER)
    payloads = Versions(keychain(source), KeyUse.PAYLOADS)
    [first] = payloads.known.values()

    assert await payloads.of(first.kid) == first
    with pytest.raises(UnknownKeyError, match="no key for payloads"):
        await payloads.of(MASTER.kid)


async def test_memory_is_bounded_and_the_account_used_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security.keychain, "REMEMBERED_ACCOUNTS", 10)
    source = MemoryKeys(MASTER)
    keys = keychain(source)

    found: list[Key] = []
    for at in range(1, 100):
        found.append(await keys.of_account(UUID(int=at)))
        await keys.of_account(ACCOUNT)

    assert source.asked.count(ACCOUNT.hex) == 1
    await keys.of_account(UUID(int=1))
    assert source.asked.count(UUID(int=1).hex) == 2
    assert await keys.by_kid(found[0].kid) == found[0]
