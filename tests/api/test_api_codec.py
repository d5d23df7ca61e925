"""`/codec`: opens payloads for whom it may, with a word in the audit trail each time, and seals none."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from temporalio.api.common.v1 import Payload

from domain.access import USUAL_SCOPES, Scope
from runtime.temporal import payload_cipher
from store.audit_tables import AuditRow
from store.engine import Database
from store.tables import table_of
from tests.api.serving import Api, Server, calling, opened, running_api
from tests.building import KEYS, settings
from tests.people import PASSWORD, an_operator

UI = "http://127.0.0.1:8233"
WORKFLOW = "verification/ver_01a20c56840075439719fcd1b20f2b69"
WORDS = Payload(metadata={"encoding": b"json/plain"}, data=b'"words"')
MAY = USUAL_SCOPES | {Scope.ACCOUNTS}
_audit = table_of(AuditRow)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("codec"), temporal_ui_origin=UI) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with calling(server, scopes=MAY) as called:
        yield called


def sealed(*, workflow: str = WORKFLOW, namespace: str = "default") -> Payload:
    cipher = payload_cipher(settings(temporal_namespace=namespace), KEYS)
    assert cipher is not None
    return cipher.seal(WORDS, workflow_id=workflow)


def as_json(payload: Payload) -> dict[str, Any]:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


async def decode(api: Api, payloads: Sequence[Payload], **headers: str) -> httpx2.Response:
    """Ask as the Temporal UI does."""
    body = {"payloads": [as_json(each) for each in payloads]}
    return await api.client.post("/codec/decode", json=body, headers={"X-Namespace": "default", **headers})


async def noted(api: Api) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Return who had payloads decoded, of which workflow, and the details, as the trail has it of this test's key."""
    mine = (_audit.c.action == "codec.decoded") & (_audit.c.actor == f"key:{api.caller.key_id}")
    async with api.database.reading() as connection:
        rows = (await connection.execute(select(_audit).where(mine).order_by(_audit.c.sequence))).all()
    return [(row.actor, row.subject, json.loads(row.details)) for row in rows]


async def test_sealed_payloads_are_opened_and_noted_for_each_workflow(api: Api) -> None:
    answer = await decode(api, [sealed(), WORDS, sealed(), sealed(workflow="upkeep-2026-11-24T06:00:00Z")])

    assert answer.status_code == 200
    assert answer.json() == {"payloads": [as_json(WORDS)] * 4}
    actor = f"key:{api.caller.key_id}"
    assert await noted(api) == [
        (actor, "upkeep", {"namespace": "default", "payloads": 1}),
        (actor, WORKFLOW, {"namespace": "default", "payloads": 2}),
    ]


async def test_long_payloads_come_back_in_base64_without_breaks(api: Api) -> None:
    cipher = payload_cipher(settings(), KEYS)
    assert cipher is not None
    long = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps("x" * 4_000).encode())

    answer = await decode(api, [cipher.seal(long, workflow_id=WORKFLOW)])

    assert answer.json() == {"payloads": [as_json(long)]}


async def test_plain_payloads_are_given_back_and_not_noted(api: Api) -> None:
    assert (await decode(api, [WORDS])).json() == {"payloads": [as_json(WORDS)]}
    assert (await decode(api, [])).json() == {"payloads": []}
    assert await noted(api) == []


def _flipped() -> Payload:
    payload = sealed()
    payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
    return payload


def _renamed() -> Payload:
    payload = sealed()
    payload.metadata["countersign-workflow"] = b"verification/ver_2"
    return payload


@pytest.mark.parametrize("payload", [_flipped(), _renamed(), sealed(namespace="another")])
async def test_a_payload_that_does_not_open_is_named_by_its_place_and_nothing_is_noted(
    api: Api, payload: Payload
) -> None:
    answer = await decode(api, [sealed(), payload])

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.json()["detail"].startswith("payloads.1 does not open")
    assert await noted(api) == []


async def test_another_namespace_is_refused_and_so_is_none(api: Api) -> None:
    other = await decode(api, [sealed()], **{"X-Namespace": "another"})
    none = await api.client.post("/codec/decode", json={"payloads": []})

    assert (other.status_code, none.status_code) == (422, 422)
    assert "the namespace default" in other.json()["detail"]


@pytest.mark.parametrize(
    "body", [{"payloads": "x"}, {"payloads": [{"data": 1}]}, {"payloads": [{"metadata": {"encoding": "###"}}]}, []]
)
async def test_a_body_that_is_none_is_refused(api: Api, body: Any) -> None:
    answer = await api.client.post("/codec/decode", json=body, headers={"X-Namespace": "default"})

    assert answer.status_code == 422


async def test_nothing_is_ever_encoded(api: Api) -> None:
    answer = await api.client.post("/codec/encode", json={"payloads": [as_json(WORDS)]})

    assert (answer.status_code, answer.json()["code"]) == (422, "encoding-refused")


