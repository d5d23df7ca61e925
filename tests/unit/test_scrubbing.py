"""Logs: what looks like a number, a key, a token or a code is taken out; what a line is read for is kept."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import verification_id
from domain.statuses import Environment
from runtime.logs import ScrubbingFormatter, configure_logs, keep_listed
from runtime.scrubbing import scrub, scrubbed
from security.api_keys import make_key
from tests.keys import MASTER_KEY

KEY = make_key(b"pepper", environment=Environment.SANDBOX).text


@pytest.mark.parametrize(
    "secret",
    [
        "+447700900123",
        "447700900123",
        "07700900123",
        "+44 7700 900 123",
        "+44 (0) 7700-900123",
        "(212) 555-0142",
        "%2B447700900123",
        "0044 7700 900123",
        "483920",
        "0042",
        "12345678",
        pytest.param(KEY, id="key"),
        pytest.param(KEY[:20], id="key's beginning"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Bearer abcdef.ghijkl-mnop",
        "Basic dXNlcjpwYXNzd29yZA==",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        pytest.param(MASTER_KEY, id="master key"),
    ],
)
@pytest.mark.parametrize(
    "line", ["{}", "code {} was wrong", "to={}", "to:{}, again", "'{}'", '{{"to": "{}"}}', "({})", "/x?to={}&y"]
)
def test_what_is_secret_or_personal_is_taken_out(secret: str, line: str) -> None:
    told = scrub(line.format(secret))

    assert secret not in told
    assert "(a " in told


def test_a_password_in_a_url_is_taken_out_and_its_place_is_kept() -> None:
    told = scrub("cannot reach postgresql://countersign:hunter2hunter@db.internal/countersign")

    assert "hunter2" not in told
    assert told.endswith("(a secret)@db.internal/countersign")


@pytest.mark.parametrize(
    "kept",
    [
        "2026-11-24T06:44:40.123456Z",
        "2026-11-24 06:44:40,123",
        "2026-11-24T06:44:40+00:00",
        "01a20c56-b68c-7699-a33e-ddfd943356cb",
        "00000000-1234-5678-1234-567812345678",
        "ver_01a20c56840075439719fcd1b20f2b69",
        "verification/ver_12345678901234567890123456789012",
        "127.0.0.1:7233",
        "localhost:7233",
        "temporal.example.com:7233",
        "10.200.100.200",
        'File "services/checks.py", line 1234, in check',
        "HTTP/1.1 503",
        "revision 20261124_01_audit",
        "carrier code 30007x",
        "took 12.5 s, 3 of 40",
    ],
)
def test_what_a_line_is_read_for_is_kept(kept: str) -> None:
    assert scrub(kept) == kept


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.text(alphabet=" ,;:='\"()[]", max_size=3))
def test_no_number_in_e164_gets_through(number: str, around: str) -> None:
    assert number[1:] not in scrub(f"x{around}{number}{around}y")


@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True), st.text(alphabet=" ,;:='\"()[]", min_size=1, max_size=3))
def test_no_code_gets_through(code: str, around: str) -> None:
    assert code not in scrub(f"code{around}{code}{around}")


@given(st.uuids())
def test_ids_are_kept_whatever_their_digits(uuid: UUID) -> None:
    for text in (str(uuid), verification_id(uuid)):
        assert scrub(f"of {text}.") == f"of {text}."


def test_values_are_scrubbed_all_the_way_down() -> None:
    value = {"to": ["+447700900123", {"code": "483920"}], "+447700900123": 1, "count": 3, "number": 447700900123}

    told = scrubbed(value)

    assert told == {
        "to": ["(a number)", {"code": "(a code)"}],
        "(a number)": 1,
        "count": 3,
        "number": "(a number)",
    }


def test_a_field_that_is_not_listed_is_withheld() -> None:
    told = keep_listed(None, "info", {"event": "x", "carrier": "alpha", "to": "a name"})

    assert told["carrier"] == "alpha"
    assert "a name" not in str(told)
    assert "withheld" in told["to"]


@contextmanager
def logging_afresh(*, as_json: bool = True) -> Iterator[io.StringIO]:
    """Collect what a process logs that has set up nothing else; everything is as it was afterwards."""
    root, structured, before = logging.getLogger(), structlog.get_config(), sys.stderr
    handlers, root.handlers, sys.stderr = root.handlers, [], (stream := io.StringIO())
    try:
        configure_logs(as_json=as_json)
        yield stream
    finally:
        root.handlers, sys.stderr = handlers, before
        structlog.configure(**structured)


def test_exceptions_are_scrubbed_in_structured_logs() -> None:
    with logging_afresh() as lines:
        error = failed("+447700900123, 483920")
        structlog.get_logger().error("request_failed", route="/v1/verifications", exc_info=error)

    told = json.loads(lines.getvalue())
    assert "ValueError: (a number), (a code)" in told["exception"]
    assert (told["event"], told["route"], told["level"]) == ("request_failed", "/v1/verifications", "error")
    assert "483920" not in lines.getvalue()


def test_exceptions_and_arguments_are_scrubbed_in_libraries_logs() -> None:
    with logging_afresh() as lines:
        error = failed(f"{KEY} for +447700900123")
        logging.getLogger("temporalio.activity").error("failed for %s", "483920", exc_info=error)

    assert "failed for (a code)" in lines.getvalue()
    assert "ValueError: (a key) for (a number)" in lines.getvalue()


def test_a_server_that_set_up_its_own_handlers_is_scrubbed_too_and_once() -> None:
    own, stream = logging.getLogger("a.server"), io.StringIO()
    own.addHandler(handler := logging.StreamHandler(stream))
    own.propagate = False
    handler.setFormatter(logging.Formatter("own: %(message)s"))

    with logging_afresh(as_json=False):
        configure_logs(as_json=False)
        own.warning("code %s", "483920")

    own.removeHandler(handler)
    assert stream.getvalue() == "own: code (a code)\n"
    assert isinstance(handler.formatter, ScrubbingFormatter)


def failed(text: str) -> ValueError:
    """Return an error that was raised with a text."""
    error = ValueError(text)
    with pytest.raises(ValueError, match=r".*"):
        raise error
    return error
