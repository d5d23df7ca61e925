"""Where the key-encryption key of an instance comes from: the environment, a file, the state directory, or a module."""

import importlib
import stat
from pathlib import Path

from runtime.secrets_file import own_secret
from runtime.settings import Settings
from security.key_encryption import BadKeyError, KeyEncryption, KeyEncryptions, LocalKey

_OWN_FILE = "master.key"
# A mounted secret may be readable by the group of the process; others may not read it, and nobody else write it.
_TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


def key_encryption(settings: Settings, *, may_make: bool = False) -> KeyEncryptions | None:
    """Return the key-encryption keys that the settings name, or None when there are none.

    `may_make` makes one in the state directory where none is named: only for a database that needs none yet.

    Raises:
        BadKeyError: what is named is no such key, or lies where others can read it.

    """
    current = _current(settings, may_make=may_make)
    if current is None:
        return None
    given = settings.master_keys_previous
    texts = [] if given is None else given.get_secret_value().split(",")
    return KeyEncryptions(current, tuple(LocalKey(text.strip()) for text in texts if text.strip()))


def _current(settings: Settings, *, may_make: bool) -> KeyEncryption | None:
    if settings.master_key is not None:
        return LocalKey(settings.master_key.get_secret_value())
    if settings.master_key_file is not None:
        return LocalKey(_private_text(settings.master_key_file, named="COUNTERSIGN_MASTER_KEY_FILE"))
    if settings.key_encryption is not None:
        return _of_module(settings.key_encryption)
    if may_make or (settings.home / _OWN_FILE).exists():
        own_secret(settings.home, _OWN_FILE)
        return LocalKey(_private_text(settings.home / _OWN_FILE, named="The state directory's master key"))
    return None


def _private_text(file: Path, *, named: str) -> str:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise BadKeyError(f"{named}: {file} cannot be read ({error.strerror}).") from None
    if mode & _TOO_OPEN:
        raise BadKeyError(
            f"{named}: {file} is open to others (mode {stat.S_IMODE(mode):04o}); "
            "0600, 0400, 0640 and 0440 are accepted."
        )
    return text


def _of_module(place: str) -> KeyEncryption:
    """Return what an operator's own module makes: a callable without arguments that returns a `KeyEncryption`."""
    module, _, name = place.partition(":")
    try:
        made: KeyEncryption = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise BadKeyError(f"COUNTERSIGN_KEY_ENCRYPTION: {place} cannot be loaded ({error}).") from error
    return made
