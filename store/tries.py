"""Tries at what can be guessed: five wrong ones in five minutes, exactly, on any number of processes.

A try is counted before anything is compared, and taken back when it turned out right. So at most as many wrong ones as
the limit are ever compared within any five minutes.
"""

import secrets
from typing import Any

from sqlalchemy import String, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.second_factor import WRONG_CODES, WRONG_CODES_WITHIN_S
from store.operator_tables import Tries
from store.tables import table_of
from store.times import MARK_WIDTH, fixed, mark_plus, now, now_plus

_tries = table_of(Tries)
_OWN_WIDTH = 8
_WIDTH = MARK_WIDTH + _OWN_WIDTH
_KEPT_S = 24 * 3600
_fresh = mark_plus(0).concat(bindparam("own", type_=String))
# The limit's oldest try; empty, which sorts first, while there were fewer.
_OLDEST = func.substr(_tries.c.recent, fixed((WRONG_CODES - 1) * _WIDTH + 1), fixed(MARK_WIDTH))


def _take(insert: Any) -> Any:
    return (
        insert(_tries)
        .values(subject=bindparam("of_subject"), recent=_fresh, changed_at=now())
        .on_conflict_do_update(
            index_elements=["subject"],
            set_={
                "recent": _fresh.concat(func.substr(_tries.c.recent, fixed(1), fixed((WRONG_CODES - 1) * _WIDTH))),
                "changed_at": now(),
            },
            where=mark_plus(-WRONG_CODES_WITHIN_S) >= _OLDEST,
        )
        .returning(func.substr(_tries.c.recent, fixed(1), fixed(_WIDTH)))
    )


_TAKE = {"sqlite": _take(sqlite.insert), "postgresql": _take(postgresql.insert)}
_GIVE_BACK = (
    update(_tries)
    .where(_tries.c.subject == bindparam("of_subject"))
    .values(recent=func.replace(_tries.c.recent, bindparam("given"), ""))
)
_WAIT = select(_OLDEST, mark_plus(-WRONG_CODES_WITHIN_S)).where(_tries.c.subject == bindparam("of_subject"))


async def take(connection: AsyncConnection, subject: str) -> str | None:
    """Count a try, and return it, to be given back if it was right; None, and nothing counted, when it is too many."""
    values = {"of_subject": subject, "own": secrets.token_hex(_OWN_WIDTH // 2)}
    taken: str | None = (await connection.execute(_TAKE[connection.dialect.name], values)).scalar()
    return taken


async def give_back(connection: AsyncConnection, subject: str, taken: str) -> None:
    """Undo the count of a try that was right; the wrong ones beside it stay counted."""
    await connection.execute(_GIVE_BACK, {"of_subject": subject, "given": taken})


async def wait_s(connection: AsyncConnection, subject: str) -> float:
    """Return how long until another try may be counted."""
    row = (await connection.execute(_WAIT, {"of_subject": subject})).one_or_none()
    return 0.0 if row is None or not row[0] else max(0.0, (int(row[0]) - int(row[1])) / 1000)


async def forget_old(connection: AsyncConnection) -> int:
    """Forget tries that count no more; return of how many subjects."""
    query = delete(_tries).where(and_(_tries.c.changed_at < now_plus(-_KEPT_S)))
    return int((await connection.execute(query)).rowcount)
