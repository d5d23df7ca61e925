"""Requests remembered under their Idempotency-Key, in the transaction of what they did."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.statuses import Environment
from store.tables import IdempotentRequest, table_of
from store.times import now, now_plus

KEPT_S = 86_400
_request = table_of(IdempotentRequest)
_OF_KEY = and_(
    _request.c.account_id == bindparam("of_account"),
    _request.c.environment == bindparam("of_environment"),
    _request.c.key == bindparam("of_key"),
)


def _claim(insert: Any) -> Any:
    return (
        insert(_request)
        .values(
            account_id=bindparam("of_account"),
            environment=bindparam("of_environment"),
            key=bindparam("of_key"),
            fingerprint=bindparam("print"),
            verification_id=bindparam("of_verification"),
            created_at=now(),
        )
        .on_conflict_do_nothing()
        .returning(_request.c.key)
    )


_CLAIM = {"sqlite": _claim(sqlite.insert), "postgresql": _claim(postgresql.insert)}
_READ = select(_request, now().label("read_at")).where(_OF_KEY)
_ATTACH = update(_request).where(_OF_KEY).values(verification_id=bindparam("of_verification"))
_ANSWER = update(_request).where(_OF_KEY).values(answer_status=bindparam("answered"), answer=bindparam("text"))
_RELEASE = delete(_request).where(_OF_KEY)
_FORGET = delete(_request).where(_request.c.created_at < now_plus(-KEPT_S))
_FORGET_ONE = _FORGET.where(_OF_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedRequest:
    """What is known of an earlier request with the same key; `answer` is None while it is in flight."""

    fingerprint: str
    verification_id: UUID
    answer_status: int | None
    answer: str | None
    age_s: float


class RequestKey(dict[str, Any]):
    """Whose Idempotency-Key: the parameters that name one remembered request."""

    def __init__(self, *, account_id: UUID, environment: Environment, key: str) -> None:
        super().__init__(of_account=account_id, of_environment=environment.value, of_key=key)


async def claim(connection: AsyncConnection, request: RequestKey, *, fingerprint: str, verification_id: UUID) -> bool:
    """Claim a key for this transaction; False when another request has it. Waits for one that is about to commit."""
    await connection.execute(_FORGET_ONE, request)
    values = {**request, "print": fingerprint, "of_verification": verification_id}
    return (await connection.execute(_CLAIM[connection.dialect.name], values)).one_or_none() is not None


async def read_request(connection: AsyncConnection, request: RequestKey) -> RememberedRequest | None:
    """Return what is remembered under a key."""
    row = (await connection.execute(_READ, request)).one_or_none()
    if row is None:
        return None
    return RememberedRequest(
        fingerprint=row.fingerprint,
        verification_id=row.verification_id,
        answer_status=row.answer_status,
        answer=row.answer,
        age_s=(row.read_at - row.created_at).total_seconds(),
    )


async def attach(connection: AsyncConnection, request: RequestKey, *, verification_id: UUID) -> None:
    """Note which verification a claimed request turned out to be about."""
    await connection.execute(_ATTACH, {**request, "of_verification": verification_id})


async def keep_answer(connection: AsyncConnection, request: RequestKey, *, status: int, answer: str) -> None:
    """Keep the answer to give to every repetition."""
    await connection.execute(_ANSWER, {**request, "answered": status, "text": answer})


async def release(connection: AsyncConnection, request: RequestKey) -> None:
    """Forget a request that did nothing, so that the key may be used again."""
    await connection.execute(_RELEASE, request)


async def forget_old(connection: AsyncConnection) -> int:
    """Forget requests of more than a day ago; return how many."""
    return int((await connection.execute(_FORGET)).rowcount)
