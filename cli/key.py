"""`countersign key`: make keys of an account, list them, end them. A key is shown once, when it is made."""

import asyncio
from typing import Annotated

import typer

from cli.ends import end_of
from cli.opening import ACTOR, opened
from domain.access import EVERY_SCOPE, USUAL_SCOPES, Scope
from domain.accounts import ApiKeyFacts
from domain.statuses import Environment
from services.accounts import Accounts
from services.api_keys import ApiKeys, KeyRequest
from services.handing_on import DEFAULT_DAYS

app = typer.Typer(no_args_is_help=True, help="API keys of accounts.")
_Which = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id (acc_…), or its name where only one has it.")]
_In = Annotated[Environment, typer.Option(help="Which of the account's two worlds the key is for.")]


@app.command()
def create(
    account: _Which,
    environment: _In = Environment.SANDBOX,
    name: Annotated[str, typer.Option(help="What the key is for; shown in lists.")] = "",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be repeated. Left out: everything but admin and accounts.")
    ] = None,
    all_scopes: Annotated[bool, typer.Option("--all-scopes", help="Every scope there is.")] = False,  # noqa: FBT002 - an option of a command
    allow: Annotated[
        list[str] | None,
        typer.Option(help="An address or network it may be used from; may be repeated. Left out: any."),
    ] = None,
    days: Annotated[int, typer.Option(min=0, help="Until the key ends by itself; 0 is never.")] = DEFAULT_DAYS,
) -> None:
    """Make a key and print it, this once."""
    request = KeyRequest(
        environment=environment,
        name=name,
        scopes=EVERY_SCOPE if all_scopes else frozenset(scope or USUAL_SCOPES),
        allowlist=tuple(allow or ()),
        days=days or None,
    )
    print(asyncio.run(_create(account, request)))


@app.command("list")
def list_(account: _Which, environment: _In = Environment.SANDBOX) -> None:
    """List an account's keys in one environment, newest first."""
    for each in asyncio.run(_list(account, environment)):
        print(_line(each))


@app.command()
def revoke(
    account: _Which,
    key_id: Annotated[str, typer.Argument(help="The eight characters after cs_test_ or cs_live_.")],
    environment: _In = Environment.SANDBOX,
) -> None:
    """End a key now. It stops working within a second on every process."""
    print(_line(asyncio.run(_revoke(account, environment, key_id))))


async def _create(account: str, request: KeyRequest) -> str:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        return (await ApiKeys(database=instance.database, keys=instance.keys).make(found.id, request, actor=ACTOR)).text


async def _list(account: str, environment: Environment) -> list[ApiKeyFacts]:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        api_keys = ApiKeys(database=instance.database, keys=instance.keys)
        return await api_keys.list(account_id=found.id, environment=environment)


async def _revoke(account: str, environment: Environment, key_id: str) -> ApiKeyFacts:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        api_keys = ApiKeys(database=instance.database, keys=instance.keys)
        return await api_keys.revoke(key_id, account_id=found.id, environment=environment, actor=ACTOR)


def _line(facts: ApiKeyFacts) -> str:
    until = end_of(revoked_at=facts.revoked_at, expires_at=facts.expires_at)
    return f"{facts.key_id}  {until:<18}  {facts.name or '-':<16}  {' '.join(sorted(facts.scopes))}"
