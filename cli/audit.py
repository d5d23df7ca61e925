"""`countersign audit`: verify the audit trail, export it, list its checkpoints, show the key that vouches for it.

`verify` ends with 0 when the trail is whole, 1 when something is wrong with it, 2 when it could not be looked at.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.installation import NoInstallationError
from cli.opening import opened
from domain.errors import DatabaseUnavailableError, KeysUnavailableError
from rules.audit.checkpoints import Checkpoint, read_lines
from security.audit_signing import AuditSigner
from security.key_encryption import BadKeyError, MissingKeyError, WrongKeyError
from services.audit import Audit
from services.audit_verification import AuditReport, AuditVerification
from store.engine import Database
from store.migrate import NotMigratedError

T = TypeVar("T")
_WRONG, _NOT_LOOKED_AT = 1, 2
_SHOWN = 100
_NOT_HERE = (NoInstallationError, NotMigratedError)
app = typer.Typer(no_args_is_help=True, help="The audit trail: verify, export.")
Exported = Annotated[
    Path | None,
    typer.Option("--checkpoints", help="Checkpoints kept elsewhere, one JSON object a line; other lines are skipped."),
]


@app.command()
def verify(checkpoints: Exported = None) -> None:
    """Verify every chain: sequence, hashes, signatures; say what is wrong, and where."""
    exported = _read(checkpoints)
    report = _run(lambda database, signer: _verify(database, signer, exported))
    print(f"{report.entries} entries in {report.chains} chains, {report.checkpoints} checkpoints.")
    if report.is_whole:
        print("The audit trail is whole.")
        return
    _tell(report)
    raise typer.Exit(_WRONG)


@app.command()
def export(output: Annotated[Path | None, typer.Option(help="A file; the standard output without it.")] = None) -> None:
    """Export every chain with its checkpoints, one JSON object a line; this is recorded in the trail."""
    _run(lambda database, signer: _export(Audit(database=database, signer=signer), output))


@app.command()
def checkpoints() -> None:
    """List every signed checkpoint, one JSON object a line; keep them where the database is not."""
    lines = _run(lambda database, signer: Audit(database=database, signer=signer).checkpoints())
    sys.stdout.writelines(lines)


@app.command()
def key() -> None:
    """Show the public key that checkpoints are signed with: its name, and its 32 bytes in base64."""
    shown = _run(_key)
    print(shown)


async def _key(database: Database, signer: AuditSigner) -> str:
    shown = Audit(database=database, signer=signer).key()
    return f"{shown.kid} {shown.public_key}"


async def _verify(database: Database, signer: AuditSigner, exported: list[Checkpoint]) -> AuditReport:
    verification = AuditVerification(database, public_keys={signer.kid: signer.public_key})
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=await verification.count())
        return await verification.verify(exported, on_progress=lambda more: progress.advance(task, more))


async def _export(audit: Audit, output: Path | None) -> None:
    with nullcontext(sys.stdout) if output is None else output.open("x", encoding="utf-8") as to:
        async with aclosing(await audit.export_all()) as lines:
            async for line in lines:
                to.write(line)


def _tell(report: AuditReport) -> None:
    """Print what is wrong, as a table that says where."""
    table = Table("chain", "sequence", "what", "seen", title=f"{len(report.findings)} findings")
    for each in report.findings[:_SHOWN]:
        table.add_row(each.chain, str(each.sequence), each.fault.value, each.seen)
    Console(width=160).print(table)
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} more")


def _read(file: Path | None) -> list[Checkpoint]:
    """Return the checkpoints of a file; one that cannot be read ends the command with the sentence that says why."""
    if file is None:
        return []
    try:
        with file.open(encoding="utf-8") as lines:
            found = read_lines(lines)
    except (OSError, ValueError) as error:
        _refuse(f"{file} cannot be read as checkpoints: {error}")
    if not found:
        _refuse(f"{file} holds no checkpoint; `countersign audit checkpoints` prints them.")
    return found


def _run(task: Callable[[Database, AuditSigner], Awaitable[T]]) -> T:
    """Run a task on the instance of the environment's settings; what keeps it from that is a sentence and code 2."""

    async def on_instance() -> T:
        async with opened() as instance:
            return await task(instance.database, AuditSigner(instance.keys.audit_seed))

    try:
        return asyncio.run(on_instance())
    except DatabaseUnavailableError as error:
        _refuse(f"The database cannot be used: {error.__cause__ or error}")
    except (*_NOT_HERE, BadKeyError, MissingKeyError, WrongKeyError, KeysUnavailableError, OSError) as error:
        _refuse(str(error))


def _refuse(why: str) -> NoReturn:
    print(why, file=sys.stderr)
    raise typer.Exit(_NOT_LOOKED_AT)
