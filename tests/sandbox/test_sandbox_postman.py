"""Receipts reach their receiver: through its failures, through restarts, and no more often than needed."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2

from domain.statuses import SubmissionStatus
from sandbox.receipts import GIVE_UP_S
from tests.sandbox.serving import Receiver, RunningSandbox, a_message, eventually, running_sandbox


def queue_is_empty(file: Path) -> Callable[[], bool]:
    def is_empty() -> bool:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute("SELECT number FROM due_receipt").fetchone() is None

    return is_empty


async def test_a_receipt_is_posted_again_until_it_is_taken(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message()
    receiver.statuses[:] = [503, 500]

    await sandbox.carrier(client).submit(message)
    await eventually(queue_is_empty(sandbox.file))

    posts = receiver.posts_about(message)
    assert len(posts) == 3
    assert len({post.body for post in posts}) == 1


async def test_a_receipt_that_is_refused_is_not_posted_again(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message()
    receiver.statuses[:] = [401]

    await sandbox.carrier(client).submit(message)
    await eventually(queue_is_empty(sandbox.file))

    assert len(receiver.posts_about(message)) == 1


async def test_a_receipt_survives_a_restart(tmp_path: Path, receiver: Receiver, client: httpx2.AsyncClient) -> None:
    message, file = a_message(), tmp_path / "sandbox.db"
    with running_sandbox(file, receipt_url="http://127.0.0.1:9/receipts") as first:
        answer = await first.carrier(client).submit(message)
    assert answer.status is SubmissionStatus.ACCEPTED
    assert not queue_is_empty(file)()

    with running_sandbox(file, receipt_url=receiver.url) as second:
        second.clock.ahead_s = 10
        await eventually(lambda: len(receiver.posts_about(message)) == 1)
        assert await second.control(client).messages(message.to) != []


async def test_a_receipt_nobody_takes_is_given_up(tmp_path: Path, client: httpx2.AsyncClient) -> None:
    file = tmp_path / "sandbox.db"
    with running_sandbox(file, receipt_url="http://127.0.0.1:9/receipts") as sandbox:
        await sandbox.carrier(client).submit(a_message())
        assert not queue_is_empty(file)()

        sandbox.clock.ahead_s = GIVE_UP_S + 1

        await eventually(queue_is_empty(file))
