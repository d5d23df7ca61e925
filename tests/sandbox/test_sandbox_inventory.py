"""A sandbox carrier's numbers: found where they fit, one holder each, active later, given back, safe to ask again."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest

from carriers.inventory import (
    InventoryAwayError,
    NumberInventory,
    NumberTakenError,
    UnknownNumberError,
    Wanted,
)
from carriers.sandbox_inventory import SandboxInventory
from domain.ids import new_id
from domain.inventory import OrderStatus
from rules.routing.catalog import SenderType
from rules.routing.pools import pool_book_of
from runtime.settings import reference
from sandbox.inventory import RANGES, RESERVED_S, SLOW_AFTER_S
from tests.sandbox.serving import SECRET, RunningSandbox

_: type[NumberInventory] = SandboxInventory
GB_LONG = Wanted(country="GB", sender_type="long_code")


@pytest.fixture
async def alpha(sandbox: RunningSandbox, client: httpx2.AsyncClient) -> AsyncIterator[SandboxInventory]:
    yield inventory(sandbox, client)
    sandbox.clock.ahead_s = 0.0


def inventory(sandbox: RunningSandbox, client: httpx2.AsyncClient, *, name: str = "alpha") -> SandboxInventory:
    return SandboxInventory(name=name, base_url=sandbox.url, secret=SECRET, client=client)


async def a_free(numbers: SandboxInventory, *, last: str | None = None) -> str:
    """Return a free GB long code; `last` is one of the digits that it may end in."""
    offered = [each.sender for each in await numbers.search(GB_LONG)]
    fitting = [each for each in offered if (each[-1] in last if last else each[-1] not in "89")]
    return fitting[0]


async def test_what_is_found_fits_what_was_wanted(alpha: SandboxInventory) -> None:
    everything = await alpha.search(Wanted(country="US"))
    toll_free = await alpha.search(Wanted(country="US", sender_type="toll_free"))
    voice = await alpha.search(Wanted(country="US", capability="voice"))

    assert {each.country for each in everything} == {"US"}
    assert {each.sender_type for each in toll_free} == {"toll_free"}
    assert {each.sender_type for each in voice} <= {"10dlc", "toll_free"}
    assert 0 < len(everything) <= 20
    assert await alpha.search(Wanted(country="IN")) == []
    assert await alpha.search(Wanted(country="GB", capability="telepathy")) == []


async def test_a_number_is_one_carrier_s(
    alpha: SandboxInventory, sandbox: RunningSandbox, client: httpx2.AsyncClient
) -> None:
    found = await asyncio.gather(
        *(inventory(sandbox, client, name=name).search(GB_LONG) for name in ("alpha", "bravo", "charlie", "delta"))
    )

    senders = [each.sender for one in found for each in one]
    assert len(senders) == len(set(senders)) == 80
    with pytest.raises(UnknownNumberError):
        await alpha.reserve(found[1][0].sender, number_id=new_id())


async def test_of_many_that_want_a_number_one_gets_it(alpha: SandboxInventory) -> None:
    sender = await a_free(alpha)

    async def reserve(number_id: UUID) -> bool:
        try:
            await alpha.reserve(sender, number_id=number_id)
        except NumberTakenError:
            return False
        return True

    assert sum(await asyncio.gather(*(reserve(new_id()) for _ in range(20)))) == 1
    assert sender not in [each.sender for each in await alpha.search(GB_LONG)]


async def test_an_order_is_active_after_a_while_and_asking_again_changes_nothing(
    alpha: SandboxInventory, sandbox: RunningSandbox
) -> None:
    sender, mine = await a_free(alpha), new_id()

    said = [
        await alpha.reserve(sender, number_id=mine),
        await alpha.reserve(sender, number_id=mine),
        await alpha.provision(sender, number_id=mine),
        await alpha.provision(sender, number_id=mine),
    ]
    sandbox.clock.ahead_s += 2
    said += [await alpha.look(sender, number_id=mine), await alpha.provision(sender, number_id=mine)]

    assert [each.status for each in said] == [
        OrderStatus.RESERVED,
        OrderStatus.RESERVED,
        OrderStatus.PENDING,
        OrderStatus.PENDING,
        OrderStatus.ACTIVE,
        OrderStatus.ACTIVE,
    ]


@pytest.mark.parametrize(
    ("last", "at_first", "in_the_end"),
    [("8", OrderStatus.PENDING, OrderStatus.ACTIVE), ("9", OrderStatus.REFUSED, OrderStatus.REFUSED)],
)
async def test_the_last_digit_chooses_a_slow_order_and_one_that_is_refused(
    sandbox: RunningSandbox, client: httpx2.AsyncClient, last: str, at_first: OrderStatus, in_the_end: OrderStatus
) -> None:
    # Every fourth number is one carrier's, so even digits are alpha's and odd ones bravo's.
    numbers = inventory(sandbox, client, name="alpha" if last == "8" else "bravo")
    sender, mine = await a_free(numbers, last=last), new_id()
    await numbers.reserve(sender, number_id=mine)
    await numbers.provision(sender, number_id=mine)

    sandbox.clock.ahead_s += SLOW_AFTER_S - 5
    before = await numbers.look(sender, number_id=mine)
    sandbox.clock.ahead_s += 10
    after = await numbers.look(sender, number_id=mine)
    sandbox.clock.ahead_s = 0.0

    assert (before.status, after.status) == (at_first, in_the_end)


async def test_a_reservation_that_nobody_used_is_over_after_half_an_hour(
    alpha: SandboxInventory, sandbox: RunningSandbox
) -> None:
    sender, mine, other = await a_free(alpha), new_id(), new_id()
    await alpha.reserve(sender, number_id=mine)

    sandbox.clock.ahead_s += RESERVED_S + 1

    assert (await alpha.look(sender, number_id=mine)).status is OrderStatus.LAPSED
    with pytest.raises(NumberTakenError, match="not reserved"):
        await alpha.provision(sender, number_id=mine)
    assert (await alpha.reserve(sender, number_id=other)).status is OrderStatus.RESERVED
    with pytest.raises(NumberTakenError, match="never yours"):
        await alpha.look(sender, number_id=mine)


async def test_a_number_that_was_given_back_is_on_offer_again(alpha: SandboxInventory) -> None:
    sender, mine = await a_free(alpha), new_id()
    await alpha.reserve(sender, number_id=mine)
    await alpha.provision(sender, number_id=mine)

    released = [await alpha.release(sender, number_id=mine) for _ in range(2)]

    assert [each.status for each in released] == [OrderStatus.RELEASED] * 2
    assert sender in [each.sender for each in await alpha.search(GB_LONG)]
    assert (await alpha.reserve(sender, number_id=new_id())).status is OrderStatus.RESERVED


async def test_nothing_is_ordered_that_was_not_reserved(alpha: SandboxInventory) -> None:
    sender = await a_free(alpha)

    for ask in (alpha.provision, alpha.look, alpha.release):
        with pytest.raises(NumberTakenError):
            await ask(sender, number_id=new_id())


async def test_a_carrier_that_is_away_is_told_in_one_word(client: httpx2.AsyncClient) -> None:
    nowhere = SandboxInventory(name="alpha", base_url="http://127.0.0.1:9", secret=SECRET, client=client)

    with pytest.raises(InventoryAwayError):
        await nowhere.search(GB_LONG)


@pytest.mark.parametrize(("name", "secret"), [("zulu", SECRET), ("alpha", "another secret")])
async def test_an_answer_that_is_no_inventory_s_is_not_believed(
    sandbox: RunningSandbox, client: httpx2.AsyncClient, name: str, secret: str
) -> None:
    stranger = SandboxInventory(name=name, base_url=sandbox.url, secret=secret, client=client)

    with pytest.raises(InventoryAwayError):
        await stranger.reserve("+447700900200", number_id=new_id())


@pytest.mark.parametrize("body", [{}, {"reference": "num_1"}, {"reference": "num_" + "a" * 32, "more": 1}])
async def test_a_bad_order_for_a_number_is_refused(
    sandbox: RunningSandbox, client: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}

    answer = await client.put(f"{sandbox.url}/carriers/alpha/numbers/%2B447700900200/order", headers=headers, json=body)

    assert answer.status_code == 422


@pytest.mark.parametrize("country", ["", "gb", "GBR"])
async def test_a_search_without_a_country_is_refused(
    sandbox: RunningSandbox, client: httpx2.AsyncClient, country: str
) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}

    answer = await client.get(f"{sandbox.url}/carriers/alpha/numbers", headers=headers, params={"country": country})

    assert answer.status_code == 422


def test_what_is_on_offer_is_taken_by_its_country_and_is_in_no_pool_yet() -> None:
    book = pool_book_of(reference("pools.json"), reference("country_rules.json")["countries"])
    offered = {
        f"{each.prefix}{number:0{each.digits}d}" for each in RANGES for number in range(each.first, each.last + 1)
    }

    assert all(SenderType(each.sender_type) in book.sender_types[each.country] for each in RANGES)
    assert offered.isdisjoint(each.sender for each in book.senders)
    assert len(offered) == sum(each.last - each.first + 1 for each in RANGES)
