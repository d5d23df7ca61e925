"""Keys and what they protect: API keys, encrypted columns, the key ring."""

import base64
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.statuses import Environment
from security.api_keys import KEY_PATTERN, digest_of, is_same, key_id_of, make_key
from security.columns import ColumnCipher, UndecryptableError
from security.keyring import BadKeyError, key_ring

PEPPER = b"pepper"
MASTER, OTHER_MASTER = (base64.b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))
RING, OTHER_RING = key_ring(MASTER), key_ring(OTHER_MASTER)
ACCOUNT, ROW = UUID(int=1), UUID(int=2)
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


def cipher(*, ring: str = "one", table: str = "verification", column: str = "number") -> ColumnCipher:
    return ColumnCipher(RING if ring == "one" else OTHER_RING, table=table, column=column)


@given(st.text(max_size=40))
def test_what_is_encrypted_comes_back(text: str) -> None:
    stored = cipher().encrypt(text, account_id=ACCOUNT, row=ROW)

    assert cipher().decrypt(stored, account_id=ACCOUNT, row=ROW) == text


def test_the_same_number_is_stored_differently_each_time() -> None:
    stored = {cipher().encrypt(NUMBER, account_id=ACCOUNT, row=ROW) for _ in range(100)}

    assert len(stored) == 100
    assert {each.split(".")[0] for each in stored} == {"v1"}
    assert {each.split(".")[1] for each in stored} == {RING.kid}


@pytest.mark.parametrize(
    ("where", "account", "row"),
    [
        (cipher(), ACCOUNT, UUID(int=3)),
        (cipher(), UUID(int=3), ROW),
        (cipher(), ROW, ACCOUNT),
        (cipher(table="attempt"), ACCOUNT, ROW),
        (cipher(column="sender"), ACCOUNT, ROW),
        (cipher(ring="other"), ACCOUNT, ROW),
    ],
    ids=["another row", "another account", "account and row swapped", "another table", "another column", "another key"],
)
def test_a_value_moved_elsewhere_does_not_decrypt(where: ColumnCipher, account: UUID, row: UUID) -> None:
    stored = cipher().encrypt(NUMBER, account_id=ACCOUNT, row=ROW)

    with pytest.raises(UndecryptableError):
        where.decrypt(stored, account_id=account, row=row)


def test_another_key_is_named() -> None:
    stored = cipher().encrypt(NUMBER, account_id=ACCOUNT, row=ROW)

    with pytest.raises(UndecryptableError, match=f"key {RING.kid} .* has key {OTHER_RING.kid}"):
        cipher(ring="other").decrypt(stored, account_id=ACCOUNT, row=ROW)


def test_a_value_with_any_bit_changed_does_not_decrypt() -> None:
    version, kid, nonce, sealed = cipher().encrypt(NUMBER, account_id=ACCOUNT, row=ROW).split(".")
    for part, data in (("nonce", flipped(nonce)), ("sealed", flipped(sealed))):
        for changed in data:
            stored = ".".join((version, kid, changed, sealed) if part == "nonce" else (version, kid, nonce, changed))
            with pytest.raises(UndecryptableError):
                cipher().decrypt(stored, account_id=ACCOUNT, row=ROW)


def flipped(text: str) -> list[str]:
    """Return the text with one bit of what it stands for changed, for every byte."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    changed = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]
    return [base64.urlsafe_b64encode(each).decode().rstrip("=") for each in changed]


@pytest.mark.parametrize(
    "stored", ["", "v1", "v1.x.y.z", "v2.a.b.c", "+447400123456", "a.b.c.d.e", "v1.{kid}.AAAA.", "v1.{kid}.."]
)
def test_what_was_never_encrypted_does_not_decrypt(stored: str) -> None:
    with pytest.raises(UndecryptableError):
        cipher().decrypt(stored.format(kid=RING.kid), account_id=ACCOUNT, row=ROW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "not base64 at all!",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        base64.b64encode(bytes(32)).decode() + "\n",
        bytes(32).hex(),
    ],
)
def test_what_is_no_master_key_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(BadKeyError, match="32 random bytes in base64"):
        key_ring(text)


def test_every_use_has_a_key_of_its_own_and_every_master_key_another_ring() -> None:
    keys = [RING.codes, RING.columns, RING.lookup, RING.api_keys]
    others = [OTHER_RING.codes, OTHER_RING.columns, OTHER_RING.lookup, OTHER_RING.api_keys]

    assert len({*keys, *others}) == 8
    assert {len(each) for each in keys} == {32}
    assert (RING.kid, RING.fingerprint) != (OTHER_RING.kid, OTHER_RING.fingerprint)


def test_the_ring_is_the_same_again_and_shows_no_key() -> None:
    assert key_ring(MASTER) == RING
    for secret in (RING.codes, RING.columns, RING.lookup, RING.api_keys, bytes([1]) * 32):
        assert repr(secret)[2:-1] not in repr(RING)
        assert secret.hex() not in repr(RING)


def test_a_number_is_looked_up_by_128_bits_of_a_keyed_hash() -> None:
    found = RING.lookup_hash(NUMBER)

    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert found == RING.lookup_hash(NUMBER)
    assert found not in {RING.lookup_hash("+447400123457"), OTHER_RING.lookup_hash(NUMBER)}
