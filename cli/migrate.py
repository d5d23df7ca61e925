"""`python -m cli.migrate`: bring the database to the newest schema; safe to run again, and before every start."""

import asyncio
import sys

from cli.installation import NoInstallationError, ensure_room
from runtime.settings import read_settings
from store.engine import Database
from store.migrate import head, migrate


async def _run() -> None:
    settings = read_settings()
    ensure_room(settings)
    database = Database(settings.database, command_timeout_s=None)
    await migrate(database)
    await database.close()


def main() -> None:
    """Migrate the database of the environment's settings."""
    try:
        asyncio.run(_run())
    except NoInstallationError as error:
        sys.exit(str(error))
    print(f"The database is at revision {head()}.")


if __name__ == "__main__":
    main()
