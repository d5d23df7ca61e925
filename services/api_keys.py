"""API keys of accounts: made and shown once, listed, changed, rotated, ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import USUAL_SCOPES, Scope, scopes_as_text
from domain.accounts import ApiKeyFacts
from domain.audit import AuditEntry, JsonScalar
from domain.errors import NotFoundError
from domain.event_types import EventType
from domain.events import NewEvent, Value
from domain.facts import Caller
from domain.statuses import Environment
from rules.access import ensure_holds, ensure_may_give
from security.api_keys import make_key
from security.keyring import KeyRing
from services.allowlists import ensure_networks, ensure_not_locked_out
from services.handing_on import DAY_S, Terms, bounded, caller_bounds, ensure_inside
from store import access_version
from store.api_keys import NewApiKey, change_key, end_key, insert_key, keys_of, live_key_of, revoke_key
from store.audit import record
from store.engine import Database
from store.events import emit

MAX_DAYS = 730
DEFAULT_OVERLAP_S, MAX_OVERLAP_S = DAY_S, 7 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest(Terms):
    """What a key is to be."""

    environment: Environment
    name: str = ""
    scopes: frozenset[Scope] = USUAL_SCOPES
    requests_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key just made, with its text, which is shown this once and kept nowhere."""

    facts: ApiKeyFacts
    text: str = field(repr=False)


