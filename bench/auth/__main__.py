"""`python -m bench.auth`: what authentication costs a request, and whether an unknown key looks like a wrong one.

Both are measured inside of one process, on the application itself and a SQLite file, without a socket, which would
cost more than what is looked for. What stands beside each other is measured in turns within one run.
"""

import argparse
import asyncio
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.auth.application import Front, front
from bench.auth.comparing import Comparison, compare

# What authentication may cost a request, in CPU.
_ALLOWED_US = 300.0
_TURN = 250
_KNOWN, _OPEN, _NOTHING = "/v1/limits", "/bench/limits", "nothing"


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.auth", description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000, help="authenticated ones, and as many without")
    parser.add_argument("--failures", type=int, default=2_000, help="unknown keys, and as many wrong secrets")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="countersign-auth-") as home:
        asyncio.run(_run(Path(home), options.requests, options.failures, random.Random(options.seed)))


async def _run(home: Path, requests: int, failures: int, rng: random.Random) -> None:
    async with front(home) as application:
        spent_us = await _cost_us(application, requests)
        comparison = await _failures(application, failures, rng)
    open_us = spent_us.pop(_NOTHING)
    print(f"CPU per request, {requests:,} each, in turns of {_TURN}:")
    print(f"  {'without':<20} {open_us:7.1f} µs  (the same route, no authentication)")
    for credential, each_us in spent_us.items():
        cost_us = each_us - open_us
        verdict = f"{'within' if cost_us <= _ALLOWED_US else 'OVER'} {_ALLOWED_US:.0f} µs"
        print(f"  {f'with {credential}':<20} {each_us:7.1f} µs: the cost {cost_us:.1f} µs ({verdict})")
    print(f"An unknown id beside a wrong secret, {failures:,} each, in random order:")
    print(comparison.told())


async def _cost_us(application: Front, requests: int) -> dict[str, float]:
    """Return the CPU of a request with each kind of credential, and of one without, in microseconds."""
    tokens = {f"a token ({name})": text for name, text in application.tokens.items()}
    credentials: dict[str, str | None] = {_NOTHING: None, "a key": application.key, **tokens}
    spent = dict.fromkeys(credentials, 0.0)
    for credential in credentials.values():
        await _turn(application, credential, _TURN)
    turns = max(1, requests // _TURN)
    for _ in range(turns):
        for name, credential in credentials.items():
            spent[name] += await _turn(application, credential, _TURN)
    return {name: each / (turns * _TURN) * 1e6 for name, each in spent.items()}


async def _turn(application: Front, credential: str | None, count: int) -> float:
    path = _OPEN if credential is None else _KNOWN
    began = time.process_time()
    for _ in range(count):
        status = await application.get(path, key=credential)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}")
    return time.process_time() - began


async def _failures(application: Front, count: int, rng: random.Random) -> Comparison:
    """Return how long refusals take: of ids that nobody has, and of secrets that are not the id's."""
    kinds = ["unknown", "wrong"] * count
    rng.shuffle(kinds)
    took: dict[str, list[float]] = {"unknown": [], "wrong": []}
    for kind in kinds:
        key = application.unknown_key() if kind == "unknown" else application.wrong_key()
        began = time.perf_counter()
        status = await application.get(_KNOWN, key=key)
        took[kind].append((time.perf_counter() - began) * 1e6)
        if status != 401:
            raise RuntimeError(f"a key that is not ours was answered {status}")
    return compare(took["unknown"], took["wrong"])


if __name__ == "__main__":
    main()
