"""Settings that would break a promise are refused with a sentence that says why."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from domain.challenge import DEFAULT_CODE_LENGTH, MAX_GUESS_PROBABILITY, guess_probability
from rules.protection.checks import FAILURES_CAP, FAILURES_HARD_LIMIT, CheckLimits, unsafe_limits
from runtime.settings import Settings, read_settings


def made(**values: Any) -> Settings:
    return Settings.model_validate(values)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COUNTERSIGN_{name.upper()}", raising=False)


def test_the_defaults_are_safe() -> None:
    assert made().check_limits == CheckLimits(per_verification=5, failures_in_a_row=30, per_day=30)


@pytest.mark.parametrize("cap", [1, 30, 33])
def test_a_cap_within_the_promise_is_taken(cap: int) -> None:
    assert made(failures_in_a_row=cap).check_limits.failures_in_a_row == cap
    assert guess_probability(failures_cap=cap, code_length=DEFAULT_CODE_LENGTH) <= MAX_GUESS_PROBABILITY


@pytest.mark.parametrize("cap", [34, 100])
def test_a_cap_that_lets_a_guesser_win_too_often_is_refused(cap: int) -> None:
    with pytest.raises(ValidationError, match=r"COUNTERSIGN_FAILURES_IN_A_ROW: .* guesser win with a chance above"):
        made(failures_in_a_row=cap)


@pytest.mark.parametrize("cap", [0, -1, 101, 10**9])
def test_a_cap_beyond_the_hard_limit_is_refused(cap: int) -> None:
    with pytest.raises(ValidationError, match="failures in a row must be between 1 and 100"):
        made(failures_in_a_row=cap)


def test_longer_codes_allow_more_failures_up_to_the_hard_limit() -> None:
    assert unsafe_limits(CheckLimits(failures_in_a_row=FAILURES_HARD_LIMIT), code_length=8) is None
    assert unsafe_limits(CheckLimits(failures_in_a_row=FAILURES_HARD_LIMIT + 1), code_length=8) is not None
    assert unsafe_limits(CheckLimits(failures_in_a_row=FAILURES_CAP), code_length=5) is not None


def test_several_processes_that_count_requests_each_for_itself_are_refused() -> None:
    with pytest.raises(ValidationError, match="COUNTERSIGN_API_PROCESSES is over 1 but request rates"):
        made(api_processes=2)


@pytest.mark.parametrize("more", [{"redis_url": "redis://localhost"}, {"api_rate": 0}])
def test_several_processes_that_share_their_count_or_have_none_are_taken(more: dict[str, Any]) -> None:
    assert made(api_processes=2, **more).api_processes == 2


@pytest.mark.parametrize(
    "values",
    [
        {"port": 0},
        {"port": 65_536},
        {"api_rate": -1},
        {"api_processes": 0},
        {"carrier_timeout_s": 0},
        {"carrier_timeout_s": 6},
        {"wrong_checks_per_hour": 0},
        {"database_url": "mysql://localhost/countersign"},
    ],
)
def test_a_value_out_of_bounds_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**values)


@pytest.mark.parametrize(
    ("given", "with_driver"),
    [
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_a_database_url_gets_its_driver(given: str, with_driver: str) -> None:
    assert made(database_url=given).database == with_driver


def test_without_a_database_url_the_database_is_a_file_in_the_state_directory(tmp_path: Path) -> None:
    assert made(home=tmp_path).database == f"sqlite+aiosqlite:///{tmp_path / 'countersign.db'}"


def test_unusable_settings_end_the_process_with_a_sentence_and_without_their_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORT", "a-secret-in-the-wrong-place")

    with pytest.raises(SystemExit) as ended:
        read_settings()

    assert str(ended.value).startswith("COUNTERSIGN_PORT: ")
    assert "a-secret-in-the-wrong-place" not in str(ended.value)


def test_secrets_do_not_show_in_the_repr_of_the_settings() -> None:
    settings = made(master_key="the master key", sandbox_secret="the sandbox secret")

    assert "the master key" not in repr(settings)
    assert "the sandbox secret" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["https://verify.example.com", "https://verify.example.com:8443", "http://127.0.0.1:8000", "http://[::1]:80"]
)
def test_a_public_origin_is_the_issuer(url: str) -> None:
    assert made(public_origin=url).issuer == url


@pytest.mark.parametrize(
    "url",
    [
        "verify.example.com",
        "http://verify.example.com",
        "https://",
        "https://verify.example.com/",
        "https://verify.example.com/api",
        "https://verify.example.com?x=1",
        "https://verify.example.com#x",
        "https://user@verify.example.com",
        "ftp://verify.example.com",
        "HTTPS://verify.example.com",
    ],
)
def test_what_callers_could_not_call_an_issuer_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="COUNTERSIGN_PUBLIC_ORIGIN"):
        made(public_origin=url)


def test_without_a_public_origin_the_issuer_is_where_the_api_listens() -> None:
    assert made(port=8100).issuer == "http://127.0.0.1:8100"
    assert made(host="::1").issuer == "http://[::1]:8000"
