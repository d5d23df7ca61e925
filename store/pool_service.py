"""What of a pool is in service: held while its numbers are counted, so that the last one of a kind stays with it."""

from typing import Any

from sqlalchemy import Select, bindparam, select

from domain.routing import NumberState
from store.number_tables import SenderNumber
from store.tables import table_of
from store.times import fixed

_number = table_of(SenderNumber)
_other = _number.alias("other")


def in_service(number: Any = _number) -> tuple[Any, ...]:
    """Say of numbers that everybody who writes to a country sends with them. Binds of_environment and of_country."""
    return (
        number.c.environment == bindparam("of_environment"),
        number.c.country == bindparam("of_country"),
        number.c.state == fixed(NumberState.AVAILABLE),
        number.c.account_id.is_(None),
        number.c.probing_since.is_(None),
    )


# Exact only after `holding`, or where there is one writer at a time.
HAS_ANOTHER = (
    select(_other.c.id)
    .where(*in_service(_other), _other.c.sender_type == _number.c.sender_type, _other.c.id != _number.c.id)
    .correlate(_number)
    .exists()
)


def holding(*which: Any) -> Select[Any]:
    """Return the statement that holds what is in service, and more narrowly what is given, for this transaction.

    Whoever takes numbers from a pool runs it first; else two would each see the other's number as the one that stays.
    """
    # SQLite has one writer at a time and leaves the lock out. What only refers to a number does not wait for it.
    return select(_number.c.id).where(*in_service(), *which).order_by(_number.c.id).with_for_update(key_share=True)
