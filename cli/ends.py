"""When a credential ends, as the lists of the command line tell it."""

from datetime import datetime


def end_of(*, revoked_at: datetime | None, expires_at: datetime | None) -> str:
    """Return when a key or a client ended, or will end, in a few words."""
    if revoked_at is not None:
        return f"revoked {revoked_at:%Y-%m-%d}"
    return "does not end" if expires_at is None else f"until {expires_at:%Y-%m-%d}"
