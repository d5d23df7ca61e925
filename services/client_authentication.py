"""Which client asks: proved by its secret, or by an assertion that it signed and that is taken once."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

from domain.audit import SYSTEM, AuditEntry
from domain.oauth import InvalidClientError, KnownClient
from domain.statuses import AccountStatus
from rules.addresses import Address, is_inside, networks_of
from rules.oauth import Assertion, ClaimsError, ensure_assertion
from security.api_keys import digest_of, is_same
from security.client_credentials import client_id_in, is_client_id, is_secret
from security.client_keys import UnverifiedError, claimed_client, kept_keys, verify
from security.keyring import KeyRing
from services.refusals import MINUTE_S, Refusals
from store.engine import Database
from store.oauth_clients import StoredClient, find_client, take_assertion

# Compared with where a client has no secret, so that the comparison takes place all the same.
_NO_DIGEST = "0" * 64
_NOT_THE_ONE = "The client is not known here, or this does not prove that it is the one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came with a request: the name of a client, where it was said, and either a secret or an assertion."""

    client_id: str | None
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


class ClientAuthentication:
    """Finds out which client asks. `audiences` are what an assertion for this server may name."""

    def __init__(self, *, database: Database, keys: KeyRing, refusals: Refusals, audiences: Collection[str]) -> None:
        self._database = database
        self._keys = keys
        self._refusals = refusals
        self._audiences = audiences

    async def who_asks(self, proof: Proof, *, address: Address | None) -> KnownClient:
        """Return the client that a proof is of.

        Raises:
            InvalidClientError: it is of none, of one that is no more, or of one that may not ask from this address.

        """
        client_id = proof.client_id
        if client_id is None and proof.assertion is not None:
            client_id = claimed_client(proof.assertion)
        try:
            return await self._who_asks(client_id or "", proof, address)
        except InvalidClientError:
            self._note(client_id, address)
            raise

    async def _who_asks(self, client_id: str, proof: Proof, address: Address | None) -> KnownClient:
        if not is_client_id(client_id):
            raise InvalidClientError(_NOT_THE_ONE)
        async with self._database.reading() as connection:
            stored = await find_client(connection, client_id)
        if proof.assertion is not None:
            await self._ensure_signed(stored, proof.assertion)
        else:
            self._ensure_secret(stored, client_id, proof.secret or "")
        if stored is None:
            raise InvalidClientError(_NOT_THE_ONE)
        _ensure_may_ask(stored, address)
        facts = stored.facts
        return KnownClient(
            client_id=facts.client_id,
            account_id=facts.account_id,
            environment=facts.environment,
            scopes=facts.scopes,
            token_format=facts.token_format,
            seen_at=stored.read_at,
        )

    def _ensure_secret(self, stored: StoredClient | None, client_id: str, secret: str) -> None:
        if not is_secret(secret) or client_id_in(secret) != client_id:
            raise InvalidClientError(_NOT_THE_ONE)
        expected = _NO_DIGEST if stored is None or stored.digest is None else stored.digest
        if not is_same(expected, digest_of(self._keys.api_keys, secret)):
            raise InvalidClientError(_NOT_THE_ONE)

    async def _ensure_signed(self, stored: StoredClient | None, text: str) -> None:
        if stored is None or stored.facts.keys is None:
            raise InvalidClientError(_NOT_THE_ONE)
        try:
            signed = verify(text, kept_keys(stored.facts.keys))
        except UnverifiedError:
            raise InvalidClientError(_NOT_THE_ONE) from None
        # From here on it is the client who is told what is wrong, and no stranger.
        try:
            assertion = ensure_assertion(
                signed.header,
                signed.claims,
                client_id=stored.facts.client_id,
                audiences=self._audiences,
                now=stored.read_at,
            )
        except ClaimsError as error:
            raise InvalidClientError(f"The assertion is not accepted: {error}.") from None
        if not await self._take(stored.facts.client_id, assertion):
            raise InvalidClientError("The assertion is not accepted: this jti was used before.")

    async def _take(self, client_id: str, assertion: Assertion) -> bool:
        digest = hashlib.sha256(assertion.jti.encode("utf-8", "surrogatepass")).hexdigest()
        async with self._database.statement() as connection:
            return await take_assertion(connection, client_id, jti_hash=digest, until=assertion.expires_at)

    def _note(self, client_id: str | None, address: Address | None) -> None:
        subject = None if address is None else f"address:{self._keys.lookup_hash(str(address))}"
        if client_id is not None and is_client_id(client_id):
            subject = f"client:{client_id}"
        entry = AuditEntry(
            account_id=None,
            environment=None,
            actor=SYSTEM,
            action="authentication.failed",
            subject=subject,
            details={"why": "not_known"},
        )
        self._refusals.note(entry, window_s=MINUTE_S)


def _ensure_may_ask(stored: StoredClient, address: Address | None) -> None:
    if stored.account_status is AccountStatus.CLOSED:
        raise InvalidClientError("The account is closed.")
    networks = networks_of(stored.facts.allowlist)
    if networks and not is_inside(address, networks):
        seen = "an address that we cannot tell" if address is None else str(address)
        raise InvalidClientError(f"The client may not ask from {seen}, which is its address as we see it.")
