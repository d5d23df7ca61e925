"""What a key or a token hands on: nothing that outlives it, or that can be used from where it cannot be.

Or whoever has it for a day could make one of a year of it, and one that is bound to a place would walk away. An
operator is not bound by that, nor is the command line.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import InvalidRequestError
from domain.facts import Caller
from rules.addresses import are_inside, networks_of
from store.caller_bounds import Bounds, bounds_of

DAY_S = 86_400
DEFAULT_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """From where and until when something that is to be made may be used.

    `allowlist` None is the maker's. `days` None never ends, which only the command line may ask for; where it was left
    out, what is made may end sooner, with its maker. `ends_at` is when that is; it goes before the days.
    """

    allowlist: tuple[str, ...] | None = None
    days: int | None = DEFAULT_DAYS
    may_end_sooner: bool = False
    ends_at: datetime | None = None

    @property
    def expires_in_s(self) -> int | None:
        """Return the days as seconds."""
        return None if self.days is None else self.days * DAY_S


Asked = TypeVar("Asked", bound=Terms)


async def caller_bounds(connection: AsyncConnection, caller: Caller) -> Bounds | None:
    """Return what bounds a caller; None for a person."""
    return await bounds_of(connection, caller.actor) if caller.role is None else None


def bounded(asked: Asked, bounds: Bounds | None) -> Asked:
    """Return what was asked for, with what was left out as the maker has it.

    Raises:
        InvalidRequestError: it would outlive its maker, or be good where that is not.

    """
    if bounds is None:
        return asked
    allowlist = bounds.allowlist if asked.allowlist is None else asked.allowlist
    ensure_inside(allowlist, bounds)
    return replace(asked, allowlist=allowlist, ends_at=_end(asked, bounds))


def ensure_inside(allowlist: tuple[str, ...], bounds: Bounds | None) -> None:
    """Let an allowlist pass that lets nobody in whom the caller's own does not.

    Raises:
        InvalidRequestError: it does, or is empty, which is everybody; the sentence says what is accepted.

    """
    if bounds is not None and not are_inside(networks_of(allowlist), networks_of(bounds.allowlist)):
        raise InvalidRequestError(
            f"allowlist: one or more networks inside those of the key or client that asks: "
            f"{', '.join(bounds.allowlist)}. An operator may give others."
        )


def _end(asked: Terms, bounds: Bounds) -> datetime | None:
    if bounds.ends_at is None:
        return None
    left_s = (bounds.ends_at - bounds.read_at).total_seconds()
    if asked.expires_in_s is not None and asked.expires_in_s <= left_s:
        return None
    if not asked.may_end_sooner:
        most = int(left_s // DAY_S)
        accepted = f"at most {most}, or left out" if most > 0 else "left out"
        raise InvalidRequestError(
            f"expires_in_days: {accepted}, because the key or client that asks ends itself at "
            f"{bounds.ends_at.isoformat(timespec='seconds')}. An operator may give more."
        )
    return bounds.ends_at
