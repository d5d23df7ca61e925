"""The demonstration: one verification whose first carrier refuses, told as a timeline."""

import asyncio
import re
from datetime import datetime
from typing import Any

import httpx2

# GB test numbers that end in 91: the first carrier refuses them (`docs/sandbox.md`). Several, because a number may not
# be written to more than once in thirty seconds, and this may be run again sooner.
NUMBERS = tuple(f"+447700900{hundreds}91" for hundreds in range(10))
_CODE = re.compile(r"\b[0-9]{6}\b")
_PATIENCE_S = 10.0
_CREATED, _TOO_MANY = 201, 429


class DemoFailedError(RuntimeError):
    """The demonstration did not end as it should; the sentence says where."""


async def demonstrate(client: httpx2.AsyncClient) -> list[str]:
    """Run one verification through a refusal and a fail-over, check its code, and return its timeline.

    Raises:
        DemoFailedError: some step did not answer as it should.

    """
    number, started = await _start(client)
    code = await _read_code(client, number, started["id"])
    answer = await client.post(f"/v1/verifications/{started['id']}/checks", json={"code": code})
    if answer.json().get("status") != "approved":
        raise DemoFailedError(f"the code was not approved: {answer.text}")
    return _timeline(answer.json()["verification"])


async def _start(client: httpx2.AsyncClient) -> tuple[str, Any]:
    for number in NUMBERS:
        answer = await client.post("/v1/verifications", json={"to": number, "brand": "ACME", "reference": "demo"})
        if answer.status_code == _CREATED:
            return number, answer.json()
        if answer.status_code != _TOO_MANY:
            raise DemoFailedError(f"the start answered {answer.status_code}: {answer.text}")
    raise DemoFailedError("every demonstration number has had as many messages as it may for now")


async def _read_code(client: httpx2.AsyncClient, number: str, verification_id: str) -> str:
    """Read the code off the outbox: of this verification's own attempts, as earlier messages lie there for an hour."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while asyncio.get_running_loop().time() < deadline:
        verification = (await client.get(f"/v1/verifications/{verification_id}")).json()
        own = {attempt["id"] for attempt in verification["attempts"]}
        outbox = (await client.get("/v1/sandbox/messages", params={"to": number})).json()
        for message in outbox.get("messages", []):
            if message["attempt_id"] in own and (found := _CODE.search(message["text"])):
                return found[0]
        await asyncio.sleep(0.05)
    raise DemoFailedError(f"no message arrived within {_PATIENCE_S:.0f} s")


def _timeline(verification: dict[str, Any]) -> list[str]:
    start = _moment(verification["created_at"])
    rows = [(start, f"verification of {verification['to']} started")]
    for attempt in verification["attempts"]:
        who = f"{attempt['carrier']} (pool {attempt['pool_country']}, sender {attempt['sender']})"
        rows.append((_moment(attempt["planned_at"]), f"{who} chosen: {attempt['reason']}"))
        if attempt["answered_at"]:
            failure = f": {attempt['failure_class']}" if attempt["failure_class"] else ""
            answered = "accepted" if attempt["status"] == "delivered" else attempt["status"]
            rows.append((_moment(attempt["answered_at"]), f"{attempt['carrier']} answered {answered}{failure}"))
        if attempt["receipt_at"]:
            rows.append((_moment(attempt["receipt_at"]), f"{attempt['carrier']} reported {attempt['receipt']}"))
    rows.append((_moment(verification["finished_at"]), f"code checked: {verification['status']}"))
    return [f"{(at - start).total_seconds() * 1000:7.0f} ms  {what}" for at, what in sorted(rows)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
