"""Erasing a person: what was sealed for them can never be opened again, in no copy, and their rows are gone."""

from sqlalchemy import and_, bindparam, delete, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import TooSoonError
from store.guards import NumberKey
from store.tables import IdempotentRequest, NumberGuard, Verification, table_of

_verification, _guard, _request = table_of(Verification), table_of(NumberGuard), table_of(IdempotentRequest)
_OF_PERSON = and_(
    _verification.c.account_id == bindparam("of_account"),
    _verification.c.environment == bindparam("of_environment"),
    _verification.c.number_hash == bindparam("of_number"),
)
_REMOVE = delete(_verification).where(_OF_PERSON).returning(_verification.c.id)
_ANY_LEFT = select(literal(1)).select_from(_verification).where(_OF_PERSON).limit(1)
_SHRED = (
    update(_guard)
    .where(
        _guard.c.account_id == bindparam("of_account"),
        _guard.c.environment == bindparam("of_environment"),
        _guard.c.number_hash == bindparam("of_number"),
    )
    .values(person_salt=None)
)
_FORGET_ANSWERS = delete(_request).where(
    _request.c.account_id == bindparam("of_account"),
    _request.c.environment == bindparam("of_environment"),
    _request.c.verification_id.in_(bindparam("of_verifications", expanding=True)),
)


async def shred_person(connection: AsyncConnection, number: NumberKey) -> int:
    """Erase whoever holds a number, for one account and environment; return how many verifications are gone.

    Verifications go with their attempts and remembered answers, and the salt of the person's key with them, so that
    copies of the rows made before do not open. The number's limits stay, under its hash: erasing must not be a way
    around them. A message to the number afterwards begins with a new salt.

    Raises:
        TooSoonError: another request has just started the number; roll back and try again.

    """
    removed = [row.id for row in await connection.execute(_REMOVE, number)]
    await connection.execute(_SHRED, number)
    # The guard is held now, so that no start is under way any more; one may have committed while it was waited for.
    if (await connection.execute(_ANY_LEFT, number)).first() is not None:
        raise TooSoonError("Another request has just started this number; try again.", retry_after_s=1)
    await connection.execute(_FORGET_ANSWERS, {**number, "of_verifications": removed})
    return len(removed)
