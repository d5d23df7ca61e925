"""The two-person rule: a machine's sensitive request waits until an operator approved it, and then works once.

An approval is for one caller, operation, path and body. It is used up before the operation begins, in a transaction of
its own: a crash in between costs the approval, and never is anything done twice
(`docs/adr/0041-two-people-for-what-machines-ask.md`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import Access
from domain.audit import AuditEntry
from domain.errors import InvalidRequestError, NotFoundError, RateLimitedError
from domain.facts import Caller
from domain.ids import approval_id as public_id
from domain.ids import new_id, parse
from domain.moments import moment
from domain.operator_errors import (
    ApprovalDecidedError,
    ApprovalRefusedError,
    ApprovalRequiredError,
    OperatorsOnlyError,
    SelfApprovalError,
)
from domain.operators import ApprovalFacts, ApprovalStatus, SensitiveRequest
from rules.access import insufficient_scope
from rules.approvals import MOST_PENDING
from security.columns import Sealer
from security.keyring import KeyRing
from store import approvals
from store.audit import record
from store.engine import Database

_LONGEST_PATH = 512
MAX_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """An approval, with the request's body where it may be seen and is still kept."""

    facts: ApprovalFacts
    body: str | None = field(default=None, repr=False)


class Approvals:
    """Asks for approvals, lets operators decide, and lets what was approved through, once.

    `operations` says which roles may do an operation themselves: nobody approves what they may not do.
    """

    def __init__(self, *, database: Database, keys: KeyRing, operations: Mapping[str, Access]) -> None:
        self._database = database
        self._bodies = Sealer(keys, table="approval", column="body")
        self._operations = operations

    async def ensure_approved(self, caller: Caller, request: SensitiveRequest, *, approval: str | None) -> None:
        """Use up the approval of a machine's request.

        Raises:
            ApprovalRequiredError: none was named, so that one is asked for now; or the one named is still pending.
            ApprovalRefusedError: the one named is not for this request, or is over.

        """
        if len(request.path) > _LONGEST_PATH:
            raise InvalidRequestError("The path and query of this request are too long to be approved.")
        if approval is None:
            raise _required(await self._ask(caller, request))
        found = parse(approval, prefix="apr")
        async with self._database.transaction() as connection:
            used = (
                None
                if found is None
                else await approvals.use(
                    connection,
                    found,
                    actor=caller.actor,
                    operation=request.operation,
                    path=request.path,
                    body_hash=_hash_of(request),
                )
            )
            if used is not None:
                await record(connection, _entry("approval.used", used, actor=caller.actor))
                return
            facts = None if found is None else await _read(connection, caller, found)
        raise _why_not(facts, caller)

    async def list(self, caller: Caller, *, status: ApprovalStatus | None, limit: int) -> list[ApprovalView]:
        """Return approvals, newest first: of the account acted on, or, for an operator who named none, of all."""
        async with self._database.reading() as connection:
            found = await approvals.list_approvals(
                connection, account_id=caller.acts_on, environment=caller.environment, status=status, limit=limit
            )
        return [ApprovalView(facts=each) for each in found]

    async def read(self, caller: Caller, approval: UUID) -> ApprovalView:
        """Return one, with the body of its request for an operator who may decide it.

        Raises:
            NotFoundError: there is none, or it is another account's.

        """
        async with self._database.reading() as connection:
            facts = await self._existing(connection, caller, approval)
        if facts.body_sealed is None or not self._may_decide(caller, facts):
            return ApprovalView(facts=facts)
        body = await self._bodies.open(facts.body_sealed, account_id=facts.account_id, row=facts.id)
        return ApprovalView(facts=facts, body=body)

    async def decide(self, caller: Caller, approval: UUID, *, is_approved: bool) -> ApprovalView:
        """Approve or reject a pending one.

        Raises:
            NotFoundError: there is none, or it is another account's.
            InsufficientScopeError: the operator may not do the operation themselves.
            SelfApprovalError: the operator made the key or the client that asks.
            ApprovalDecidedError: it is decided, or its time is over.

        """
        if caller.role is None:
            raise OperatorsOnlyError("Approvals are decided by operators.")
        status = ApprovalStatus.APPROVED if is_approved else ApprovalStatus.REJECTED
        async with self._database.transaction() as connection:
            facts = await self._existing(connection, caller, approval)
            if not self._may_decide(caller, facts):
                raise insufficient_scope(frozenset())
            decided = await approvals.decide(connection, approval, status=status, decided_by=caller.actor)
            if decided is not None:
                action = "approval.approved" if is_approved else "approval.rejected"
                await record(connection, _entry(action, decided, actor=caller.actor))
        if decided is not None:
            return ApprovalView(facts=decided)
        async with self._database.reading() as connection:
            facts = await self._existing(connection, caller, approval)
        if facts.status is ApprovalStatus.PENDING:
            raise SelfApprovalError("You made the key or client that asks for this; another operator has to decide.")
        raise ApprovalDecidedError(f"This approval is {facts.status}.", fields={"approval_status": facts.status.value})

    async def _ask(self, caller: Caller, request: SensitiveRequest) -> ApprovalFacts:
        new = new_id()
        # Sealed before the transaction, in which loading a key could wait for a connection.
        sealed = None
        if request.body:
            text = request.body.decode(errors="replace")
            sealed = await self._bodies.seal(text, account_id=caller.account_id, row=new)
        async with self._database.transaction() as connection:
            if await approvals.count_pending(connection, caller.actor) >= MOST_PENDING:
                raise RateLimitedError(f"{MOST_PENDING} requests of this key wait for an approval already.")
            facts = await approvals.ask(
                connection,
                approvals.NewApproval(
                    id=new,
                    account_id=caller.account_id,
                    environment=caller.environment,
                    actor=caller.actor,
                    key_id=caller.key_id,
                    operation=request.operation,
                    path=request.path,
                    body_hash=_hash_of(request),
                    body_sealed=sealed,
                ),
            )
            if facts.id == new:
                await record(connection, _entry("approval.requested", facts, actor=caller.actor))
        return facts

    async def _existing(self, connection: AsyncConnection, caller: Caller, approval: UUID) -> ApprovalFacts:
        facts = await _read(connection, caller, approval)
        if facts is None:
            raise NotFoundError("There is no such approval.")
        return facts

    def _may_decide(self, caller: Caller, facts: ApprovalFacts) -> bool:
        access = self._operations.get(facts.operation)
        return caller.role is not None and access is not None and caller.role in access.roles


