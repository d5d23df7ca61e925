"""`countersign`: every command of an operator, one module each."""

import sys

import typer

from cli import account, audit, client, key, keys, migrate, operator
from cli.installation import NoInstallationError
from domain.errors import DomainError
from security.key_encryption import BadKeyError, MissingKeyError, WrongKeyError
from store.migrate import NotMigratedError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(account.app, name="account")
app.add_typer(key.app, name="key")
app.add_typer(client.app, name="client")
app.add_typer(keys.app, name="keys")
app.add_typer(operator.app, name="operator")
app.add_typer(audit.app, name="audit")
app.command("migrate")(migrate.main)


def main() -> None:
    """Run one command; a refusal is a sentence and exit code 1."""
    try:
        app(prog_name="countersign")
    except DomainError as refusal:
        sys.exit(refusal.detail)
    except (BadKeyError, MissingKeyError, WrongKeyError, NoInstallationError) as error:
        sys.exit(str(error))
    except NotMigratedError as error:
        sys.exit(f"{error}: run `countersign migrate` first.")
