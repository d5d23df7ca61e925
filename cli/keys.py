"""`countersign keys`: how the keys in the database stand, new versions of them, and what wraps them."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cli.installation import ensure_installed
from cli.opening import opened
from runtime.key_settings import key_encryption
from runtime.settings import read_settings
from security.key_encryption import KeyEncryptions
from services.key_rotation import SETTLE_S, KeyRotations, Rotated
from services.key_wrapping import KeyStatus, key_status, rewrap_keys
from services.resealing import Tell
from store.engine import Database
from store.migrate import ensure_migrated

app = typer.Typer(no_args_is_help=True, help="The keys in the database, and what wraps them.")


@app.command()
def status() -> None:
    """Say how the keys stand; 1 when a key is wrapped by something that was not given here."""
    given, found = asyncio.run(_status())
    for line in _told(given, found):
        print(line)
    if set(found.wrapped_by) - {each.kid for each in (given.all if given else ())}:
        sys.exit(1)


@app.command()
def rotate(
    settle_s: Annotated[
        float, typer.Option(min=0, help="How long to wait until every running process uses the new keys.")
    ] = SETTLE_S,
) -> None:
    """Give keys new versions and seal everything anew, while all goes on; run again after a crash, it goes on."""
    with _progress() as tell:
        done = asyncio.run(_rotate(tell, settle_s))
    begun = "Went on with rotation" if done.was_resumed else "Rotation"
    print(f"{begun} {done.rotation_id}: {done.accounts} accounts with a new key, {done.values} values sealed anew.")
    if done.unreadable:
        print(f"{done.unreadable} values could not be opened and were left as they are.")


@app.command()
def rewrap() -> None:
    """Wrap every key with the current key-encryption key; afterwards the earlier ones are not needed any more."""
    with _progress() as tell:
        done, kid = asyncio.run(_rewrap(tell))
    print(f"{done} keys wrapped anew; every key is wrapped by {kid} now.")


async def _status() -> tuple[KeyEncryptions | None, KeyStatus]:
    settings = read_settings()
    ensure_installed(settings)
    database = Database(settings.database)
    try:
        await ensure_migrated(database)
        return key_encryption(settings), await key_status(database)
    finally:
        await database.close()


async def _rotate(tell: Tell, settle_s: float) -> Rotated:
    async with opened() as instance:
        rotations = KeyRotations(
            database=instance.database, kek=_given(key_encryption(instance.settings)), tell=tell, settle_s=settle_s
        )
        return await rotations.rotate()


async def _rewrap(tell: Tell) -> tuple[int, str]:
    async with opened() as instance:
        kek = _given(key_encryption(instance.settings))
        return await rewrap_keys(instance.database, kek, tell=tell), kek.current.kid


def _given(kek: KeyEncryptions | None) -> KeyEncryptions:
    assert kek is not None  # noqa: S101 - the instance's keys were opened with it
    return kek


def _told(given: KeyEncryptions | None, found: KeyStatus) -> Iterator[str]:
    yield f"key-encryption key given   {given.current.kid if given else 'none'}"
    for each in given.previous if given else ():
        yield f"  an earlier one           {each.kid}"
    for kid, count in found.wrapped_by.items():
        yield f"keys wrapped by            {kid}: {count}"
    for use, version in sorted(found.versions.items()):
        yield f"version of {use.value:<16}{version}"
    yield f"accounts with a key        {found.accounts}"
    if found.rotation is None:
        yield "rotation                   none so far"
    else:
        end = "not finished" if found.rotation.finished_at is None else f"{found.rotation.finished_at:%Y-%m-%d %H:%M}"
        yield f"rotation {found.rotation.id:<18}begun {found.rotation.started_at:%Y-%m-%d %H:%M}, {end}"
    for column, count in found.sealed_before.items():
        yield f"sealed with older keys     {column}: {count}"


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show each stage as a bar, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage)
            progress.update(bars[stage], completed=done, total=total)

        yield tell
