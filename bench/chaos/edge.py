"""F20 and F21: connections that stall, and requests made to be expensive; others do not notice, memory neither."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from api.server import room_for
from bench.chaos.checker import broken_promises
from bench.chaos.evidence import gather_evidence
from bench.chaos.hostile import FORMS, Form
from bench.chaos.installation import Installation
from bench.chaos.verdict import Plan, Verdict

_TTL_S = 600
_CUT_OFF_S = 15.0
_MOST_MIB = 20.0
_AT_ONCE = 4
_HALF_A_HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Half: "
_HALF_A_BODY = (
    b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
)


async def stalled_sockets(site: Installation, plan: Plan) -> Verdict:
    """F20: measure checks with and without stalled connections beside them, in turn on one API process."""
    heads, bodies = plan.size(short=300, long=1_000), plan.size(short=60, long=200)
    rounds, checks = plan.size(short=1, long=5), plan.size(short=100, long=1_000)
    # This process holds the other ends.
    room_for(2 * (heads + bodies))
    verification, code = await _approved(site)
    alone: list[float] = []
    beside: list[float] = []
    cut_off: list[float] = []
    for turn in range(rounds):
        alone += await _checks(site, verification, code, count=checks)
        stalled = [asyncio.create_task(_stall(site, _HALF_A_HEAD)) for _ in range(heads)]
        half = _HALF_A_BODY + f'Authorization: Bearer {site.client.key}\r\n\r\n{{"to'.encode()
        stalled += [asyncio.create_task(_stall(site, half)) for _ in range(bodies)]
        await asyncio.sleep(0.5)
        beside += await _checks(site, verification, code, count=checks)
        cut_off += await asyncio.gather(*stalled)
        plan.say(f"round {turn + 1}")
    without, during = _p99_ms(alone), _p99_ms(beside)
    problems = broken_promises(await gather_evidence(site))
    # A short run shares two cores with other tests: it reports how others fared, and only a long one judges.
    if not plan.is_short and during > 2 * without:
        problems.append(f"others' p99 rose from {without:.0f} to {during:.0f} ms")
    if max(cut_off) > _CUT_OFF_S:
        problems.append(f"a stalled connection lived {max(cut_off):.1f} s")
    return Verdict(
        fault="F20",
        database=site.kind,
        done=f"{rounds} times {checks} checks alone, and beside {heads} stalled heads and {bodies} stalled bodies",
        counts={
            "p99_ms": round(without),
            "p99_ms_beside": round(during),
            "cut_off_first_s": round(min(cut_off), 1),
            "cut_off_last_s": round(max(cut_off), 1),
        },
        problems=problems,
    )


async def hostile_requests(site: Installation, plan: Plan) -> Verdict:
    """F21: send each form again and again, several at once, and look at the most memory the process ever had."""
    times, pid = plan.size(short=8, long=100), site.apis[0].pid or 0
    await asyncio.gather(*(_livez(site) for _ in range(50)))
    before = _status(pid)["VmRSS"]
    _forget_peak(pid)
    problems: list[str] = []
    answered: Counter[str] = Counter()
    for form in FORMS:
        room = asyncio.Semaphore(_AT_ONCE)
        told = await asyncio.gather(*(_send(site, form, room) for _ in range(times)))
        answered.update(str(each) for each in told)
        problems += [f"{form.name} was answered {each}" for each in set(told) - form.expected]
        plan.say(form.name)
    grown = (_status(pid)["VmHWM"] - before) / 1024
    if grown > _MOST_MIB:
        problems.append(f"memory rose by {grown:.0f} MiB")
    if not await _livez(site) or site.apis[0].pid != pid:
        problems.append("the process does not answer any more")
    return Verdict(
        fault="F21",
        database=site.kind,
        done=f"{len(FORMS)} forms, {times} times each, {_AT_ONCE} at once",
        counts={**answered, "before_mib": round(before / 1024), "most_grown_mib": round(grown, 1)},
        problems=problems + broken_promises(await gather_evidence(site)),
    )


async def _approved(site: Installation) -> tuple[str, str]:
    """Return a verification that is approved and its code, which is right again and again while it lives."""
    number = site.numbers.of_gb_pool()
    begun = await site.client.start(number, ttl_s=_TTL_S)
    code = (await site.inbox.codes(number, within_s=30))[0]
    await site.client.check(begun.verification, code)
    return begun.verification, code


async def _checks(site: Installation, verification: str, code: str, *, count: int) -> list[float]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one() -> float:
        async with room:
            return (await site.client.check(verification, code, via=0)).took_s

    return await asyncio.gather(*(one() for _ in range(count)))


async def _connect(site: Installation) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    there = urlsplit(site.programs.launch.api)
    return await asyncio.open_connection(there.hostname, there.port)


async def _stall(site: Installation, half: bytes) -> float:
    """Send half of something, and return after how many seconds the other side had enough."""
    clock = asyncio.get_running_loop().time
    reader, writer = await _connect(site)
    began = clock()
    try:
        writer.write(half)
        while await reader.read(4_096):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()
    return clock() - began


async def _send(site: Installation, form: Form, room: asyncio.Semaphore) -> int | None:
    """Send one request, and return the status of its answer; None when the connection just ended."""
    async with room:
        reader, writer = await _connect(site)
        hearing = asyncio.create_task(_first_line(reader))
        try:
            for part in form.parts(site.client.key):
                if hearing.done():
                    break
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass
        line = await hearing
        writer.transport.abort()
        return int(line.split()[1]) if line else None


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def _livez(site: Installation) -> bool:
    reader, writer = await _connect(site)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    line = await _first_line(reader)
    writer.close()
    return b" 200 " in line


def _p99_ms(took_s: list[float]) -> float:
    return sorted(took_s)[len(took_s) * 99 // 100] * 1000


def _status(pid: int) -> Mapping[str, int]:
    """Return what Linux knows of a process's memory, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest}


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
