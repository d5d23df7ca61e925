"""Endpoints of webhooks: made, shown, changed, given another secret, removed; every change in the audit trail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import AuditEntry, JsonScalar
from domain.errors import InvalidRequestError, NotFoundError, RotationInProgressError, TooManyWebhooksError
from domain.event_types import types_matching
from domain.facts import Caller
from domain.ids import new_id
from domain.ids import webhook_id as public_id
from domain.moments import moment
from domain.webhooks import MOST_ENDPOINTS, WebhookFacts
from rules.webhooks.targets import TargetPolicy, parse_target
from security.webhook_secrets import WebhookSecrets
from security.webhook_signatures import check_secret
from store.audit import record
from store.engine import Database
from store.event_order import newest_place
from store.webhooks import (
    NewWebhook,
    Whose,
    change_webhook,
    count_held,
    delete_webhook,
    hold_webhook,
    insert_webhook,
    list_webhooks,
    read_webhook,
    replace_secret,
    rotate_secret,
)

_WORD = re.compile(r"[a-z_.*]{1,48}")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """What an account asks of an endpoint; None is "as it is", or what it is by default."""

    url: str | None = field(default=None, repr=False)
    events: tuple[str, ...] | None = None
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    with_ed25519: bool = False
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """An endpoint as its account may see it; the secret is there when it was just made."""

    facts: WebhookFacts
    public_key: str | None
    secret: str | None = field(default=None, repr=False)


class Webhooks:
    """Makes, shows and changes endpoints."""

    def __init__(self, *, database: Database, secrets: WebhookSecrets, policy: TargetPolicy) -> None:
        self._database = database
        self._secrets = secrets
        self._policy = policy

    async def create(self, caller: Caller, request: WebhookRequest) -> WebhookView:
        """Make an endpoint, which hears of what happens from now on.

        Raises:
            InvalidTargetError, InvalidSecretError: the URL or the secret is not of the accepted form.
            InvalidRequestError: the filter names no type of event.
            TooManyWebhooksError: the account has as many as it may have.

        """
        target, made = parse_target(request.url or "", policy=self._policy), new_id()
        if request.secret is not None:
            check_secret(request.secret)
        fresh = await self._secrets.fresh(account_id=caller.account_id, webhook=made, text=request.secret)
        ed25519 = None
        if request.with_ed25519:
            ed25519 = await self._secrets.fresh_ed25519(account_id=caller.account_id, webhook=made)
        async with self._database.transaction() as connection:
            if await count_held(connection, _whose(caller)) >= MOST_ENDPOINTS:
                raise TooManyWebhooksError(f"An account has at most {MOST_ENDPOINTS} webhooks; delete one first.")
            new = NewWebhook(
                id=made,
                account_id=caller.account_id,
                environment=caller.environment,
                url=target.url,
                events=known_filters(request.events or ("*",)),
                description=request.description,
                secret_sealed=fresh.sealed,
                ed25519_sealed=ed25519,
                cursor=await newest_place(connection),
            )
            facts = await insert_webhook(connection, new)
            await self._note(connection, caller, facts.id, "webhook.created", {"events": len(facts.events)})
        return replace(await self._view(facts), secret=fresh.text)

    async def read(self, caller: Caller, webhook_id: UUID) -> WebhookView:
        """Return one endpoint.

        Raises:
            NotFoundError: the account has none with this id in this environment.

        """
        async with self._database.reading() as connection:
            facts = await own_webhook(connection, caller, webhook_id)
        return await self._view(facts)

    async def list(self, caller: Caller) -> list[WebhookView]:
        """Return all endpoints, oldest first."""
        async with self._database.reading() as connection:
            found = await list_webhooks(connection, _whose(caller))
        return [await self._view(each) for each in found]

    async def change(self, caller: Caller, webhook_id: UUID, request: WebhookRequest) -> WebhookView:
        """Change an endpoint. One that is switched on again goes on where it stopped, up to thirty days back.

        Raises:
            NotFoundError: the account has none with this id in this environment.
            InvalidTargetError, InvalidRequestError: as in `create`.

        """
        url = None if request.url is None else parse_target(request.url, policy=self._policy).url
        events = None if request.events is None else known_filters(request.events)
        async with self._database.transaction() as connection:
            before = await hold_webhook(connection, webhook_id, _whose(caller))
            if before is None:
                raise _unknown()
            wanted = replace(
                before,
                url=url or before.url,
                events=events or before.events,
                description=before.description if request.description is None else request.description,
            )
            after = await change_webhook(connection, wanted, _whose(caller), is_enabled=request.is_enabled)
            if after is None:
                raise _unknown()
            await self._note(connection, caller, webhook_id, "webhook.changed", _changes(before, after))
        return await self._view(after)

    async def rotate(self, caller: Caller, webhook_id: UUID, *, ends_previous: bool = False) -> WebhookView:
        """Give an endpoint another secret; for a day both sign, or from now on it alone.

        Raises:
            NotFoundError: the account has none with this id in this environment.
            RotationInProgressError: the day of the rotation before is not over, or another one came first.

        """
        async with self._database.reading() as connection:
            before = await own_webhook(connection, caller, webhook_id)
        fresh = await self._secrets.fresh(account_id=caller.account_id, webhook=webhook_id)
        async with self._database.transaction() as connection:
            if ends_previous:
                after = await replace_secret(connection, before, _whose(caller), sealed=fresh.sealed)
            else:
                after = await rotate_secret(connection, webhook_id, _whose(caller), sealed=fresh.sealed)
            if after is None:
                raise _rotated_before(await own_webhook(connection, caller, webhook_id))
            details = {"ended_previous": ends_previous}
            await self._note(connection, caller, webhook_id, "webhook.secret_rotated", details)
        return replace(await self._view(after), secret=fresh.text)

    async def delete(self, caller: Caller, webhook_id: UUID) -> None:
        """Remove an endpoint, with all that it was still to be sent.

        Raises:
            NotFoundError: the account has none with this id in this environment.

        """
        async with self._database.transaction() as connection:
            if not await delete_webhook(connection, webhook_id, _whose(caller)):
                raise _unknown()
            await self._note(connection, caller, webhook_id, "webhook.deleted", {})

    async def _view(self, facts: WebhookFacts) -> WebhookView:
        return WebhookView(facts=facts, public_key=await self._secrets.public_key(facts))

    async def _note(
        self,
        connection: AsyncConnection,
        caller: Caller,
        webhook_id: UUID,
        action: str,
        details: Mapping[str, JsonScalar],
    ) -> None:
        entry = AuditEntry(
            account_id=caller.account_id,
            environment=caller.environment,
            actor=caller.actor,
            action=action,
            subject=public_id(webhook_id),
            details=details,
        )
        await record(connection, entry)


def known_filters(filters: tuple[str, ...], *, parameter: str = "events") -> tuple[str, ...]:
    """Return filters without repetition, or refuse those that let no type of event through, as `parameter`.

    Raises:
        InvalidRequestError: some name nothing.

    """
    _, unknown = types_matching(list(filters))
    if unknown:
        named = " or ".join([_named(each, filters) for each in dict.fromkeys(unknown)][:_MOST_NAMED])
        raise InvalidRequestError(
            f"{parameter}: no event has the type {named}. Each is a type such as verification.approved, all of a "
            "subject such as verification.*, or *; the API reference lists the types."
        )
    return tuple(dict.fromkeys(filters))


async def own_webhook(connection: AsyncConnection, caller: Caller, webhook_id: UUID) -> WebhookFacts:
    """Return an endpoint of the caller.

    Raises:
        NotFoundError: there is none with this id in this environment.

    """
    facts = await read_webhook(connection, webhook_id, _whose(caller))
    if facts is None:
        raise _unknown()
    return facts


def _whose(caller: Caller) -> Whose:
    return Whose(account_id=caller.account_id, environment=caller.environment)


def _changes(before: WebhookFacts, after: WebhookFacts) -> dict[str, JsonScalar]:
    return {
        "url_changed": before.url != after.url,
        "events_changed": before.events != after.events,
        "status": after.status.value,
    }


def _rotated_before(facts: WebhookFacts) -> RotationInProgressError:
    until = facts.sealed.previous_until
    if until is None or until <= facts.read_at:
        return RotationInProgressError(
            "Another rotation came first; its answer has the secret.", fields={"previous_secret_until": None}
        )
    return RotationInProgressError(
        f"The secret before this one signs until {until.isoformat(timespec='seconds')}, as was promised. Rotate after "
        'that, or send {"end_previous_now": true}: then only the new secret signs, from now on.',
        retry_after_s=(until - facts.read_at).total_seconds(),
        fields={"previous_secret_until": moment(until)},
    )


def _named(unknown: str, filters: tuple[str, ...]) -> str:
    """Return an unknown filter, or its place where it is no word: what is sent may be a number or a code."""
    return unknown if _WORD.fullmatch(unknown) else f"in place {filters.index(unknown) + 1}"


def _unknown() -> NotFoundError:
    return NotFoundError("This account has no webhook with this id.")
