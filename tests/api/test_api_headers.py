"""What every answer says to a browser and to whatever keeps answers."""

import pytest

from api.headers import safe_headers
from tests.api.serving import Api, opened
from tests.api.wire import get, tell
from tests.building import a_phone

PAGES = ["/", "/reference", "/docs/problems"]
STATIC = ["/static/reference.js", "/static/vendor/scalar-1.46.4/standalone.js"]


@pytest.mark.parametrize("path", [*PAGES, "/v1/limits", "/v1/verifications", "/livez", "/openapi.json", "/nothing"])
async def test_no_answer_is_kept_or_taken_for_something_else(api: Api, path: str) -> None:
    answer = await api.client.get(path)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers
    assert all(len(answer.headers.get_list(name)) == 1 for name in answer.headers)


async def test_an_answer_with_a_number_and_a_refusal_are_not_kept(api: Api) -> None:
    started = await api.start(to=a_phone())
    async with opened(api.server) as stranger:
        refused = await stranger.post("/v1/verifications", json={})

    assert (started.status_code, refused.status_code) == (201, 401)
    assert started.headers["cache-control"] == refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", STATIC)
async def test_a_file_may_be_kept_as_it_says_itself(api: Api, path: str) -> None:
    answer = await api.client.get(path)

    assert answer.headers["cache-control"] in {"no-cache", "public, max-age=31536000, immutable"}
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_refusal_from_the_wire_says_the_same(api: Api) -> None:
    heard = await tell(api.server.url, get("/livez", b"Host: another"))

    assert heard.status == 400
    assert heard.headers["cache-control"] == "no-store"
    assert heard.headers["x-content-type-options"] == "nosniff"
    assert "server" not in heard.headers


def test_over_tls_a_browser_is_told_to_come_back_over_tls_only() -> None:
    assert dict(safe_headers([], is_tls=True))[b"strict-transport-security"].startswith(b"max-age=63072000")
    assert b"strict-transport-security" not in dict(safe_headers([], is_tls=False))


def test_what_a_route_says_itself_is_left_alone() -> None:
    assert b"cache-control" not in dict(safe_headers([(b"cache-control", b"no-cache")], is_tls=False))
