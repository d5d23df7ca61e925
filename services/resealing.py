"""Sealing a column's values anew with the newest keys, while others read and write them."""

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias
from uuid import UUID

from security.columns import Sealer, UndecryptableError, key_id_of
from security.keyring import KeyRing
from store.engine import Database
from store.sealed import SealedColumn, SealedValue, count_rows, give_salts, last_row, page_of, replace_values

# A page is one transaction: short enough that nobody who needs one of its rows notices.
_ROWS_AT_ONCE = 200
_FIRST = UUID(int=0)

# Told how far a stage is: its name, what is done, of how much.
Tell: TypeAlias = Callable[[str, int, int], None]


class Resealing:
    """Seals the values of one column anew, page by page, up to the row that was the newest at the beginning."""

    def __init__(self, database: Database, keys: KeyRing, column: SealedColumn) -> None:
        self._database = database
        self._column = column
        self._sealer = Sealer(keys, table=column.table.name, column=column.name)
        self.done = self.unreadable = 0

    async def run(self, tell: Tell) -> None:
        """Seal what is not sealed with the newest key."""
        seen, stage = 0, f"{self._column.table.name}.{self._column.column} anew"
        async with self._database.reading() as connection:
            until = await last_row(connection, self._column)
            total = 0 if until is None else await count_rows(connection, self._column, until=until)
        if until is not None:
            async for page in self._pages(until):
                await self._renew(page)
                seen += len(page)
                tell(stage, min(seen, total), total)
        tell(stage, total, total)

    async def _pages(self, until: UUID) -> AsyncIterator[list[SealedValue]]:
        after = _FIRST
        while True:
            async with self._database.reading() as connection:
                page = await page_of(connection, self._column, after=after, until=until, at_most=_ROWS_AT_ONCE)
                lacking = {
                    value.number["of_number"]: value.number
                    for value in page
                    if value.number is not None and value.person is None
                }
            if not page:
                return
            if lacking:
                async with self._database.transaction() as connection:
                    await give_salts(connection, list(lacking.values()))
                async with self._database.reading() as connection:
                    page = await page_of(connection, self._column, after=after, until=until, at_most=_ROWS_AT_ONCE)
            yield list(page)
            after = page[-1].id

    async def _renew(self, page: list[SealedValue]) -> None:
        renewed = [(value, becomes) for value in page if (becomes := await self._sealed_anew(value)) is not None]
        if renewed:
            async with self._database.transaction() as connection:
                await replace_values(connection, self._column, renewed)
        self.done += len(renewed)

    async def _sealed_anew(self, value: SealedValue) -> str | None:
        """Return a value sealed with the newest key, or None for one that is, or that must stay as it is."""
        if self._column.is_personal and value.person is None:
            return None
        key = await self._sealer.key_for(value.account_id)
        if key_id_of(value.sealed) == key.kid:
            return None
        account_id, row, person = value.account_id, value.id, value.person
        try:
            text = await self._sealer.open(value.sealed, account_id=account_id, row=row, person=person)
        except UndecryptableError:
            self.unreadable += 1
            return None
        return await self._sealer.seal(text, account_id=account_id, row=row, person=person)
