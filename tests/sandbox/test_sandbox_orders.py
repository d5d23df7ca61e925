"""Which order applies to a message: the explicit ones, their count, and the magic numbers."""

import asyncio
from collections import Counter

import httpx2
import pytest

from domain.ids import attempt_id, new_id
from domain.sandbox import BehaviourView, SandboxBehaviour
from domain.statuses import SubmissionStatus
from sandbox.magic import magic_behaviour
from tests.sandbox.serving import RunningSandbox, a_message

B = SandboxBehaviour
BOTH = ("alpha", "bravo")
ALL = ("alpha", "bravo", "charlie", "delta")

# last two digits, behaviour, the carriers that show it
MAGIC = [
    ("87", B.LATE_RECEIPT, ("alpha",)),
    ("88", B.DUPLICATE_RECEIPTS, ("alpha",)),
    ("89", B.NO_RECEIPT, ("alpha",)),
    ("90", B.ACCEPT_THEN_HANG, ("alpha",)),
    ("91", B.REFUSE, ("alpha",)),
    ("92", B.REFUSE, BOTH),
    ("93", B.REFUSE, ALL),
    ("94", B.THROTTLE, ("alpha",)),
    ("95", B.UNREACHABLE, ("alpha",)),
    ("96", B.HANG, ("alpha",)),
    ("97", B.LOSE, ("alpha",)),
    ("98", B.UNDELIVERED, ("alpha",)),
    ("99", B.REFUSE_RECIPIENT, ALL),
]


@pytest.mark.parametrize(("digits", "behaviour", "carriers"), MAGIC)
def test_a_magic_number_directs_its_carriers_and_no_other(
    digits: str,
    behaviour: SandboxBehaviour,
    carriers: tuple[str, ...],
) -> None:
    for carrier in ALL:
        expected = behaviour if carrier in carriers else B.ACCEPT
        assert magic_behaviour(carrier=carrier, to=f"+4477009000{digits}") is expected
        assert magic_behaviour(carrier=carrier, to=f"+4477009009{digits}") is expected


@pytest.mark.parametrize("to", ["+447700900086", "+447700900000", "+447700901093", "+4477009009", "+12015550193"])
def test_every_other_number_accepts(to: str) -> None:
    assert {magic_behaviour(carrier=carrier, to=to) for carrier in ALL} == {B.ACCEPT}


async def test_a_magic_number_needs_no_set_up(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    to = "+447700900191"

    assert (await sandbox.carrier(client, name="alpha").submit(a_message(to=to))).carrier_code == "refused"
    assert (await sandbox.carrier(client, name="bravo").submit(a_message(to=to))).status is SubmissionStatus.ACCEPTED


async def test_an_order_wins_over_a_magic_number(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    await sandbox.control(client).set_behaviour("alpha", behaviour=B.ACCEPT)

    answer = await sandbox.carrier(client).submit(a_message(to="+447700900091"))

    assert answer.status is SubmissionStatus.ACCEPTED


async def test_an_order_for_a_number_wins_over_the_carriers(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    control, carrier = sandbox.control(client), sandbox.carrier(client)
    await control.set_behaviour("alpha", behaviour=B.REFUSE)
    await control.set_behaviour("alpha", behaviour=B.THROTTLE, to="+447700900003", times=1)

    codes = [(await carrier.submit(a_message(to="+447700900003"))).carrier_code for _ in range(2)]
    other = await sandbox.carrier(client, name="bravo").submit(a_message(to="+447700900003"))

    assert codes == ["throttled", "refused"]
    assert other.status is SubmissionStatus.ACCEPTED


async def test_times_is_exact_under_twenty_messages_at_once(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    control, carrier = sandbox.control(client), sandbox.carrier(client)
    messages = [a_message(to="+447700900004") for _ in range(20)]
    await control.set_behaviour("alpha", behaviour=B.REFUSE, times=7)

    answers = await asyncio.gather(*(carrier.submit(message) for message in messages))

    assert Counter(answer.status for answer in answers) == {SubmissionStatus.REJECTED: 7, SubmissionStatus.ACCEPTED: 13}
    assert await control.behaviours() == []
    entered = Counter(entry.attempt_id for entry in await control.ledger() if entry.to == "+447700900004")
    assert entered == {attempt_id(message.attempt_id): 1 for message in messages}


async def test_a_message_handed_over_twice_is_entered_twice(
    sandbox: RunningSandbox,
    client: httpx2.AsyncClient,
) -> None:
    message = a_message()
    for _ in range(2):
        await sandbox.carrier(client).submit(message)

    entries = [entry.attempt_id for entry in await sandbox.control(client).ledger()]

    assert entries.count(attempt_id(message.attempt_id)) == 2


async def test_orders_are_listed_replaced_and_taken_back(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    control, to = sandbox.control(client), "+447700900005"
    await control.set_behaviour("bravo", behaviour=B.LOSE)
    general = await control.set_behaviour("bravo", behaviour=B.HANG, latency_ms=20, times=3)
    special = await control.set_behaviour("bravo", behaviour=B.REFUSE, to=to)

    assert general == BehaviourView(carrier="bravo", behaviour=B.HANG, latency_ms=20, times=3)
    assert await control.behaviours() == [general, special]

    await control.reset("bravo", to=to)
    assert await control.behaviours() == [general]

    await control.set_behaviour("bravo", behaviour=B.REFUSE, to=to)
    await control.reset("bravo")
    assert await control.behaviours() == []


async def test_an_accounts_orders_are_not_seen_met_or_taken_back_by_another(
    sandbox: RunningSandbox, client: httpx2.AsyncClient
) -> None:
    control, carrier, to = sandbox.control(client), sandbox.carrier(client), "+447700900006"
    mine, theirs = new_id(), new_id()
    special = await control.set_behaviour("alpha", behaviour=B.REFUSE, to=to, account=mine)
    general = await control.set_behaviour("alpha", behaviour=B.THROTTLE, account=mine)

    assert await control.behaviours(account=theirs) == await control.behaviours() == []
    await control.reset("alpha", account=theirs)
    await control.reset("alpha", to=to, account=theirs)
    await control.reset("alpha")
    await control.set_behaviour("alpha", behaviour=B.ACCEPT, to=to, account=theirs)

    answers = [await carrier.submit(a_message(to=to, account=each)) for each in (mine, theirs)]
    assert [each.carrier_code for each in answers] == ["refused", None]
    assert await control.behaviours(account=mine) == [general, special]


async def test_an_accounts_order_wins_over_everybodys(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> None:
    control, carrier, to = sandbox.control(client), sandbox.carrier(client), "+447700900007"
    mine, theirs = new_id(), new_id()
    await control.set_behaviour("alpha", behaviour=B.REFUSE, to=to)
    await control.set_behaviour("alpha", behaviour=B.THROTTLE, account=mine)

    answers = [await carrier.submit(a_message(to=to, account=each)) for each in (mine, theirs)]

    assert [each.carrier_code for each in answers] == ["throttled", "refused"]
