"""What is recorded of a configuration holds no secret, and changes with every setting that matters."""

from pathlib import Path

from pydantic import SecretStr

from runtime.settings import Settings
from runtime.setup import NOT_RECORDED, configuration_of
from tests.building import settings
from tests.keys import MASTER_KEY


def test_nothing_secret_is_hashed() -> None:
    told = configuration_of(
        settings(
            database_url="postgresql://u:canary-database@h/n",
            redis_url="redis://u:canary-redis@h",
            sandbox_url="http://127.0.0.1:1",
            sandbox_secret=SecretStr("canary-sandbox"),
        )
    )

    assert b"canary" not in told["settings"]
    assert MASTER_KEY.encode() not in told["settings"]


def test_whatever_could_hold_a_secret_is_of_a_secret_type_a_file_or_left_out() -> None:
    telling = ("url", "secret", "password", "token", "api_key", "master")
    plain = [
        name
        for name, field in Settings.model_fields.items()
        if any(word in name for word in telling) and "Secret" not in str(field.annotation)
    ]

    assert [each for each in plain if each not in NOT_RECORDED and not each.endswith("_file")] == []


def test_a_setting_or_the_routes_file_makes_a_difference(tmp_path: Path) -> None:
    routes = tmp_path / "routes.json"
    routes.write_text("{}", encoding="utf-8")
    before = configuration_of(settings(routes_file=routes))
    routes.write_text('{"a": 1}', encoding="utf-8")

    assert configuration_of(settings(routes_file=routes))["routes"] != before["routes"]
    assert configuration_of(settings(routes_file=routes, api_rate=11))["settings"] != before["settings"]
    assert configuration_of(settings(routes_file=routes))["settings"] == before["settings"]
