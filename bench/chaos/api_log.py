"""The API log: every request that a drill made and the answer it got, as JSON lines. Evidence, not a trace for people.

It holds codes and numbers of the sandbox, so it lies in the drill's own folder and goes with it.
"""

import json
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

_PATIENCE_S = 20.0
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. `status` is None when none came; `expected` are problems that are no surprise."""

    at: float
    took_s: float
    api: int
    method: str
    path: str
    sent: Mapping[str, Any] | None
    repeat_key: str | None
    expected: tuple[str, ...]
    status: int | None
    media: str
    answer: Mapping[str, Any]
    is_replay: bool = False

    @property
    def is_done(self) -> bool:
        """Say whether the API acknowledged it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_problem(self) -> bool:
        """Say whether the answer is a problem document."""
        return self.media == _PROBLEM and isinstance(self.answer.get("code"), str)

    @property
    def code(self) -> str:
        """Return the problem's code; nothing for any other answer."""
        return str(self.answer["code"]) if self.is_problem else ""

    @property
    def kind(self) -> str:
        """Return what was asked for: start, checks, resend, cancel, or read."""
        parts = self.path.strip("/").split("/")
        if self.method == "POST" and parts[:2] == ["v1", "verifications"]:
            return "start" if len(parts) == 2 else parts[-1]
        return "read"

    @property
    def verification(self) -> str:
        """Return the id of the verification that this is about, as far as it is known."""
        parts = self.path.strip("/").split("/")
        told = self.answer.get("id", "")
        return parts[2] if len(parts) > 2 else str(told)


class ApiLog:
    """Keeps exchanges in memory for the checker, and as JSON lines in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self.exchanges: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Keep one exchange."""
        self.exchanges.append(exchange)
        self._file.write(json.dumps(asdict(exchange)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ApiClient:
    """Asks one of several API processes, the first few in turn, and logs what came of it. It never tries twice."""

    def __init__(self, *, urls: list[str], in_turn: int, key: str, log: ApiLog) -> None:
        self.key = key
        self._in_turn = in_turn
        self._log = log
        self._turn = 0
        # Shorter than the 15 s after which the API closes an idle connection, so that none is used while it closes.
        limits = httpx2.Limits(max_connections=300, max_keepalive_connections=100, keepalive_expiry=2.0)
        self._clients = [
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=_PATIENCE_S, limits=limits) for url in urls
        ]

    async def call(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        method: str = "POST",
        repeat_key: str | None = None,
        via: int | None = None,
        expect: Collection[str] = (),
    ) -> Exchange:
        """Ask once; an answer that does not come is logged as one without a status."""
        self._turn += 1
        api = self._turn % self._in_turn if via is None else via
        headers = {"Authorization": f"Bearer {self.key}"}
        if repeat_key is not None:
            headers["Idempotency-Key"] = repeat_key
        at, started = time.time(), time.monotonic()
        answer: httpx2.Response | None = None
        with suppress(httpx2.HTTPError):
            answer = await self._clients[api].request(method, path, json=body, headers=headers)
        exchange = Exchange(
            at=at,
            took_s=time.monotonic() - started,
            api=api,
            method=method,
            path=path,
            sent=body,
            repeat_key=repeat_key,
            expected=tuple(expect),
            status=None if answer is None else answer.status_code,
            media="" if answer is None else answer.headers.get("content-type", "").partition(";")[0],
            answer={} if answer is None else _said(answer),
            is_replay=answer is not None and "Idempotency-Replayed" in answer.headers,
        )
        self._log.add(exchange)
        return exchange

    async def start(self, to: str, *, expect: Collection[str] = (), via: int | None = None, **more: Any) -> Exchange:
        """Start a verification."""
        return await self.call("/v1/verifications", {"to": to, **more}, via=via, expect=expect)

    async def check(
        self, verification: str, code: str, *, expect: Collection[str] = (), via: int | None = None
    ) -> Exchange:
        """Check a code."""
        return await self.call(f"/v1/verifications/{verification}/checks", {"code": code}, via=via, expect=expect)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()


def _said(answer: httpx2.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