async def test_who_is_not_known_or_looks_after_one_account_only_is_refused(server: Server) -> None:
    async with opened(server) as stranger:
        unknown = await stranger.post("/codec/decode", json={"payloads": []}, headers={"X-Namespace": "default"})
    async with calling(server, scopes=USUAL_SCOPES | {Scope.ADMIN}) as other:
        known = await decode(other, [sealed()])

    assert (unknown.status_code, known.status_code) == (401, 403)
    assert known.json()["code"] == "insufficient-scope"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(api: Api) -> None:
    answer = await decode(api, [Payload(data=bytes(70_000))])

    assert answer.status_code == 413


async def asks_first(server: Server, *, origin: str, path: str = "/codec/decode") -> httpx2.Response:
    """Ask as a browser does before it lets a page ask."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
    }
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as browser:
        return await browser.options(path, headers=headers)


async def test_a_browser_hears_that_pages_of_the_ui_may_ask_with_the_operators_login(server: Server, api: Api) -> None:
    first = await asks_first(server, origin=UI)
    then = await decode(api, [WORDS], Origin=UI)
    refused = await decode(api, [_flipped()], Origin=UI)

    assert first.status_code == 200
    for answer in (first, then, refused):
        assert answer.headers["access-control-allow-origin"] == UI
        assert answer.headers["access-control-allow-credentials"] == "true"
    allowed = {each.strip().lower() for each in first.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "x-namespace"} <= allowed
    assert first.headers["access-control-allow-methods"] == "POST"


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8234", "https://127.0.0.1:8233", "http://evil.example", "null"])
async def test_a_browser_hears_nothing_of_the_kind_for_other_pages(server: Server, api: Api, origin: str) -> None:
    first = await asks_first(server, origin=origin)
    then = await decode(api, [WORDS], Origin=origin)

    assert first.status_code == 400
    assert "access-control-allow-origin" not in first.headers
    assert "access-control-allow-origin" not in then.headers


async def test_pages_of_the_ui_may_ask_for_nothing_else(server: Server) -> None:
    answer = await asks_first(server, origin=UI, path="/v1/verifications")

    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_with_encryption_off_sealed_payloads_are_refused(tmp_path: Any) -> None:
    with running_api(tmp_path, payload_encryption="off") as off:
        async with calling(off, scopes=MAY) as api:
            answer = await decode(api, [sealed()])

    assert answer.status_code == 422
    assert "encryption is off" in answer.json()["detail"]


async def test_a_browser_signs_in_with_a_cookie_that_opens_the_codec_to_pages_of_the_ui_alone(server: Server) -> None:
    database = Database(server.database_url)
    person = await an_operator(database)
    await database.close()
    given = {"email": person.email, "password": PASSWORD, "code": person.code()}
    sent = {"payloads": [as_json(sealed())]}

    async def asked(browser: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
        return await browser.post("/codec/decode", json=sent, headers={"X-Namespace": "default", **headers})

    async with opened(server) as browser:
        signed = await browser.post("/codec/session", json=given, headers={"Origin": UI})
        cookie = signed.headers["Set-Cookie"]
        browser.cookies.set("countersign_codec", cookie.partition("=")[2].partition(";")[0])
        shown = await asked(browser, Origin=UI)
        elsewhere = await asked(browser, Origin="https://elsewhere.example")
        nowhere = await asked(browser)
        other = await browser.get("/v1/session", headers={"Origin": UI})
        out = await browser.delete("/codec/session", headers={"Origin": server.url})
        after = await asked(browser, Origin=UI)

    assert signed.status_code == 204
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/codec"))
    assert "Secure" not in cookie
    assert (shown.status_code, shown.headers["Access-Control-Allow-Credentials"]) == (200, "true")
    assert base64.b64decode(shown.json()["payloads"][0]["data"]) == WORDS.data
    assert [each.status_code for each in (elsewhere, nowhere, other)] == [401, 401, 401]
    assert (out.status_code, after.status_code) == (204, 401)


async def test_over_tls_the_cookie_is_for_tls_alone_and_a_refused_sign_in_sets_none(server: Server) -> None:
    database = Database(server.database_url)
    person = await an_operator(database)
    await database.close()
    given = {"email": person.email, "password": PASSWORD, "code": person.code()}
    async with opened(server) as browser:
        refused = await browser.post("/codec/session", json={**given, "password": "another one, quite long"})
        signed = await browser.post("/codec/session", json=given, headers={"Origin": "https://api.example.com"})
        page = await browser.get("/codec/sign-in")
        script = await browser.get("/static/codec.js")

    assert (refused.status_code, refused.headers.get("Set-Cookie")) == (401, None)
    assert "Secure" in signed.headers["Set-Cookie"]
    assert (page.status_code, script.status_code) == (200, 200)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
