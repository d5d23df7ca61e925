"""An endpoint's secrets: made, sealed for their row, opened to sign with."""

from dataclasses import dataclass, field
from uuid import UUID

from domain.webhooks import WebhookFacts
from security.columns import Sealer
from security.webhook_signatures import new_private_key, new_secret, public_key


@dataclass(frozen=True, slots=True)
class Fresh:
    """A secret just made: its text, shown once, and what is stored of it."""

    text: str = field(repr=False)
    sealed: str = field(repr=False)


class WebhookSecrets:
    """Makes and opens the secrets that webhooks are signed with."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def fresh(self, *, account_id: UUID, webhook: UUID, text: str | None = None) -> Fresh:
        """Return a new shared secret, or the one that an account brought, with its stored form."""
        text = text or new_secret()
        return Fresh(text, await self._sealer.seal(text, account_id=account_id, row=webhook))

    async def fresh_ed25519(self, *, account_id: UUID, webhook: UUID) -> str:
        """Return the stored form of a new Ed25519 key; the key itself never leaves."""
        return await self._sealer.seal(new_private_key(), account_id=account_id, row=webhook)

    async def public_key(self, facts: WebhookFacts) -> str | None:
        """Return what a receiver verifies an endpoint's Ed25519 signatures with; None where there are none."""
        sealed = facts.sealed.ed25519
        return None if sealed is None else public_key(await self._open(sealed, facts))

    async def opened(self, facts: WebhookFacts) -> list[str]:
        """Return the keys that sign for an endpoint now: the secret, the one before it for a day, Ed25519."""
        stored = facts.sealed
        is_previous_alive = stored.previous_until is not None and stored.previous_until > facts.read_at
        sealed = [stored.current, stored.previous if is_previous_alive else None, stored.ed25519]
        return [await self._open(each, facts) for each in sealed if each is not None]

    async def _open(self, sealed: str, facts: WebhookFacts) -> str:
        return await self._sealer.open(sealed, account_id=facts.account_id, row=facts.id)