class ApiKeys:
    """Makes, changes and ends keys. What is changed takes effect within a second on every process.

    `changed` is called after each change, so that here it does at once; `actor` is who the trail says it was.
    """

    def __init__(self, *, database: Database, keys: KeyRing, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._keys = keys
        self._changed = changed

    async def make(self, account_id: UUID, request: KeyRequest, *, actor: str) -> MadeKey:
        """Make a key of an account that exists.

        Raises:
            InvalidRequestError: the allowlist is not one.

        """
        ensure_networks(request.allowlist or ())
        async with self._database.transaction() as connection:
            made = await self._insert(connection, account_id, request, actor=actor)
            await access_version.bump(connection)
            await emit(connection, key_event(EventType.ACCOUNT_KEY_CREATED, made.facts))
            await record(connection, key_entry("key.created", made.facts, actor, _told(made.facts)))
        return made

    async def make_for(self, caller: Caller, request: KeyRequest) -> MadeKey:
        """Make another key of the caller's account and environment.

        Raises:
            InsufficientScopeError: the caller does not itself have what the key is to have.
            InvalidRequestError: the allowlist is not one, or the caller is a machine and the key would go beyond it.

        """
        ensure_may_give(caller, request.scopes)
        ensure_networks(request.allowlist or ())
        async with self._database.reading() as connection:
            request = bounded(request, await caller_bounds(connection, caller))
        return await self.make(caller.account_id, request, actor=caller.actor)

    async def list(self, *, account_id: UUID, environment: Environment) -> list[ApiKeyFacts]:
        """Return an account's keys in one environment, newest first, the ended ones too."""
        async with self._database.reading() as connection:
            return await keys_of(connection, account_id=account_id, environment=environment)

    async def change(
        self,
        caller: Caller,
        key_id: str,
        *,
        name: str | None = None,
        allowlist: tuple[str, ...] | None = None,
        may_lock_out: bool = False,
    ) -> ApiKeyFacts:
        """Change a live key's name or allowlist; None leaves it, and an empty allowlist lets every address in.

        Raises:
            NotFoundError: the account has no live key with this id in this environment.
            InsufficientScopeError: the key can do what the caller, a machine, cannot.
            InvalidRequestError: the allowlist is not one, or lets in whom the one of the caller, a machine, does not.
            AllowlistLocksOutError: the key is the caller's own, and could not be used from here any more.

        """
        if allowlist is not None:
            ensure_networks(allowlist)
            if key_id == caller.key_id and not may_lock_out:
                ensure_not_locked_out(caller.address, allowlist)
        account_id, environment = caller.account_id, caller.environment
        async with self._database.transaction() as connection:
            before = await live_key_of(connection, key_id, account_id=account_id, environment=environment)
            if before is None:
                raise _not_found()
            # A key's scopes are never others than those it was made with, so this holds until the end.
            ensure_holds(caller, before.scopes)
            if allowlist is not None:
                ensure_inside(allowlist, await caller_bounds(connection, caller))
            after = await change_key(
                connection,
                key_id,
                account_id=account_id,
                environment=environment,
                name=name,
                allowlist=allowlist,
            )
            if after is None:
                raise _not_found()
            await access_version.bump(connection)
            await record(connection, key_entry("key.changed", after, caller.actor, _told(after)))
        self._changed()
        return after

    async def rotate(self, caller: Caller, key_id: str, *, overlap_s: int) -> MadeKey:
        """Make a key that can do what a live one can, and let that one end after the overlap, or before as it was to.

        Raises:
            NotFoundError: the account has no live key with this id in this environment.
            InsufficientScopeError: the caller does not itself have what that key has.
            InvalidRequestError: the key may be used from where the caller, a machine, may not.

        """
        account_id, environment = caller.account_id, caller.environment
        async with self._database.transaction() as connection:
            old = await live_key_of(connection, key_id, account_id=account_id, environment=environment)
            if old is None:
                raise _not_found()
            ensure_may_give(caller, old.scopes)
            # Before that one's end is moved, because it may be the caller's own.
            request = bounded(_successor_of(old), await caller_bounds(connection, caller))
            ending = await end_key(
                connection, key_id, account_id=account_id, environment=environment, within_s=overlap_s
            )
            if ending is None:
                raise _not_found()
            made = await self._insert(connection, account_id, request, actor=caller.actor)
            await access_version.bump(connection)
            told: dict[str, JsonScalar] = {"successor": made.facts.key_id, "overlap_s": overlap_s}
            await emit(connection, key_event(EventType.ACCOUNT_KEY_ROTATED, old, new_key_id=made.facts.key_id))
            await record(connection, key_entry("key.rotated", old, caller.actor, told))
        self._changed()
        return made

    async def revoke(self, key_id: str, *, account_id: UUID, environment: Environment, actor: str) -> ApiKeyFacts:
        """End a key now, a stronger one than the caller's too: to end one gives nobody power.

        Raises:
            NotFoundError: the account has no live key with this id in this environment.

        """
        async with self._database.transaction() as connection:
            ended = await revoke_key(connection, key_id, account_id=account_id, environment=environment)
            if ended is None:
                raise _not_found()
            await access_version.bump(connection)
            await emit(connection, key_event(EventType.ACCOUNT_KEY_REVOKED, ended, reason=None))
            await record(connection, key_entry("key.revoked", ended, actor, {}))
        self._changed()
        return ended

    async def _insert(
        self, connection: AsyncConnection, account_id: UUID, request: KeyRequest, *, actor: str
    ) -> MadeKey:
        fresh = make_key(self._keys.api_keys, environment=request.environment)
        facts = await insert_key(
            connection,
            NewApiKey(
                key_id=fresh.key_id,
                account_id=account_id,
                environment=request.environment,
                digest=fresh.digest,
                made_by=actor,
                scopes=request.scopes,
                name=request.name,
                allowlist=request.allowlist or (),
                requests_per_s=request.requests_per_s,
                expires_in_s=request.expires_in_s,
                ends_at=request.ends_at,
            ),
        )
        return MadeKey(facts, fresh.text)


def _successor_of(old: ApiKeyFacts) -> KeyRequest:
    return KeyRequest(
        environment=old.environment,
        name=old.name,
        scopes=old.scopes,
        allowlist=old.allowlist,
        may_end_sooner=True,
        requests_per_s=old.requests_per_s,
    )


def _not_found() -> NotFoundError:
    return NotFoundError("This account has no live key with this id in this environment.")


def _told(facts: ApiKeyFacts) -> dict[str, JsonScalar]:
    """Return what the trail says of a key: what it can do, and whether from everywhere; not its name, a free word."""
    ends = None if facts.expires_at is None else facts.expires_at.isoformat(timespec="seconds")
    return {"scopes": scopes_as_text(facts.scopes), "networks": len(facts.allowlist), "expires_at": ends}


def key_entry(action: str, facts: ApiKeyFacts, actor: str, details: Mapping[str, JsonScalar]) -> AuditEntry:
    """Return what the trail says that happened to a key."""
    return AuditEntry(
        account_id=facts.account_id,
        environment=facts.environment,
        actor=actor,
        action=action,
        subject=facts.key_id,
        details=details,
    )


def key_event(event_type: EventType, facts: ApiKeyFacts, **more: Value) -> NewEvent:
    """Return what the account is told that happened to a key."""
    return NewEvent(
        type=event_type,
        account_id=facts.account_id,
        environment=facts.environment,
        data={"key_id": facts.key_id, **more},
    )
