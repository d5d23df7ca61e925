"""F25: whatever a URL, a name or an answer says, no webhook is sent into this network.

On the network of these tests every address leads to one listener, so that it sees whatever is connected to anywhere.
The listener's last word is asked for with a connection of the test's own: what came before it has been seen by then.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from bench.webhooks.sink import HOST, Sink, redirect, sinking
from domain.targets import Answered, Failed, TargetAnswer, TargetFailure
from rules.webhooks.targets import TargetPolicy
from security.pinned import Judge
from security.targets import GuardedTargets, TargetLimits
from tests.security.network import Here, Names, certificates
from tests.security.special import SPECIAL, V4, literal, spellings, wrapped

PUBLIC, NAME = "93.184.216.34", "hooks.example.com"
# The listener of most tests never answers a TLS greeting, so a connection that is made ends by this.
QUICK = TargetLimits(total_s=1.0)
# Guards are off where a test shows that the listener would have seen.
OFF: Judge = lambda _: None  # noqa: E731
REFUSED = (TargetFailure.URL_REFUSED, TargetFailure.ADDRESS_REFUSED)
# Of the special addresses, those that a demonstration may send to.
_OWN = frozenset({"127.0.0.1", "127.255.255.254", "::1"})
LOOPBACK = ("127.0.0.1", "127.8.8.8", "0.0.0.0", "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]")


@dataclass(kw_only=True)
class Site:
    """A guarded instance on the network where every address is the listener."""

    sink: Sink
    network: Here
    targets: GuardedTargets

    async def post(self, url: str) -> TargetAnswer:
        return await self.targets.post(url, body=b"{}", headers={"webhook-id": "evt_1"})

    async def post_all(self, names: Iterable[str]) -> list[TargetAnswer]:
        """Post to many names at once."""
        return list(await asyncio.gather(*(self.post(f"https://{name}/") for name in names)))

    async def connects(self) -> int:
        """Return how many connections the listener saw, without the one that asks."""
        before = self.sink.connects
        _, writer = await asyncio.open_connection(HOST, self.sink.port)
        # ASYNC110 asks for an event, and the sink's count is all there is.
        while self.sink.connects == before:  # noqa: ASYNC110
            await asyncio.sleep(0)
        writer.close()
        return self.sink.connects - 1


@asynccontextmanager
async def site(
    answers: Mapping[str, Sequence[Sequence[str]]] | None = None, *, policy: TargetPolicy | None = None, **parts: Any
) -> AsyncIterator[Site]:
    async with sinking() as sink:
        network = Here(sink.port)
        more = {"limits": QUICK, **parts}
        targets = GuardedTargets(policy=policy, resolve=Names(answers=answers or {}), dial=network, **more)
        try:
            yield Site(sink=sink, network=network, targets=targets)
        finally:
            await targets.aclose()


def hosts() -> Iterator[str]:
    """Yield every special address as the host of a URL, in every spelling and wrapping."""
    yield from (literal(text) for text in SPECIAL)
    for text in V4:
        yield from spellings(text)
        yield from (f"[{each}]" for each in wrapped(text))


def tricks(host: str) -> Iterator[str]:
    """Yield URLs that one reader takes for the public name and another for the host behind it."""
    yield from (f"https://{NAME}@{host}/", f"https://{NAME}:443@{host}:443/", f"https://{NAME}%40{host}/")
    yield from (f"https://{host}#@{NAME}/", f"https://{host}\\@{NAME}/", f"https://{host}\\.{NAME}/")
    yield from (f"https://{NAME}\\@{host}/", f"https://{NAME} @{host}/", f"https://{NAME}#@{host}/")
    yield from (f"https:{host}/", f"https:/{host}/", f"https:///{host}/", f"https:\\\\{host}\\", f"//{host}/")
    yield from (f"http://{host}/", f"ftp://{host}/", f"gopher://{host}:443/_", f"file://{host}/etc/passwd")
    yield from (f"https://{host}:22/", f"https://{host}:443@{NAME}:443/", f" https://{host}/", f"https://{host}\t/")
    yield from (f"https://{host}\r\nhost: {NAME}/", f"https://{host}%00.{NAME}/", f"url:https://{host}/")


async def test_no_special_address_is_reached_as_the_host_of_a_url() -> None:
    async with site() as own:
        answers = [await own.post(f"https://{host}/") for host in hosts()]
        answers += [await own.post(f"https://{host}:8443/") for host in hosts()]

        assert {each.kind for each in answers if isinstance(each, Failed)} == {TargetFailure.URL_REFUSED}
        assert not [each for each in answers if isinstance(each, Answered)]
        assert await own.connects() == 0
    assert own.network.dialled == []


async def test_no_trick_with_user_names_slashes_and_schemes_reaches_one() -> None:
    async with site() as own:
        answers = [await own.post(url) for text in SPECIAL for url in tricks(literal(text))]

        assert not [each for each in answers if not isinstance(each, Failed) or each.kind not in REFUSED]
        assert await own.connects() == 0
    assert own.network.dialled == []


async def test_no_special_address_is_reached_by_a_name() -> None:
    every = [*map(ip_address, SPECIAL), *(each for text in V4 for each in wrapped(text))]
    names = {f"n{at}.example.com": [[str(address)]] for at, address in enumerate(every)}
    async with site(names) as own:
        answers = await own.post_all(names)

        assert [each.kind for each in answers if isinstance(each, Failed)] == [TargetFailure.ADDRESS_REFUSED] * len(
            every
        )
        assert await own.connects() == 0
    assert own.network.dialled == []


async def test_one_special_address_among_public_ones_spoils_the_name() -> None:
    names = {f"n{at}.example.com": [[PUBLIC, "8.8.8.8", text, "1.1.1.1"]] for at, text in enumerate(SPECIAL)}
    async with site(names) as own:
        answers = await own.post_all(names)

        assert {each.kind for each in answers if isinstance(each, Failed)} == {TargetFailure.ADDRESS_REFUSED}
        assert await own.connects() == 0
    assert own.network.dialled == []


async def test_a_name_that_is_rebound_is_connected_to_where_it_was_judged_or_not_at_all() -> None:
    names = {f"n{at}.example.com": [[PUBLIC], [text]] for at, text in enumerate(SPECIAL)}
    async with site(names) as own:
        first, second = await own.post_all(names), await own.post_all(names)

    # The sink speaks no TLS, so what was connected to at the right address is a failure of another kind.
    assert {each.kind for each in first if isinstance(each, Failed)} == {TargetFailure.TIMED_OUT}
    assert {each.kind for each in second if isinstance(each, Failed)} == {TargetFailure.ADDRESS_REFUSED}
    assert {host for host, _ in own.network.dialled} == {PUBLIC}
    assert len(own.network.dialled) == len(SPECIAL)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, tmp_path: Path) -> None:
    own = certificates(tmp_path, name=NAME)
    async with sinking(tls=own.server) as front, sinking() as inside:
        network = Here(front.port)
        names = Names(answers={NAME: [[PUBLIC]]})
        targets = GuardedTargets(resolve=names, dial=network, tls=own.trusting)
        for text in SPECIAL:
            for url in (f"http://{literal(text)}:{inside.port}/", f"//{literal(text)}/", f"https://{literal(text)}/"):
                front.reply = redirect(url, status=status)
                answer = await targets.post(f"https://{NAME}/", body=b"{}", headers={})
                assert isinstance(answer, Answered)
                assert answer.status == status
        await targets.aclose()

    assert network.dialled == [(PUBLIC, 443)]
    assert (front.connects, inside.connects) == (1, 0)


async def test_a_real_listener_on_this_machine_is_not_reached_through_the_real_network() -> None:
    async with sinking() as sink:
        policy = TargetPolicy(ports=frozenset({sink.port}))
        targets = GuardedTargets(policy=policy, limits=QUICK)
        answers = [
            await targets.post(f"{scheme}://{host}:{sink.port}/", body=b"{}", headers={})
            for scheme in ("http", "https")
            for host in (*LOOPBACK, *spellings("127.0.0.1"), "localtest.localhost", "127.0.0.1.", "localhost.")
        ]
        await targets.aclose()

        assert not [each for each in answers if not isinstance(each, Failed) or each.kind not in REFUSED]
        own = Site(sink=sink, network=Here(sink.port), targets=targets)
        assert await own.connects() == 0


async def test_a_demonstration_reaches_this_machine_and_still_nothing_else() -> None:
    names = {f"n{at}.example.com": [[text]] for at, text in enumerate(SPECIAL)}
    names["localhost"] = [["10.0.0.1"]]
    async with site(names, policy=TargetPolicy(is_loopback_allowed=True), limits=TargetLimits()) as own:
        answer = await own.post("http://localhost:9000/")
        refused = await own.post_all(name for name in names if name != "localhost")
        refused += [await own.post(f"http://{literal(text)}:9000/") for text in SPECIAL if text not in _OWN]

    assert isinstance(answer, Answered)
    assert not [each for each in refused if not isinstance(each, Failed) or each.kind not in REFUSED]
    assert own.network.dialled == [("127.0.0.1", 9000)]


async def test_with_the_guard_off_the_listener_sees_every_address_connected_to() -> None:
    names = {f"n{at}.example.com": [[text]] for at, text in enumerate(SPECIAL)}
    async with site(names, judge=OFF) as own:
        await own.post_all(names)

        assert await own.connects() == len(SPECIAL)
    assert sorted(host for host, _ in own.network.dialled) == sorted(str(ip_address(text)) for text in SPECIAL)


async def test_a_client_without_the_guard_reaches_this_machine_through_the_real_network() -> None:
    async with sinking() as sink, httpcore2.AsyncConnectionPool() as pool:
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            await pool.request("POST", f"http://{host}:{sink.port}/", content=b"{}")

    assert sink.connects == 3
