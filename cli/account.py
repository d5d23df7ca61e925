"""`countersign account`: make accounts, list them, stop them from sending and let them send again."""

import asyncio
from typing import Annotated

import typer

from cli.opening import ACTOR, opened
from domain.accounts import AccountFacts
from domain.ids import account_id
from domain.statuses import AccountStatus
from services.accounts import Accounts, NewAccount

app = typer.Typer(no_args_is_help=True, help="Accounts: the businesses that call the API.")
_AT_MOST = 1_000_000
_Which = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id (acc_…), or its name where only one has it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What messages call it where a request names no brand; 24 letters.")],
    plan: Annotated[str, typer.Option(help="Your own word for what was agreed.")] = "standard",
    requests_per_s: Annotated[int | None, typer.Option(min=1, help="Over all of its keys.")] = None,
    sends_per_day: Annotated[int | None, typer.Option(min=0, help="Messages a day, UTC, per environment.")] = None,
) -> None:
    """Make an account, and print its id. It has no keys yet: `countersign key create`."""
    new = NewAccount(name=name, plan=plan, requests_per_s=requests_per_s, sends_per_day=sends_per_day)
    print(account_id(asyncio.run(_create(new)).id))


@app.command("list")
def list_() -> None:
    """List the accounts, newest first."""
    found = asyncio.run(_list())
    for each in found:
        print(_line(each))
    if not found:
        print("There are no accounts yet: countersign account create NAME")


@app.command()
def suspend(
    account: _Which,
    reason: Annotated[str, typer.Option(help="What the account is told.")],
    restrict: Annotated[bool, typer.Option("--restrict", help="Call it restricted rather than suspended.")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Let an account send nothing, at once on every process; its live codes can still be checked."""
    status = AccountStatus.RESTRICTED if restrict else AccountStatus.SUSPENDED
    print(_line(asyncio.run(_set_status(account, status, reason=reason))))


@app.command()
def reinstate(account: _Which) -> None:
    """Let an account send again."""
    print(_line(asyncio.run(_set_status(account, AccountStatus.ACTIVE, reason=None))))


@app.command()
def close(
    account: _Which,
    reason: Annotated[str, typer.Option(help="What the account is told.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - as above
) -> None:
    """Close an account for good: nothing works with its keys any more."""
    if not yes:
        typer.confirm(f"Close {account} for good?", abort=True)
    print(_line(asyncio.run(_set_status(account, AccountStatus.CLOSED, reason=reason))))


async def _create(new: NewAccount) -> AccountFacts:
    async with opened() as instance:
        return await Accounts(database=instance.database).create(new, actor=ACTOR)


async def _list() -> tuple[AccountFacts, ...]:
    async with opened() as instance:
        return (await Accounts(database=instance.database).list_all(limit=_AT_MOST)).items


async def _set_status(text: str, status: AccountStatus, *, reason: str | None) -> AccountFacts:
    async with opened() as instance:
        accounts = Accounts(database=instance.database)
        return await accounts.set_status((await accounts.find(text)).id, status, reason=reason, actor=ACTOR)


def _line(facts: AccountFacts) -> str:
    why = f"  ({facts.status_reason})" if facts.status_reason else ""
    return f"{account_id(facts.id)}  {facts.status:<10}  {facts.plan:<12}  {facts.name}{why}"
