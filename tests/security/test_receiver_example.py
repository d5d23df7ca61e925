"""The receiver in the documentation, run as it is printed, takes what is signed and refuses everything else."""

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.targets import Answered, Failed, TargetAnswer, TargetFailure
from rules.webhooks.targets import TargetPolicy
from security.targets import GuardedTargets
from security.webhook_signatures import new_private_key, new_secret, signed_headers
from tests.architecture.code_rules import ROOT

BODY = b'{"type":"verification.approved","data":{}}'
OLD, NEW = new_secret(), new_secret()


def example() -> str:
    """Return the program that the documentation prints."""
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(program)


@asynccontextmanager
async def receiving(secret: str, *, told: Path) -> AsyncIterator[str]:
    """Run the program, which prints into a file; yield its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    with told.open("wb") as file:
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", example(), env=environment, stdout=file)
    try:
        yield f"http://127.0.0.1:{port}/hooks"
    finally:
        program.kill()
        await program.wait()


async def posted(targets: GuardedTargets, url: str, *, headers: dict[str, str], body: bytes = BODY) -> TargetAnswer:
    """Post to the program, which may still be starting."""
    deadline = time.monotonic() + 30
    while True:
        answer = await targets.post(url, body=body, headers=headers)
        if not (isinstance(answer, Failed) and answer.kind is TargetFailure.NOT_CONNECTED):
            return answer
        assert time.monotonic() < deadline, "the program never listened"
        await asyncio.sleep(0.05)


def headers_of(*keys: str, message_id: str = "evt_1", shift_s: int = 0) -> dict[str, str]:
    return signed_headers(keys, message_id=message_id, timestamp=int(time.time()) + shift_s, body=BODY)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in headers_of(NEW).items() if key != name}


@pytest.mark.parametrize("secret", [OLD, NEW], ids=["old secret", "new secret"])
async def test_the_printed_receiver_takes_and_refuses(secret: str, tmp_path: Path) -> None:
    good = headers_of(NEW, OLD, new_private_key())
    unknown = {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v9,")}
    bad = {
        "old": (headers_of(secret, shift_s=-301), BODY),
        "of the future": (headers_of(secret, shift_s=310), BODY),
        "another secret": (headers_of(new_secret()), BODY),
        "a changed body": (good, BODY.replace(b"approved", b"canceled")),
        "another id": ({**good, "webhook-id": "evt_2"}, BODY),
        "an unknown version": (unknown, BODY),
        "a signature of no form": ({**good, "webhook-signature": "v1 v1,x ,"}, BODY),
        **{f"no {name}": (without(name), BODY) for name in good},
    }
    targets = GuardedTargets(policy=TargetPolicy(is_loopback_allowed=True))
    async with receiving(secret, told=tmp_path / "told") as url:
        taken = [await posted(targets, url, headers=good) for _ in range(3)]
        refused = {name: await posted(targets, url, headers=spoilt, body=body) for name, (spoilt, body) in bad.items()}
        await targets.aclose()

    assert [each.status for each in taken if isinstance(each, Answered)] == [204, 204, 204]
    assert {name: each for name, each in refused.items() if not isinstance(each, Answered) or each.status != 400} == {}
    assert (tmp_path / "told").read_bytes() == b"verification.approved\n"
