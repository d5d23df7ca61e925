"""`python -m cli.key NAME`: make a sandbox key of an account, and the account if need be; it is shown this once."""

import asyncio
from typing import Annotated

import typer

from runtime.settings import read_settings
from runtime.setup import key_ring_of
from services.accounts import Accounts
from store.engine import Database


def main(account: Annotated[str, typer.Argument(help="The account's name.")]) -> None:
    """Make a sandbox key and print it."""
    print(asyncio.run(_make(account)))


async def _make(account: str) -> str:
    settings = read_settings()
    database = Database(settings.database)
    try:
        accounts = Accounts(database=database, keys=key_ring_of(settings))
        return await accounts.sandbox_key(account=account, requests_per_s=None)
    finally:
        await database.close()


if __name__ == "__main__":
    typer.run(main)
