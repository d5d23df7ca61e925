"""Key-encryption keys: they wrap for one context, name themselves without a hint, and come from where settings say."""

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.key_settings import key_encryption
from runtime.settings import Settings
from security.key_encryption import BadKeyError, KeyEncryption, KeyEncryptions, LocalKey, WrongKeyError, context_of
from security.keyring import KeyUse
from tests.keys import Kms, KmsKey, a_master_key

KEY = bytes(range(32))
CONTEXT = context_of(kid="k", use=KeyUse.CODES, version=1, account_id=None)
OTHER_CONTEXT = context_of(kid="k", use=KeyUse.CODES, version=2, account_id=None)


def a_kms_key() -> KmsKey:
    kms = Kms()
    return KmsKey(kms, kms.create_key())


@pytest.mark.parametrize("kek", [LocalKey(a_master_key()), a_kms_key()], ids=["local", "kms"])
async def test_a_wrapped_key_unwraps_for_its_context_and_no_other(kek: KeyEncryption) -> None:
    wrapped = await kek.wrap(KEY, context=CONTEXT)

    assert KEY not in wrapped
    assert await kek.unwrap(wrapped, context=CONTEXT) == KEY
    with pytest.raises(WrongKeyError):
        await kek.unwrap(wrapped, context=OTHER_CONTEXT)
    with pytest.raises(WrongKeyError):
        await kek.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), context=CONTEXT)


async def test_another_master_key_does_not_unwrap() -> None:
    wrapped = await LocalKey(a_master_key()).wrap(KEY, context=CONTEXT)

    with pytest.raises(WrongKeyError):
        await LocalKey(a_master_key()).unwrap(wrapped, context=CONTEXT)


def test_a_name_says_nothing_about_the_key_and_is_the_same_again() -> None:
    text = a_master_key()

    assert LocalKey(text).kid == LocalKey(text).kid != LocalKey(a_master_key()).kid
    assert LocalKey(text).kid not in base64.b64decode(text).hex()
    assert base64.b64decode(text).hex() not in repr(LocalKey(text))


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
        LocalKey(text)


def settings(home: Path, **values: object) -> Settings:
    return Settings.model_validate({"home": home, "master_key": None, **values})


def named(kek: KeyEncryptions | None) -> list[str]:
    return [] if kek is None else [each.kid for each in kek.all]


def test_a_master_key_comes_from_the_environment_or_a_file_with_previous_ones_behind(tmp_path: Path) -> None:
    now, before, earlier = a_master_key(), a_master_key(), a_master_key()
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{now}\n", encoding="ascii")
    expected = [LocalKey(each).kid for each in (now, before, earlier)]
    previous = f"{before}, {earlier}"

    assert named(key_encryption(settings(tmp_path, master_key=now, master_keys_previous=previous))) == expected
    assert named(key_encryption(settings(tmp_path, master_key_file=file, master_keys_previous=previous))) == expected


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_file_that_others_cannot_read_is_taken(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text(a_master_key(), encoding="ascii")
    file.chmod(mode)

    assert named(key_encryption(settings(tmp_path, master_key_file=file)))


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o777])
def test_a_file_that_is_open_to_others_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text(a_master_key(), encoding="ascii")
    file.chmod(mode)

    with pytest.raises(
        BadKeyError, match=rf"open to others \(mode {mode:04o}\); 0600, 0400, 0640 and 0440 are accepted"
    ):
        key_encryption(settings(tmp_path, master_key_file=file))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadKeyError, match=r"COUNTERSIGN_MASTER_KEY_FILE: .*nowhere cannot be read"):
        key_encryption(settings(tmp_path, master_key_file=tmp_path / "nowhere"))


def test_none_is_made_unless_it_may_be_and_then_it_stays(tmp_path: Path) -> None:
    assert key_encryption(settings(tmp_path)) is None
    assert not (tmp_path / "master.key").exists()

    made = key_encryption(settings(tmp_path), may_make=True)

    assert named(made) == named(key_encryption(settings(tmp_path)))
    assert (tmp_path / "master.key").stat().st_mode & 0o077 == 0


def test_one_in_the_state_directory_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    assert key_encryption(settings(tmp_path), may_make=True)
    (tmp_path / "master.key").chmod(0o644)

    with pytest.raises(
        BadKeyError, match=r"state directory's master key: .*master.key is open to others \(mode 0644\)"
    ):
        key_encryption(settings(tmp_path))


def test_two_places_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="set one of them"):
        settings(tmp_path, master_key=a_master_key(), master_key_file=tmp_path / "file")


async def test_an_operators_own_module_is_taken(tmp_path: Path) -> None:
    kek = key_encryption(settings(tmp_path, key_encryption="tests.unit.test_key_encryption:a_kms_key"))

    assert kek is not None
    assert kek.current.kid.startswith("kms://")


@pytest.mark.parametrize("place", ["tests.unit.nowhere:key", "tests.unit.test_key_encryption:nothing"])
def test_a_module_that_cannot_be_loaded_is_refused_by_name(tmp_path: Path, place: str) -> None:
    with pytest.raises(BadKeyError, match=f"COUNTERSIGN_KEY_ENCRYPTION: {place} cannot be loaded"):
        key_encryption(settings(tmp_path, key_encryption=place))


@pytest.mark.parametrize("place", ["", "module", "module:", ":name", "module name:x"])
def test_what_names_no_module_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ValidationError):
        settings(tmp_path, key_encryption=place)
