"""What a crowd's processes do with second factors, approvals and owners; see `tests/store/crowd.py`."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

from api.authorisation import OPERATIONS
from domain.errors import DomainError
from domain.facts import Caller
from domain.ids import approval_id
from domain.operator_errors import ApprovalRequiredError
from domain.operators import OperatorChanges, OperatorStatus
from services.approvals import Approvals
from services.operators import Operators
from services.refusals import Refusals
from services.second_factor import SecondFactor
from store.engine import Database
from tests.building import KEYS
from tests.people import ASKED


def approvals_of(database: Database) -> Approvals:
    """Return the use case."""
    return Approvals(database=database, keys=KEYS, operations=OPERATIONS)


async def outcome(call: Callable[[], Awaitable[object]]) -> str:
    """Return how a call ended: done, or the code of the refusal."""
    try:
        await call()
    except DomainError as refusal:
        return refusal.code
    return "done"


async def prove(database: Database, operator: UUID, code: str) -> None:
    """Examine a code and spend it, as a sign-in does."""
    factor = SecondFactor(database=database, keys=KEYS, refusals=Refusals(database))
    proof = await factor.examine(operator, code)
    async with database.transaction() as connection:
        await factor.spend(connection, proof)


async def prove_25_times(database: Database, what: tuple[UUID, str]) -> Counter[str]:
    """Prove a second factor 25 times at once with one code; return how often each answer came."""
    return Counter(await asyncio.gather(*(outcome(lambda: prove(database, *what)) for _ in range(25))))


async def use_25_times(database: Database, what: tuple[Caller, UUID]) -> Counter[str]:
    """Use an approval 25 times at once; return how often each answer came."""
    caller, approval = what

    async def use() -> None:
        await approvals_of(database).ensure_approved(caller, ASKED, approval=approval_id(approval))

    return Counter(await asyncio.gather(*(outcome(use) for _ in range(25))))


async def ask_ten_times(database: Database, caller: Caller) -> set[str]:
    """Ask for an approval of one request ten times at once; return the ids that were answered."""

    async def ask() -> str:
        try:
            await approvals_of(database).ensure_approved(caller, ASKED, approval=None)
        except ApprovalRequiredError as refusal:
            return str(refusal.fields["approval_id"])
        raise AssertionError("it was let through")

    return set(await asyncio.gather(*(ask() for _ in range(10))))


async def disable_one(database: Database, owners: list[UUID]) -> str:
    """Disable one of the owners, another one in another process as far as that can be."""
    operators, which = Operators(database=database, keys=KEYS), owners[os.getpid() % len(owners)]
    changes = OperatorChanges(status=OperatorStatus.DISABLED)
    return await outcome(lambda: operators.change(which, changes, actor="system"))
