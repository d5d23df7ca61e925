"""`countersign operator`: the first owner is made on the machine, and is shown an invitation that works."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.operator import app
from domain.operator_errors import LastOwnerError, OperatorExistsError
from runtime.key_settings import key_encryption
from services.keys import open_keys
from services.operators import Operators
from store.engine import Database
from store.migrate import migrate
from tests.building import settings
from tests.keys import MASTER_KEY

EMAIL = "ada@example.com"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", MASTER_KEY)
    asyncio.run(_make(tmp_path))
    return tmp_path


async def _make(home: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{home / 'countersign.db'}")
    await migrate(database)
    keys = await open_keys(database, key_encryption(settings(home)))
    assert await Operators(database=database, keys=keys).list() == []
    await database.close()


def called(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_first_owner_is_invited_listed_and_invited_anew(home: Path) -> None:
    assert home
    first = called("invite", EMAIL, "--name", "Ada")
    listed = called("list")
    anew = called("reset-factor", EMAIL)

    tokens = [re.findall(r"^cs_inv_[0-9A-Za-z]{43}$", each.stdout, re.MULTILINE) for each in (first, anew)]
    assert [len(each) for each in tokens] == [1, 1]
    assert tokens[0] != tokens[1]
    assert re.search(rf"^owner +invited +{EMAIL} +Ada$", listed.stdout, re.MULTILINE)
    assert "cs_inv_" not in listed.stdout


def test_without_operators_the_list_says_how_to_make_one(home: Path) -> None:
    assert home
    assert "countersign operator invite" in called("list").stdout


def test_the_same_address_is_not_invited_twice(home: Path) -> None:
    assert home
    called("invite", EMAIL, "--name", "Ada")

    assert isinstance(called("invite", EMAIL, "--name", "Ada").exception, OperatorExistsError)


def test_an_operator_who_never_enrolled_can_be_disabled_and_not_enabled(home: Path) -> None:
    assert home
    called("invite", EMAIL, "--name", "Ada")

    assert "disabled" in called("disable", EMAIL).stdout
    refused = called("enable", EMAIL)
    assert "never enrolled" in str(refused.exception)
    assert not isinstance(refused.exception, LastOwnerError)
