"""API keys, and the hash that numbers are found by."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.statuses import Environment
from security.api_keys import KEY_PATTERN, digest_of, is_same, key_id_of, make_key
from security.key_encryption import LocalKey
from tests.keys import MemoryKeys, a_master_key, memory_ring

PEPPER = b"pepper"
MASTER, OTHER = LocalKey(a_master_key()), LocalKey(a_master_key())
RING = memory_ring(MemoryKeys(MASTER), MASTER)
NUMBER = "+447400123456"


@pytest.mark.parametrize(
    ("environment", "prefix"), [(Environment.SANDBOX, "cs_test_"), (Environment.PRODUCTION, "cs_live_")]
)
def test_a_key_says_where_it_belongs_and_shows_its_id(environment: Environment, prefix: str) -> None:
    key = make_key(PEPPER, environment=environment)

    assert re.fullmatch(KEY_PATTERN, key.text)
    assert key.text.startswith(prefix)
    assert key.text[8:16] == key.key_id == key_id_of(key.text)


def test_no_two_keys_are_the_same() -> None:
    keys = [make_key(PEPPER, environment=Environment.SANDBOX) for _ in range(200)]

    assert len({key.text for key in keys}) == len({key.key_id for key in keys}) == 200


def test_only_a_keyed_hash_of_a_key_is_kept() -> None:
    key = make_key(PEPPER, environment=Environment.SANDBOX)

    assert re.fullmatch(r"[0-9a-f]{64}", key.digest)
    assert is_same(key.digest, digest_of(PEPPER, key.text))
    assert not is_same(key.digest, digest_of(b"another", key.text))
    assert key.text not in repr(key)


def test_a_key_with_any_letter_changed_is_known_for_a_look_alike_without_a_look_up() -> None:
    text = make_key(PEPPER, environment=Environment.SANDBOX).text

    changed = [text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1 :] for at in range(8, len(text))]

    assert [each for each in changed if key_id_of(each) is not None] == []


def test_a_key_of_one_environment_is_none_of_the_other() -> None:
    text = make_key(PEPPER, environment=Environment.SANDBOX).text

    assert key_id_of(text.replace("cs_test_", "cs_live_")) is None


@given(st.text(max_size=80))
def test_text_is_no_key(text: str) -> None:
    assert key_id_of(text) is None


def test_a_number_is_looked_up_by_128_bits_of_a_keyed_hash() -> None:
    found = RING.lookup_hash(NUMBER)

    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert found == RING.lookup_hash(NUMBER)
    assert found not in {RING.lookup_hash("+447400123457"), memory_ring(MemoryKeys(OTHER), OTHER).lookup_hash(NUMBER)}