async def _read(connection: AsyncConnection, caller: Caller, approval: UUID) -> ApprovalFacts | None:
    return await approvals.read_approval(
        connection, approval, account_id=caller.acts_on, environment=caller.environment
    )


def _hash_of(request: SensitiveRequest) -> str:
    return hashlib.sha256(request.body).hexdigest()


def _required(facts: ApprovalFacts) -> ApprovalRequiredError:
    name = public_id(facts.id)
    return ApprovalRequiredError(
        f"Have an operator approve {name}; then send exactly this request again with Countersign-Approval: {name}.",
        fields={"approval_id": name, "expires_at": moment(facts.expires_at)},
    )


def _why_not(facts: ApprovalFacts | None, caller: Caller) -> ApprovalRequiredError | ApprovalRefusedError:
    """Return why an approval does not let a request through; of another caller's, nothing but that it does not."""
    if facts is None or facts.actor != caller.actor:
        return ApprovalRefusedError("There is no such approval of yours.", fields={"approval_status": None})
    if facts.status is ApprovalStatus.PENDING:
        return _required(facts)
    told = {"approval_status": facts.status.value}
    if facts.status is ApprovalStatus.APPROVED:
        return ApprovalRefusedError("It is for another operation, path or body: send the same request.", fields=told)
    return ApprovalRefusedError(f"It is {facts.status}; send the request without it to ask anew.", fields=told)


def _entry(action: str, facts: ApprovalFacts, *, actor: str) -> AuditEntry:
    return AuditEntry(
        account_id=facts.account_id,
        environment=facts.environment,
        actor=actor,
        action=action,
        subject=public_id(facts.id),
        details={"operation": facts.operation, "body_sha256": facts.body_hash},
    )
