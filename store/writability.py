"""Whether the database writes, which one that answers need not do: a full disk still reads."""

import asyncio
import time
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from domain.errors import DatabaseUnavailableError
from store.engine import Database
from store.migrate import ensure_migrated
from store.tables import Budget, table_of
from store.times import fixed

# However hard it is asked, a process tries no oftener.
_TRY_EVERY_S = 1.0
_budget = table_of(Budget)


def _beat(insert: Any) -> Any:
    """Build the statement that turns a row of its own over: SQLite writes nothing where nothing changes."""
    row = insert(_budget).values(scope="readiness", hour=0, used=0)
    return row.on_conflict_do_update(index_elements=["scope", "hour"], set_={"used": fixed(1) - _budget.c.used})


_BEAT = {"sqlite": _beat(sqlite.insert), "postgresql": _beat(postgresql.insert)}


class Writability:
    """Tries a write at most once a second; who asks in between is told what came of the last one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._tried_at = float("-inf")
        self._refusal: DatabaseUnavailableError | None = None

    async def ensure(self) -> None:
        """Raise while the database is not at this version's schema, or does not write.

        Raises:
            NotMigratedError: the schema is older than this version.
            DatabaseUnavailableError: it cannot be reached, or does not write.

        """
        await ensure_migrated(self._database)
        async with self._turn:
            if time.monotonic() - self._tried_at >= _TRY_EVERY_S:
                await self._try()
        if self._refusal is not None:
            raise DatabaseUnavailableError(self._refusal.detail) from self._refusal

    async def _try(self) -> None:
        try:
            async with self._database.statement() as connection:
                await connection.execute(_BEAT[connection.dialect.name])
        except DatabaseUnavailableError as error:
            self._refusal = error
        else:
            self._refusal = None
        self._tried_at = time.monotonic()
