"""Where a request came from, over a real socket: no form of any header gets past an allowlist."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from tests.api.serving import Api, Server, calling, opened, running_api
from tests.building import a_key

ALLOWED, OTHER = "203.0.113.7", "198.51.100.9"
XFF = "X-Forwarded-For"
# What comes from the proxy, whose address is trusted, as is 10.0.0.0/8; and whether the allowlist lets it in. The key
# may be used from ALLOWED only.
FORMS: dict[str, tuple[list[tuple[str, str]], bool]] = {
    "what the proxy saw": ([(XFF, ALLOWED)], True),
    "behind a second proxy of ours": ([(XFF, f"{ALLOWED}, 10.0.0.2")], True),
    "in the last of several headers": ([(XFF, OTHER), (XFF, ALLOWED)], True),
    "with a port": ([(XFF, f"{ALLOWED}:4711")], True),
    "mapped into IPv6": ([(XFF, f"::ffff:{ALLOWED}")], True),
    "mapped, in brackets, with a port": ([(XFF, f"[::ffff:{ALLOWED}]:443")], True),
    "with spaces and tabs": ([(XFF, f"  {OTHER} ,\t{ALLOWED}\t ")], True),
    "the left-most spoofed": ([(XFF, f"{ALLOWED}, {OTHER}")], False),
    "spoofed before a proxy of ours": ([(XFF, f"{ALLOWED}, {OTHER}, 10.0.0.2")], False),
    "spoofed in a header before": ([(XFF, ALLOWED), (XFF, OTHER)], False),
    "spoofed in other letters": ([("x-fOrWaRdEd-fOr", ALLOWED), (XFF, OTHER)], False),
    "spoofed twenty times": ([(XFF, ", ".join([ALLOWED] * 20 + [OTHER]))], False),
    "garbage at the right": ([(XFF, f"{ALLOWED}, unknown")], False),
    "garbage with the address inside": ([(XFF, f"for={ALLOWED}")], False),
    "an empty hop at the right": ([(XFF, f"{ALLOWED},")], False),
    "an empty hop between": ([(XFF, f"{ALLOWED},,10.0.0.2")], False),
    "nothing but spaces": ([(XFF, "  ")], False),
    "proxies of ours only": ([(XFF, "10.0.0.2, 10.0.0.3")], False),
    "a longer chain than any": ([(XFF, ", ".join([ALLOWED] + ["10.0.0.2"] * 40))], False),
    "in quotes": ([(XFF, f'"{ALLOWED}"')], False),
    "leading zeros": ([(XFF, "203.0.113.007")], False),
    "as one number": ([(XFF, "3405803783")], False),
    "in hexadecimal": ([(XFF, "0xcb.0.0x71.7")], False),
    "too few parts": ([(XFF, "203.0.28935")], False),
    "a bracket left open": ([(XFF, f"[::ffff:{ALLOWED}")], False),
    "a bracket with something after it": ([(XFF, f"[::ffff:{ALLOWED}]x")], False),
    "IPv4 in brackets": ([(XFF, f"[{ALLOWED}]")], False),
    "a port that is none": ([(XFF, f"{ALLOWED}:http")], False),
    "a port left out": ([(XFF, f"{ALLOWED}:")], False),
    "a zone": ([(XFF, f"::ffff:{ALLOWED}%eth0")], True),
    "a network": ([(XFF, f"{ALLOWED}/32")], False),
    "the Forwarded header": ([("Forwarded", f"for={ALLOWED}")], False),
    "X-Real-IP": ([("X-Real-IP", ALLOWED)], False),
    "an underscore": ([("X_Forwarded_For", ALLOWED)], False),
    "no header": ([], False),
    "other headers": ([("X-Client-IP", ALLOWED), ("True-Client-IP", ALLOWED), ("CF-Connecting-IP", ALLOWED)], False),
}


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("proxied"), trusted_proxies="127.0.0.1, 10.0.0.0/8") as running:
        yield running


@pytest.fixture
async def proxied(behind_a_proxy: Server) -> AsyncIterator[Api]:
    async with calling(behind_a_proxy, allowlist=(f"{ALLOWED}/32",)) as called:
        yield called


async def status_of(api: Api, headers: list[tuple[str, str]]) -> int:
    """Return how a request with these headers, as they are written, is answered."""
    place = urlsplit(api.server.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = [("Host", "x"), ("Connection", "close"), ("Authorization", f"Bearer {api.key}"), *headers]
    written = "".join(f"{name}: {value}\r\n" for name, value in lines)
    writer.write(f"GET /v1/limits HTTP/1.1\r\n{written}\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), timeout=20)
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("form", FORMS)
async def test_what_a_header_says_opens_nothing_that_is_not_so(proxied: Api, form: str) -> None:
    headers, is_allowed = FORMS[form]

    assert await status_of(proxied, headers) == (200 if is_allowed else 403)


async def test_a_key_that_is_known_is_held_to_its_allowlist_as_one_that_is_not(proxied: Api) -> None:
    answers = [await status_of(proxied, [(XFF, each)]) for each in (ALLOWED, OTHER, ALLOWED, OTHER)]

    assert answers == [200, 403, 200, 403]


@pytest.mark.parametrize("form", FORMS)
async def test_without_proxies_of_ours_no_header_is_believed(api: Api, form: str) -> None:
    text, _ = await a_key(api.database, of=api.caller, allowlist=(f"{ALLOWED}/32",))
    api.key = text

    assert await status_of(api, FORMS[form][0]) == 403


async def test_who_is_refused_is_told_the_address_as_we_see_it(proxied: Api) -> None:
    answer = await proxied.client.get("/v1/limits", headers={XFF: OTHER})

    assert (answer.status_code, answer.json()["code"], answer.json()["address"]) == (403, "address-not-allowed", OTHER)


async def test_a_caller_can_read_its_address_as_we_see_it(proxied: Api, api: Api) -> None:
    assert (await proxied.client.get("/v1/me", headers={XFF: ALLOWED})).json()["address"] == ALLOWED
    assert (await api.client.get("/v1/me", headers={XFF: ALLOWED})).json()["address"] == "127.0.0.1"


async def test_a_wrong_secret_is_refused_the_same_whatever_the_allowlist(proxied: Api) -> None:
    wrong = proxied.key[:-1] + ("0" if proxied.key[-1] != "0" else "1")
    async with opened(proxied.server, headers={"Authorization": f"Bearer {wrong}"}) as stranger:
        answers = [await stranger.get("/v1/limits", headers={XFF: each}) for each in (ALLOWED, OTHER)]

    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}


@pytest.fixture(scope="module")
def throttling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("throttling")
    with running_api(home, trusted_proxies="127.0.0.1", failed_authentications_per_min=5) as running:
        yield running


async def test_the_sixth_wrong_credential_of_an_address_in_a_minute_is_asked_to_wait(throttling: Server) -> None:
    async with opened(throttling, headers={"Authorization": "Bearer x", XFF: OTHER}) as stranger:
        answers = [await stranger.get("/v1/limits") for _ in range(8)]

    assert [each.status_code for each in answers] == [401] * 5 + [429] * 3
    assert {each.json()["code"] for each in answers[5:]} == {"authentication-throttled"}
    assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in answers[5:])


async def test_wrong_clients_of_the_token_endpoint_are_counted_with_wrong_keys(throttling: Server) -> None:
    address = "192.0.2.77"
    form = {"grant_type": "client_credentials", "client_id": "00000000", "client_secret": "x"}
    async with opened(throttling, headers={XFF: address}) as stranger:
        keys = [await stranger.get("/v1/limits", headers={"Authorization": "Bearer x"}) for _ in range(3)]
        clients = [await stranger.post("/oauth2/token", data=form) for _ in range(4)]

    assert [each.status_code for each in keys] == [401] * 3
    assert [each.status_code for each in clients] == [401] * 2 + [429] * 2
    assert clients[-1].json()["code"] == "authentication-throttled"


async def test_other_addresses_and_right_credentials_go_on_and_reset_nothing(throttling: Server) -> None:
    async with calling(throttling) as api:
        told = Counter[int]()
        for _ in range(7):
            told[(await api.client.get("/v1/limits", headers={XFF: "192.0.2.1"})).status_code] += 1
            wrong = {"Authorization": "Bearer x", XFF: "192.0.2.1"}
            told[(await api.client.get("/v1/limits", headers=wrong)).status_code] += 1
        elsewhere = await api.client.get("/v1/limits", headers={"Authorization": "Bearer x", XFF: "192.0.2.2"})

    assert told == {200: 7, 401: 5, 429: 2}
    assert elsewhere.status_code == 401
