"""Operators: invited, listed, changed, disabled, and given a new second factor. Who they are is told to people only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Role
from domain.audit import AuditEntry, JsonScalar
from domain.errors import InvalidRequestError, NotFoundError
from domain.facts import Caller
from domain.ids import new_id, operator_id
from domain.operator_errors import LastOwnerError, OperatorExistsError
from domain.operators import OperatorChanges, OperatorFacts, OperatorStatus, normal_email
from rules.second_factor import INVITATION_S
from security.columns import Sealer
from security.keyring import KeyRing
from security.operator_secrets import INVITATION, OperatorHashes, new_token
from services.allowlists import ensure_networks, ensure_not_locked_out
from store.audit import record
from store.engine import Database
from store.operators import (
    change_operator,
    end_sessions,
    forget_factors,
    insert_operator,
    invite,
    list_operators,
    lock_active_owners,
    operator_of_email,
    read_operator,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorView:
    """An operator as other people may see them: the address in clear."""

    facts: OperatorFacts
    email: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An operator just invited. The token is shown this once and kept nowhere."""

    view: OperatorView
    token: str = field(repr=False)
    expires_at: datetime


class Operators:
    """Administers the people of an instance; `actor` is who the trail says it was."""

    def __init__(self, *, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys
        self._emails = Sealer(keys, table="operator", column="email")
        self._hashes = OperatorHashes(keys)

    async def invite(self, *, email: str, name: str, role: Role, actor: str) -> Invited:
        """Invite a person, who chooses a password and a second factor within 72 hours.

        Raises:
            InvalidRequestError: the address is none.
            OperatorExistsError: there is an operator of this address.

        """
        address, new = _address(email), new_id()
        sealed = await self._emails.seal(address, account_id=None, row=new)
        async with self._database.transaction() as connection:
            is_new = await insert_operator(
                connection,
                new,
                email_sealed=sealed,
                email_hash=self._keys.lookup_hash(address),
                name=name,
                role=role,
            )
            if not is_new:
                raise OperatorExistsError("There is an operator with this address; they may need a new invitation.")
            token, until = await self._invitation(connection, new)
            await record(connection, entry("operator.invited", new, actor, {"role": role.value}))
        return Invited(view=await self.read(new), token=token, expires_at=until)

    async def read(self, operator: UUID) -> OperatorView:
        """Return an operator.

        Raises:
            NotFoundError: there is none.

        """
        async with self._database.reading() as connection:
            facts = await read_operator(connection, operator)
        if facts is None:
            raise _not_found()
        return await self._view(facts)

    async def list(self) -> list[OperatorView]:
        """Return every operator, oldest first."""
        async with self._database.reading() as connection:
            found = await list_operators(connection)
        return [await self._view(each) for each in found]

    async def find(self, email: str) -> OperatorFacts:
        """Return the operator of an address.

        Raises:
            NotFoundError: there is none.

        """
        async with self._database.reading() as connection:
            found = await operator_of_email(connection, self._keys.lookup_hash(_address(email)))
        if found is None:
            raise _not_found()
        return found

    async def change(
        self,
        operator: UUID,
        changes: OperatorChanges,
        *,
        actor: str,
        by: Caller | None = None,
        may_lock_out: bool = False,
    ) -> OperatorView:
        """Change an operator, `by` another one or the command line; it holds for their next request.

        Raises:
            NotFoundError: there is none.
            LastOwnerError: no active owner would be left.
            AllowlistLocksOutError: it is the caller's own allowlist, and would not let them in from here.
            InvalidRequestError: the allowlist is not one, or who is to be active never enrolled.

        """
        if (allowlist := changes.get("allowlist")) is not None:
            ensure_networks(allowlist)
            if by is not None and by.operator_id == operator and not may_lock_out:
                ensure_not_locked_out(by.address, allowlist)
        is_over = changes.get("status") is OperatorStatus.DISABLED
        async with self._database.transaction() as connection:
            if is_over or changes.get("role", Role.OWNER) is not Role.OWNER:
                await _ensure_another_owner(connection, operator)
            if await read_operator(connection, operator) is None:
                raise _not_found()
            if not await change_operator(connection, operator, changes):
                raise InvalidRequestError("They never enrolled, or have to again; reset their factor to invite them.")
            if is_over:
                await end_sessions(connection, operator)
            action = "operator.disabled" if is_over else "operator.changed"
            await record(connection, entry(action, operator, actor, _told(changes)))
        return await self.read(operator)

    async def reset_factor(self, operator: UUID, *, actor: str, must_keep_owner: bool = True) -> Invited:
        """Take an operator's password and second factor away, sign them out, and invite them anew.

        Raises:
            NotFoundError: there is none.
            LastOwnerError: no active owner would be left, and one must be.

        """
        async with self._database.transaction() as connection:
            if must_keep_owner:
                await _ensure_another_owner(connection, operator)
            if await read_operator(connection, operator) is None:
                raise _not_found()
            await forget_factors(connection, operator)
            token, until = await self._invitation(connection, operator)
            await record(connection, entry("operator.factor_reset", operator, actor, {}))
        return Invited(view=await self.read(operator), token=token, expires_at=until)

    async def _invitation(self, connection: AsyncConnection, operator: UUID) -> tuple[str, datetime]:
        token = new_token(INVITATION)
        digest = self._hashes.of_token(token, prefix=INVITATION) or ""
        return token, await invite(connection, operator, digest, lasts_s=INVITATION_S)

    async def _view(self, facts: OperatorFacts) -> OperatorView:
        email = await self._emails.open(facts.email_sealed, account_id=None, row=facts.id)
        return OperatorView(facts=facts, email=email)


def entry(action: str, operator: UUID, actor: str, details: Mapping[str, JsonScalar]) -> AuditEntry:
    """Return what the trail of the instance says that happened to an operator."""
    return AuditEntry(
        account_id=None,
        environment=None,
        actor=actor,
        action=action,
        subject=operator_id(operator),
        details=details,
    )


async def _ensure_another_owner(connection: AsyncConnection, operator: UUID) -> None:
    owners = await lock_active_owners(connection)
    if owners == {operator}:
        raise LastOwnerError("They are the only active owner; invite another one first.")


def _address(email: str) -> str:
    address = normal_email(email)
    if address is None:
        raise InvalidRequestError("email: an address like ada@example.com, in ASCII.")
    return address


def _told(changes: OperatorChanges) -> dict[str, JsonScalar]:
    """Return what the trail says of a change: not a name, nor networks."""
    told: dict[str, JsonScalar] = {}
    if "name" in changes:
        told["name_changed"] = True
    if "role" in changes:
        told["role"] = changes["role"].value
    if "status" in changes:
        told["status"] = changes["status"].value
    if "allowlist" in changes:
        told["networks"] = len(changes["allowlist"])
    return told


def _not_found() -> NotFoundError:
    return NotFoundError("There is no such operator.")


def operator_actor(operator: UUID) -> str:
    """Return who the trail says it was, of an operator."""
    return f"operator:{operator_id(operator)}"
