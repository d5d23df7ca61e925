"""A request that spends money is done once per Idempotency-Key; its repetitions are told what the first one was told.

The key is claimed in the transaction of what the request does, so that either both are there or neither.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import IdempotencyInFlightError, IdempotencyMismatchError
from domain.facts import Caller
from security.keyring import KeyRing
from store.engine import Database
from store.idempotency import RequestKey, attach, claim, keep_answer, read_request, release

# After this a request that never answered had its process die; what it did is looked up instead.
_ABANDONED_AFTER_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """A request sent with an Idempotency-Key.

    `render` makes, of what the use case returns, the body of the answer that repetitions get too.
    """

    key: str
    fingerprint: str
    render: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer the first request got, word for word."""

    status: int
    body: str


class RepeatedError(Exception):
    """The key was claimed before: nothing may be done under it again. Never leaves the services."""


class Idempotency:
    """Claims keys, keeps answers, gives them again."""

    def __init__(self, database: Database, *, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    async def claim(
        self, connection: AsyncConnection, caller: Caller, request: Repeatable | None, *, verification_id: UUID
    ) -> None:
        """Claim a request's key in this transaction; a request without one needs nothing.

        Raises:
            RepeatedError: another request has it; roll back and call `answer_again`.

        """
        if request is not None and not await claim(
            connection, self._key(caller, request), fingerprint=request.fingerprint, verification_id=verification_id
        ):
            raise RepeatedError

    async def attach(
        self, connection: AsyncConnection, caller: Caller, request: Repeatable | None, *, verification_id: UUID
    ) -> None:
        """Note which verification a claimed request is about, where that is not the one it was claimed for."""
        if request is not None:
            await attach(connection, self._key(caller, request), verification_id=verification_id)

    async def release(self, connection: AsyncConnection, caller: Caller, request: Repeatable | None) -> None:
        """Forget a request that was taken back."""
        if request is not None:
            await release(connection, self._key(caller, request))

    async def keep(self, caller: Caller, request: Repeatable | None, *, status: int, view: object) -> None:
        """Keep the answer for repetitions."""
        if request is not None:
            async with self._database.statement() as connection:
                await keep_answer(connection, self._key(caller, request), status=status, answer=request.render(view))

    async def answer_again(self, caller: Caller, request: Repeatable) -> StoredAnswer | UUID:
        """Return the kept answer; or, where its process died before it answered, the verification it was about.

        Raises:
            IdempotencyMismatchError: the key was used with another request.
            IdempotencyInFlightError: the first request has not been answered yet.

        """
        async with self._database.reading() as connection:
            first = await read_request(connection, self._key(caller, request))
        if first is not None and first.fingerprint != request.fingerprint:
            raise IdempotencyMismatchError("This Idempotency-Key was used for another request; use a new one.")
        if first is not None and first.answer is not None and first.answer_status is not None:
            return StoredAnswer(first.answer_status, first.answer)
        if first is not None and first.age_s > _ABANDONED_AFTER_S:
            return first.verification_id
        raise IdempotencyInFlightError(
            "The first request with this key is not answered yet; send this one again in a second.", retry_after_s=1
        )

    def _key(self, caller: Caller, request: Repeatable) -> RequestKey:
        """Return what a request is remembered under: a hash, because callers make keys of numbers too."""
        return RequestKey(
            account_id=caller.account_id, environment=caller.environment, key=self._keys.lookup_hash(request.key)
        )
