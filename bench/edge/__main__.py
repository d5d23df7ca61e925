"""`python -m bench.edge`: what a request costs behind the guarded protocol, beside plain uvicorn in the same run.

Two API processes on one installation, alike but for how they are served, asked in turn in short rounds. CPU time of the
process for each request is what counts; requests a second depend on what else the machine does.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import httpx2
import psutil

from bench.chaos.installation import SPARE, Installation, installation
from bench.chaos.part import Command, Part
from cli.launch import Launch
from cli.waiting import api_is_ready, until

_CLIENTS = 8
_OPTIONS = ("--no-access-log", "--no-proxy-headers", "--no-server-header", "--log-level", "warning")
_LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: requests a second, and microseconds of CPU for each."""

    per_s: float
    cpu_us: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=4_000, help="of /livez in a round; a quarter as many checks")
    options = parser.parse_args()
    asyncio.run(_run(rounds=options.rounds, requests=options.requests))
    return 0


async def _run(*, rounds: int, requests: int) -> None:
    async with installation("sqlite", seed=1) as site:
        plain = await _plain(site)
        try:
            check = await _a_check(site)
            ports = {"plain uvicorn": (plain.pid or 0, site.port(SPARE[0])), "guarded": _guarded(site)}
            for name, request, count in (("/livez", _LIVEZ, requests), ("a check", check, requests // 4)):
                _report(name, await _in_turn(ports, request, rounds=rounds, count=count))
        finally:
            await plain.stop()


def _guarded(site: Installation) -> tuple[int, int]:
    return site.apis[0].pid or 0, site.settings.port


async def _plain(site: Installation) -> Part:
    """Start an API process served as before: uvicorn's own protocol, with the options that the product gave it."""
    port = site.port(SPARE[0])
    launch: Launch = site.programs.launch
    child = replace(launch, settings=launch.settings.model_copy(update={"port": port})).api_server()
    options = ["--port", str(port), *_OPTIONS]
    child.command = [sys.executable, "-m", "uvicorn", "--factory", "api.main:create", *options]
    child.name, child.log = "plain", child.log.with_name("plain.log")
    child.environment = {**child.environment, **site.programs.environment}

    async def answers(_: str) -> bool:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            return await api_is_ready(http)

    part = Part(Command(child), answers=answers)
    await part.start()
    return part


async def _a_check(site: Installation) -> bytes:
    """Return a check of a right code as bytes; it is answered as right again and again while the code lives."""
    number = site.numbers.of_gb_pool()
    begun = await site.client.start(number, ttl_s=600)
    code = (await site.inbox.codes(number, within_s=30))[0]
    await until(lambda: _is_done(site, begun.verification, code), what="the check", within_s=10)
    body = f'{{"code":"{code}"}}'.encode()
    return (
        f"POST /v1/verifications/{begun.verification}/checks HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {site.client.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _is_done(site: Installation, verification: str, code: str) -> bool:
    return (await site.client.check(verification, code)).is_done


async def _in_turn(
    ports: Mapping[str, tuple[int, int]], request: bytes, *, rounds: int, count: int
) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in ports}
    for turn in range(rounds + 1):
        for name, (pid, port) in ports.items():
            done = await _round(pid, port, request, count=count)
            # The first one warms both up.
            if turn:
                found[name].append(done)
    return found


async def _round(pid: int, port: int, request: bytes, *, count: int) -> Round:
    process = psutil.Process(pid)
    used, began = process.cpu_times(), time.perf_counter()
    await asyncio.gather(*(_client(port, request, count=count // _CLIENTS) for _ in range(_CLIENTS)))
    took, now = time.perf_counter() - began, process.cpu_times()
    cpu_s = now.user + now.system - used.user - used.system
    return Round(per_s=count / took, cpu_us=cpu_s / count * 1e6)


async def _client(port: int, request: bytes, *, count: int) -> None:
    """Ask one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:15]:
            raise RuntimeError(head.decode())
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()


def _report(what: str, found: Mapping[str, Sequence[Round]]) -> None:
    cpu = {name: statistics.median(each.cpu_us for each in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        per_s = statistics.median(each.per_s for each in rounds)
        print(f"{what:<8} {name:<14} {per_s:7.0f} /s   {cpu[name]:7.1f} us of CPU each", flush=True)
    plain, guarded = cpu.values()
    pairs = [b.cpu_us / a.cpu_us - 1 for a, b in zip(*found.values(), strict=True)]
    low, _, high = statistics.quantiles(pairs, n=4)
    print(f"{what:<8} guarded costs {guarded / plain - 1:+.1%} CPU by the medians", flush=True)
    print(f"{what:<8} {len(pairs)} pairs: median {statistics.median(pairs):+.1%}, quartiles {low:+.1%} and {high:+.1%}")


if __name__ == "__main__":
    main()
