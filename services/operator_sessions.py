"""Sessions of operators: signed in with a password and a second factor, stepped up with a fresh one, signed out.

Nothing here knows HTTP: a bearer token and a cookie are the same to it. Nothing is remembered between requests either,
so an operator who was disabled, or whose role changed, is refused or limited with their next request, on every process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.audit import SYSTEM, AuditEntry, JsonScalar
from domain.errors import AddressNotAllowedError, NotFoundError, UnauthenticatedError
from domain.facts import NO_ACCOUNT, Caller
from domain.ids import new_id
from domain.ids import session_id as public_id
from domain.operator_errors import CodeRefusedError, SignInRefusedError, StepUpRequiredError
from domain.operators import OperatorFacts, OperatorStatus, SessionFacts, normal_email
from domain.statuses import Environment
from rules.addresses import Address, Network, is_inside, networks_of
from rules.second_factor import STEP_UP_S
from security.keyring import KeyRing
from security.operator_secrets import SESSION, OperatorHashes, new_token
from security.passwords import Passwords
from services.operators import entry, operator_actor
from services.refusals import MINUTE_S, Refusals
from services.second_factor import Proof, SecondFactor, counted_try, failed_sign_in
from store import operator_sessions, tries
from store.audit import record
from store.engine import Database
from store.operators import operator_of_email

# RFC 9470: what an authentication must have been like. A name of our own, as the specification leaves it to us.
ACR = "urn:countersign:acr:second-factor"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What a person signs in with."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingOn:
    """On which account, and in which of its environments, an operator acts."""

    account_id: UUID
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session just made. The token is given this once and kept nowhere."""

    facts: SessionFacts
    token: str = field(repr=False)


