"""Who is calling: a credential that was seen before costs no look-up, until anything changes that may end it.

A key that is not known and a secret that is wrong are the same work and the same answer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.audit import SYSTEM, AuditEntry
from domain.errors import AccountClosedError, AddressNotAllowedError, UnauthenticatedError
from domain.facts import Caller
from domain.statuses import AccountStatus
from rules.addresses import Address, Network, is_inside, networks_of
from security.api_keys import digest_of, is_same, key_id_of
from security.client_credentials import is_meant_as_token
from security.keyring import KeyRing
from services.access_tokens import AccessTokens
from services.access_watch import AccessWatch
from services.refusals import MINUTE_S, Refusals
from services.sightings import Sightings
from store.api_keys import find_digest, find_key
from store.engine import Database

_REMEMBERED_AT_MOST = 10_000
# Compared with where no key has the id, so that the comparison takes place all the same.
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class _Known:
    """A caller as remembered: from where it may call, and until when by this process's clock."""

    caller: Caller
    networks: tuple[Network, ...]
    until: float


class Callers:
    """Says who calls with a credential."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        watch: AccessWatch,
        sightings: Sightings,
        refusals: Refusals,
        tokens: AccessTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keys = keys
        self._watch = watch
        self._sightings = sightings
        self._refusals = refusals
        self._tokens = tokens
        self._clock = clock
        self._known: dict[str, _Known] = {}
        watch.on_change(self._known.clear)

    async def who_calls(self, credential: str, *, address: Address | None) -> Caller:
        """Return the caller behind a credential, who calls from an address.

        Raises:
            UnauthenticatedError: the credential is not one of ours, or no longer.
            AccountClosedError: it is, of an account that is closed.
            AddressNotAllowedError: it is, and may not be used from this address.

        """
        known = self._known.get(credential)
        if known is None or not self._watch.is_trusted or known.until <= self._clock():
            known = await self._look_up(credential, address)
        if known.networks and not is_inside(address, known.networks):
            self._note(known.caller, known.caller.actor, why="address")
            raise _not_from_here(address)
        text = None if address is None else str(address)
        self._sightings.note(known.caller, text)
        return replace(known.caller, address=text)

    async def _look_up(self, credential: str, address: Address | None) -> _Known:
        generation, find = self._watch.generation, self._find_token if is_meant_as_token(credential) else self._find_key
        known = await find(credential, address)
        # What was changed while this was being read may not be remembered as it was.
        if generation == self._watch.generation and self._watch.is_trusted:
            if len(self._known) >= _REMEMBERED_AT_MOST:
                self._known.clear()
            self._known[credential] = known
        return known

    async def _find_key(self, credential: str, address: Address | None) -> _Known:
        key_id = key_id_of(credential)
        if key_id is None:
            self._note(None, self._subject_of(address), why="not_known")
            raise _unknown()
        began_at = self._clock()
        async with self._database.reading() as connection:
            digest = await find_digest(connection, key_id)
            is_ours = is_same(digest or _NO_DIGEST, digest_of(self._keys.api_keys, credential))
            stored = await find_key(connection, key_id) if is_ours and digest is not None else None
        if stored is None:
            self._note(None, f"key:{key_id}", why="not_known")
            raise _unknown()
        _ensure_open(stored.account_status)
        lasts_s = float("inf") if stored.expires_in_s is None else stored.expires_in_s
        return _Known(stored.caller, networks_of(stored.allowlist), began_at + lasts_s)

    async def _find_token(self, credential: str, address: Address | None) -> _Known:
        began_at = self._clock()
        found = await self._tokens.find(credential)
        if found is None:
            self._note(None, self._subject_of(address), why="not_known")
            raise _unknown_token()
        _ensure_open(found.account_status)
        return _Known(found.caller, networks_of(found.allowlist), began_at + found.lives_s)

    def _subject_of(self, address: Address | None) -> str | None:
        return None if address is None else f"address:{self._keys.lookup_hash(str(address))}"

    def _note(self, caller: Caller | None, subject: str | None, *, why: str) -> None:
        """Take note of a credential that was refused; whose it may be is not looked up for that."""
        entry = AuditEntry(
            account_id=None if caller is None else caller.account_id,
            environment=None if caller is None else caller.environment,
            actor=SYSTEM,
            action="authentication.failed",
            subject=subject,
            details={"why": why},
        )
        self._refusals.note(entry, window_s=MINUTE_S)


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError(
        "The API key is not known here. Keys begin with cs_test_ or cs_live_.", challenge={"error": "invalid_token"}
    )


def _unknown_token() -> UnauthenticatedError:
    return UnauthenticatedError(
        "The access token is not known here, or its time is over. POST /oauth2/token gives another.",
        challenge={"error": "invalid_token"},
    )


def _ensure_open(status: AccountStatus) -> None:
    if status is AccountStatus.CLOSED:
        raise AccountClosedError("This account is closed; nothing works with its keys.")


def _not_from_here(address: Address | None) -> AddressNotAllowedError:
    seen = "an address that we cannot tell" if address is None else str(address)
    return AddressNotAllowedError(
        f"This credential may not be used from {seen}, which is your address as we see it.",
        fields={"address": None if address is None else str(address)},
    )
