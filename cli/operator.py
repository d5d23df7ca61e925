"""`countersign operator`: invite people, list them, disable them, and give them a new second factor."""

import asyncio
from typing import Annotated

import typer

from cli.opening import ACTOR, opened
from domain.access import Role
from domain.operators import OperatorChanges, OperatorStatus
from services.operators import Invited, Operators, OperatorView

app = typer.Typer(no_args_is_help=True, help="Operators: the people of the instance.")
_Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")]


@app.command()
def invite(
    email: _Email,
    name: Annotated[str, typer.Option(help="What the others see.")],
    role: Annotated[Role, typer.Option(help="What they are there for.")] = Role.OWNER,
) -> None:
    """Invite a person; the first owner is made like this. Prints an invitation, this once."""
    _say(asyncio.run(_invite(email, name, role)))


@app.command("list")
def list_() -> None:
    """List the operators, oldest first."""
    found = asyncio.run(_list())
    for each in found:
        print(_line(each))
    if not found:
        print("There are no operators yet: countersign operator invite EMAIL --name NAME")


@app.command()
def disable(email: _Email) -> None:
    """Disable an operator, and sign them out everywhere with their next request."""
    print(_line(asyncio.run(_change(email, OperatorStatus.DISABLED))))


@app.command()
def enable(email: _Email) -> None:
    """Let a disabled operator sign in again, as they did before."""
    print(_line(asyncio.run(_change(email, OperatorStatus.ACTIVE))))


@app.command("reset-factor")
def reset_factor(email: _Email) -> None:
    """Take an operator's password and second factor away, sign them out, and invite them anew."""
    _say(asyncio.run(_reset(email)))


async def _invite(email: str, name: str, role: Role) -> Invited:
    async with opened() as instance:
        operators = Operators(database=instance.database, keys=instance.keys)
        return await operators.invite(email=email, name=name, role=role, actor=ACTOR)


async def _list() -> list[OperatorView]:
    async with opened() as instance:
        return await Operators(database=instance.database, keys=instance.keys).list()


async def _change(email: str, status: OperatorStatus) -> OperatorView:
    async with opened() as instance:
        operators = Operators(database=instance.database, keys=instance.keys)
        found = await operators.find(email)
        return await operators.change(found.id, OperatorChanges(status=status), actor=ACTOR)


async def _reset(email: str) -> Invited:
    async with opened() as instance:
        operators = Operators(database=instance.database, keys=instance.keys)
        found = await operators.find(email)
        # Whoever may run commands here can always make another owner, so the only one may be reset.
        return await operators.reset_factor(found.id, actor=ACTOR, must_keep_owner=False)


def _say(invited: Invited) -> None:
    print(_line(invited.view))
    print(f"Invitation, until {invited.expires_at:%Y-%m-%d %H:%M} UTC, shown this once:\n{invited.token}")
    print('They send it with a password: POST /v1/operators/accept {"invitation": "…", "password": "…"}')


def _line(view: OperatorView) -> str:
    facts = view.facts
    return f"{facts.role:<10}  {facts.status:<8}  {view.email:<32}  {facts.name}"