class OperatorSessions:
    """Signs operators in, says who calls with a session, and holds sensitive operations to a fresh second factor."""

    def __init__(
        self,
        *,
        database: Database,
        keys: KeyRing,
        passwords: Passwords,
        factor: SecondFactor,
        refusals: Refusals,
        allowed: Sequence[Network] = (),
    ) -> None:
        self._database = database
        self._keys = keys
        self._hashes = OperatorHashes(keys)
        self._passwords = passwords
        self._factor = factor
        self._refusals = refusals
        self._allowed = allowed

    async def sign_in(self, given: SignIn, *, address: Address | None) -> NewSession:
        """Return a session of whom an address, a password and a second factor belong to.

        Raises:
            AddressNotAllowedError: operators, or this one, may not sign in from here.
            SignInRefusedError: something of it is not right, or the operator is not active.
            CodesThrottledError: too many were not right lately; nothing was compared.

        """
        _ensure_from(address, self._allowed)
        email = normal_email(given.email) or ""
        subject = f"sign-in/{self._keys.lookup_hash(email)}"
        tried = await counted_try(self._database, subject)
        async with self._database.reading() as connection:
            operator = await operator_of_email(connection, self._keys.lookup_hash(email))
        is_active = operator is not None and operator.status is OperatorStatus.ACTIVE
        stored = operator.password_hash if operator is not None and is_active else None
        if not await self._passwords.is_right(stored, given.password) or operator is None:
            self._refusals.note(failed_sign_in(None if operator is None else operator.id), window_s=MINUTE_S)
            raise _refused()
        try:
            proof = await self._factor.examine(operator.id, given.code)
            return await self._begin(operator, proof, address=address, subject=subject, tried=tried)
        except CodeRefusedError:
            raise _refused() from None

    async def who_calls(self, token: str, *, address: Address | None, on: ActingOn | None) -> Caller:
        """Return the operator behind a session's token, acting on an account or on none.

        Raises:
            UnauthenticatedError: the session is not known, or has ended.
            AddressNotAllowedError: it may not be used from here.
            NotFoundError: there is no such account.

        """
        digest = self._hashes.of_token(token, prefix=SESSION)
        if digest is None:
            raise self._unknown()
        async with self._database.reading() as connection:
            found = await operator_sessions.find_session(
                connection, digest, account_id=None if on is None else on.account_id
            )
        if found is None:
            raise self._unknown()
        _ensure_from(address, self._allowed)
        _ensure_from(address, networks_of(found.allowlist))
        if on is not None and found.account_name is None:
            raise NotFoundError("There is no such account.")
        if found.is_stale:
            async with self._database.statement() as connection:
                await operator_sessions.note_use(connection, found.facts.id)
        return Caller(
            account_id=NO_ACCOUNT if on is None else on.account_id,
            account_name=found.account_name or "",
            environment=Environment.PRODUCTION if on is None else on.environment,
            key_id=public_id(found.facts.id),
            actor=operator_actor(found.facts.operator_id),
            role=found.role,
            address=None if address is None else str(address),
            stepped_up_at=found.facts.stepped_up_at,
            operator_id=found.facts.operator_id,
            session_id=found.facts.id,
        )

    async def read(self, caller: Caller) -> SessionFacts:
        """Return the caller's session.

        Raises:
            UnauthenticatedError: it has just ended.

        """
        async with self._database.reading() as connection:
            found = await operator_sessions.read_session(connection, _session_of(caller))
        if found is None:
            raise _no_session()
        return found

    async def step_up(self, caller: Caller, code: str) -> SessionFacts:
        """Keep that the second factor was just seen.

        Raises:
            CodeRefusedError: the code is not right, or was used.
            CodesThrottledError: too many were not right lately.

        """
        operator = caller.operator_id or NO_ACCOUNT
        proof = await self._factor.examine(operator, code)
        async with self._database.transaction() as connection:
            await self._factor.spend(connection, proof)
            session = await operator_sessions.step_up(connection, _session_of(caller))
            if session is None:
                raise _no_session()
            told: dict[str, JsonScalar] = {"session": public_id(session.id), "by_recovery_code": proof.is_recovery}
            await record(connection, entry("operator.stepped_up", operator, caller.actor, told))
        return session

    async def ensure_stepped_up(self, caller: Caller) -> None:
        """Let an operator through whose second factor was seen within five minutes, by the database's clock.

        Raises:
            StepUpRequiredError: it was not.

        """
        async with self._database.reading() as connection:
            is_fresh = await operator_sessions.is_stepped_up(connection, _session_of(caller))
        if not is_fresh:
            raise StepUpRequiredError(
                "This is sensitive: POST /v1/session/step-up with a code of your second factor, then send it again.",
                fields={"max_age_s": STEP_UP_S},
                challenge={
                    "error": "insufficient_user_authentication",
                    "error_description": "A more recent second factor is required",
                    "acr_values": ACR,
                    "max_age": str(STEP_UP_S),
                },
            )

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session."""
        async with self._database.transaction() as connection:
            if await operator_sessions.end_session(connection, _session_of(caller)):
                operator = caller.operator_id or NO_ACCOUNT
                await record(connection, entry("operator.signed_out", operator, caller.actor, {}))

    def _unknown(self) -> UnauthenticatedError:
        """Return the refusal of a token that is no session's; the trail hears of it."""
        failed = AuditEntry(
            account_id=None,
            environment=None,
            actor=SYSTEM,
            action="authentication.failed",
            subject=None,
            details={"why": "session_not_known"},
        )
        self._refusals.note(failed, window_s=MINUTE_S)
        return _no_session()

    async def _begin(
        self, operator: OperatorFacts, proof: Proof, *, address: Address | None, subject: str, tried: str
    ) -> NewSession:
        token = new_token(SESSION)
        async with self._database.transaction() as connection:
            await self._factor.spend(connection, proof)
            # Not before both factors were right, or a stranger would learn that a password is. Nothing is spent then.
            _ensure_from(address, networks_of(operator.allowlist))
            await tries.give_back(connection, subject, tried)
            facts = await operator_sessions.insert_session(
                connection,
                new_id(),
                operator_id=operator.id,
                token_hash=self._hashes.of_token(token, prefix=SESSION) or "",
                address_hash=None if address is None else self._keys.lookup_hash(str(address)),
            )
            told: dict[str, JsonScalar] = {"session": public_id(facts.id), "by_recovery_code": proof.is_recovery}
            await record(connection, entry("operator.signed_in", operator.id, operator_actor(operator.id), told))
        return NewSession(facts=facts, token=token)


def is_session(credential: str) -> bool:
    """Say whether a credential is meant to be a session's token, and not a key."""
    return credential.startswith(SESSION)


def _refused() -> SignInRefusedError:
    return SignInRefusedError("The e-mail address, the password or the code is not right; or you are not active.")


def _session_of(caller: Caller) -> UUID:
    return caller.session_id or NO_ACCOUNT


def _ensure_from(address: Address | None, allowed: Sequence[Network]) -> None:
    if allowed and not is_inside(address, allowed):
        seen = None if address is None else str(address)
        raise AddressNotAllowedError(
            f"Operators may not call from {seen or 'an address that we cannot tell'}, which is your address as we "
            "see it.",
            fields={"address": seen},
        )


def _no_session() -> UnauthenticatedError:
    return UnauthenticatedError(
        "The session is not known here, or has ended; sign in again: POST /v1/session.",
        challenge={"error": "invalid_token"},
    )
