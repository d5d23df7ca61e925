"""Whether there is an installation where the settings say: a wrong directory is told as one, and not as an outage."""

from pathlib import Path

from runtime.settings import Settings

_HINT = "name the state directory in COUNTERSIGN_HOME, or the database in COUNTERSIGN_DATABASE_URL"


class NoInstallationError(Exception):
    """Nothing was ever started where the settings say; the sentence says where that is."""


def ensure_installed(settings: Settings) -> None:
    """Let those go on whose database is a server, or a file that is there.

    Raises:
        NoInstallationError: the file is not there.

    """
    file = _file_of(settings)
    if file is not None and not file.exists():
        raise NoInstallationError(
            f"There is no installation here: {file} does not exist. Start one with `make run`, or {_HINT}."
        )


def ensure_room(settings: Settings) -> None:
    """Let those go on whose database is a server, or a file that can be made.

    Raises:
        NoInstallationError: its directory is not there.

    """
    file = _file_of(settings)
    if file is not None and not file.parent.is_dir():
        raise NoInstallationError(f"{file.parent} is no directory, so the database cannot be made there; {_HINT}.")


def _file_of(settings: Settings) -> Path | None:
    scheme, _, rest = settings.database.partition(":///")
    return Path(rest) if scheme.startswith("sqlite") else None
