"""`countersign client`: make OAuth2 clients of an account, list them, end them. A secret is shown once."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.ends import end_of
from cli.opening import ACTOR, opened
from domain.access import EVERY_SCOPE, USUAL_SCOPES, Scope
from domain.errors import InvalidRequestError
from domain.oauth import ClientFacts, TokenFormat
from domain.statuses import Environment
from services.accounts import Accounts
from services.handing_on import DEFAULT_DAYS
from services.oauth_clients import ClientRequest, MadeClient, OAuthClients

app = typer.Typer(no_args_is_help=True, help="OAuth2 clients of accounts.")
_Which = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id (acc_…), or its name where only one has it.")]
_In = Annotated[Environment, typer.Option(help="Which of the account's two worlds the client is for.")]


@app.command()
def create(  # noqa: PLR0913 - each is an option of a command
    account: _Which,
    environment: _In = Environment.SANDBOX,
    name: Annotated[str, typer.Option(help="What the client is for; shown in lists.")] = "",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be repeated. Left out: everything but admin and accounts.")
    ] = None,
    all_scopes: Annotated[bool, typer.Option("--all-scopes", help="Every scope there is.")] = False,  # noqa: FBT002 - an option of a command
    allow: Annotated[
        list[str] | None,
        typer.Option(help="An address or network it may be used from; may be repeated. Left out: any."),
    ] = None,
    days: Annotated[int, typer.Option(min=0, help="Until the client ends by itself; 0 is never.")] = DEFAULT_DAYS,
    tokens: Annotated[TokenFormat, typer.Option(help="What its access tokens are.")] = TokenFormat.OPAQUE,
    jwks_file: Annotated[
        Path | None, typer.Option(help="Its public keys (a JWKS); then it signs assertions, and gets no secret.")
    ] = None,
) -> None:
    """Make a client; print its id, and its secret, this once."""
    request = ClientRequest(
        environment=environment,
        name=name,
        scopes=EVERY_SCOPE if all_scopes else frozenset(scope or USUAL_SCOPES),
        allowlist=tuple(allow or ()),
        token_format=tokens,
        jwks=None if jwks_file is None else _read(jwks_file),
        days=days or None,
    )
    made = asyncio.run(_create(account, request))
    print(f"client_id      {made.facts.client_id}")
    if made.secret is not None:
        print(f"client_secret  {made.secret}")


@app.command("list")
def list_(account: _Which, environment: _In = Environment.SANDBOX) -> None:
    """List an account's clients in one environment, newest first."""
    for each in asyncio.run(_list(account, environment)):
        print(_line(each))


@app.command()
def revoke(
    account: _Which,
    client_id: Annotated[str, typer.Argument(help="The client_id.")],
    environment: _In = Environment.SANDBOX,
) -> None:
    """End a client now, and every token it was given, within a second on every process."""
    print(_line(asyncio.run(_revoke(account, environment, client_id))))


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequestError(f'{path} is not a key set: {{"keys": […]}}')
    return found


async def _create(account: str, request: ClientRequest) -> MadeClient:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        clients = OAuthClients(database=instance.database, keys=instance.keys)
        return await clients.make(found.id, request, actor=ACTOR)


async def _list(account: str, environment: Environment) -> list[ClientFacts]:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        clients = OAuthClients(database=instance.database, keys=instance.keys)
        return await clients.list(account_id=found.id, environment=environment)


async def _revoke(account: str, environment: Environment, client_id: str) -> ClientFacts:
    async with opened() as instance:
        found = await Accounts(database=instance.database).find(account)
        clients = OAuthClients(database=instance.database, keys=instance.keys)
        return await clients.revoke(client_id, account_id=found.id, environment=environment, actor=ACTOR)


def _line(facts: ClientFacts) -> str:
    until = end_of(revoked_at=facts.revoked_at, expires_at=facts.expires_at)
    proof = "secret" if facts.keys is None else "keys"
    scopes = " ".join(sorted(facts.scopes))
    return f"{facts.client_id}  {until:<18}  {facts.name or '-':<16}  {proof:<6}  {facts.token_format:<6}  {scopes}"
