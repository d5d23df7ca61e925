"""The master key of an instance: given by the environment, or made once in the state directory."""

import os
import secrets
from base64 import b64encode
from pathlib import Path


def own_secret(home: Path, name: str) -> str:
    """Return 32 random bytes in base64 that belong to a state directory, made on first use and readable by its owner.

    Two processes that start at once get the same: the file is written beside and linked into place, and the first wins.
    """
    file = home / name
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f".{name}.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(b64encode(secrets.token_bytes(32)).decode(), encoding="ascii")
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text(encoding="ascii").strip()
