"""Each behaviour, as the adapter, the handset and the receiver of receipts see it."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import httpx2
import pytest

from carriers.protocol import Message
from carriers.sandbox import SandboxReceipts
from domain.ids import attempt_id
from domain.sandbox import SandboxBehaviour
from domain.statuses import FailureClass, ReceiptStatus, SubmissionStatus
from sandbox.behaviours import EFFECTS, LATE_S
from tests.sandbox.serving import SECRET, Receiver, RunningSandbox, a_message, eventually, in_the_ledger

B, S, F = SandboxBehaviour, SubmissionStatus, FailureClass


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What can be seen of a behaviour: the adapter's word, messages on the handset, receipts."""

    behaviour: SandboxBehaviour
    status: SubmissionStatus
    failure: FailureClass | None = None
    messages: int = 0
    receipts: int = 0


SEEN = [
    Seen(behaviour=B.ACCEPT, status=S.ACCEPTED, messages=1, receipts=1),
    Seen(behaviour=B.REFUSE, status=S.REJECTED, failure=F.ROUTE_TEMPORARY),
    Seen(behaviour=B.REFUSE_RECIPIENT, status=S.REJECTED, failure=F.RECIPIENT_PERMANENT),
    Seen(behaviour=B.THROTTLE, status=S.THROTTLED, failure=F.THROTTLED),
    Seen(behaviour=B.UNREACHABLE, status=S.REJECTED, failure=F.ROUTE_TEMPORARY),
    Seen(behaviour=B.HANG, status=S.UNKNOWN, failure=F.UNKNOWN),
    Seen(behaviour=B.ACCEPT_THEN_HANG, status=S.UNKNOWN, failure=F.UNKNOWN, messages=1, receipts=1),
    Seen(behaviour=B.LOSE, status=S.ACCEPTED),
    Seen(behaviour=B.UNDELIVERED, status=S.ACCEPTED, receipts=1),
    Seen(behaviour=B.NO_RECEIPT, status=S.ACCEPTED, messages=1),
    Seen(behaviour=B.DUPLICATE_RECEIPTS, status=S.ACCEPTED, messages=1, receipts=5),
]


def queued(sandbox: RunningSandbox, message: Message) -> list[float]:
    """When the receipts about a message that are not posted yet are due."""
    reference = f"%{attempt_id(message.attempt_id)}%"
    with closing(sqlite3.connect(sandbox.file)) as connection:
        rows = connection.execute("SELECT due_at FROM due_receipt WHERE body LIKE ?", (reference,)).fetchall()
    return [row[0] for row in rows]


def test_every_behaviour_has_an_effect() -> None:
    assert set(EFFECTS) == set(SandboxBehaviour)
    assert {seen.behaviour for seen in SEEN} == set(SandboxBehaviour) - {B.LATE_RECEIPT}


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen.behaviour)
async def test_a_behaviour_does_what_it_says(
    seen: Seen,
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    control, message = sandbox.control(client), a_message(to="+447700900002")
    await control.set_behaviour("alpha", behaviour=seen.behaviour)

    answer = await sandbox.carrier(client, timeout_s=0.3).submit(message)

    assert (answer.status, answer.failure_class) == (seen.status, seen.failure)
    reference = attempt_id(message.attempt_id)
    assert [m.attempt_id for m in await control.messages(message.to)].count(reference) == seen.messages
    await eventually(lambda: len(receiver.posts_about(message)) == seen.receipts and not queued(sandbox, message))
    entry = (await control.ledger())[-1]
    assert (entry.attempt_id, entry.carrier, entry.to) == (reference, "alpha", message.to)
    assert (entry.behaviour, entry.verdict) == (seen.behaviour, EFFECTS[seen.behaviour].verdict)


async def test_a_delivered_receipt_is_signed_for_the_adapter(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message()
    await sandbox.carrier(client, name="bravo").submit(message)
    await eventually(lambda: bool(receiver.posts_about(message)))

    post = receiver.posts_about(message)[0]
    notice = SandboxReceipts(secret=SECRET).read(body=post.body, headers=post.headers)

    assert post.carrier == "bravo"
    assert notice is not None
    assert (notice.attempt_id, notice.status, notice.failure_class) == (
        message.attempt_id,
        ReceiptStatus.DELIVERED,
        None,
    )


async def test_an_undelivered_receipt_says_why(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message(to="+447700900098")
    await sandbox.carrier(client).submit(message)
    await eventually(lambda: bool(receiver.posts_about(message)))

    post = receiver.posts_about(message)[0]
    notice = SandboxReceipts(secret=SECRET).read(body=post.body, headers=post.headers)

    assert notice is not None
    assert (notice.status, notice.failure_class) == (ReceiptStatus.UNDELIVERED, FailureClass.RECIPIENT_TEMPORARY)
    assert notice.carrier_code == "absent_subscriber"


async def test_duplicate_receipts_share_one_event(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message(to="+447700900088")
    await sandbox.carrier(client).submit(message)

    await eventually(lambda: len(receiver.posts_about(message)) == 5)

    assert len({post.said["event_id"] for post in receiver.posts_about(message)}) == 1


async def test_a_late_receipt_waits_for_its_minute(
    sandbox: RunningSandbox,
    receiver: Receiver,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message(to="+447700900087")
    before = sandbox.clock()
    answer = await sandbox.carrier(client).submit(message)
    after = sandbox.clock()

    (due_at,) = queued(sandbox, message)
    assert answer.status is SubmissionStatus.ACCEPTED
    assert before + LATE_S <= due_at <= after + LATE_S
    assert not receiver.posts_about(message)

    sandbox.clock.ahead_s += LATE_S + 1
    await eventually(lambda: len(receiver.posts_about(message)) == 1)


async def test_a_slow_carrier_answers_after_its_latency(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    await sandbox.control(client).set_behaviour("alpha", behaviour=B.ACCEPT, latency_ms=150)
    loop = asyncio.get_running_loop()

    started = loop.time()
    answer = await sandbox.carrier(client).submit(a_message())

    assert answer.status is SubmissionStatus.ACCEPTED
    assert loop.time() - started >= 0.15


async def test_a_submission_is_in_the_ledger_before_it_is_answered(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    control, message = sandbox.control(client), a_message(to="+447700900096")
    submitting = asyncio.create_task(sandbox.carrier(client, timeout_s=3).submit(message))

    await in_the_ledger(message, control=control)

    assert not submitting.done()
    submitting.cancel()
