"""Webhooks over real sockets: signed, delivered at least once, tried again as the schedule has it, isolated."""

import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook

from bench.webhooks.sink import BROKEN, DRIPPING, GONE, OK, SILENT, Received, redirect, sinking, throttled
from domain.events import BEGINNING
from domain.ids import event_id
from domain.statuses import Environment
from domain.webhooks import DeliveryStatus, DeliveryView, WebhookStatus
from rules.webhooks.schedule import DISABLED_AFTER_S, DOWN_AFTER, PROBE_EVERY_S
from services.webhook_deliveries import WebhookDeliveries
from services.webhooks import WebhookRequest, WebhookView
from store.engine import Database
from store.reading_events import EventFilters, events_after
from store.webhook_deliveries import deliveries_of
from store.webhook_dispatch import TAKEN
from store.webhooks import Whose, overdue_webhooks, replace_secret, webhooks_with_news
from tests.activities.webhook_building import (
    Dispatching,
    a_webhook,
    happen,
    time_passes,
    webhooks_of,
)
from tests.building import FakeDispatchers, a_caller


@pytest.fixture
async def impatient(database: Database) -> AsyncIterator[Dispatching]:
    """Yield one that soon gives up on a receiver, for those that never answer."""
    made = Dispatching(database, total_s=1.0)
    yield made
    await made.aclose()


@pytest.fixture
async def dispatching(database: Database) -> AsyncIterator[Dispatching]:
    made = Dispatching(database)
    yield made
    await made.aclose()


def verified(webhook: WebhookView, received: Received) -> None:
    """Have the published package verify a webhook as it came."""
    assert webhook.secret is not None
    Webhook(webhook.secret).verify(received.body, dict(received.headers))


async def deliveries(database: Database, webhook: WebhookView) -> list[DeliveryView]:
    async with database.reading() as connection:
        return await deliveries_of(connection, webhook.facts.id, limit=1_000)


async def status_of(database: Database, webhook: WebhookView) -> tuple[WebhookStatus, str | None]:
    """Return whether an endpoint is sent anything, and why not."""
    caller_view = await read(database, webhook)
    return caller_view.facts.status, caller_view.facts.disabled_reason


async def read(database: Database, webhook: WebhookView) -> WebhookView:
    caller = await a_caller(database)
    owner = caller.__class__(
        account_id=webhook.facts.account_id, account_name="ACME", environment=Environment.SANDBOX, key_id="testtest"
    )
    return await webhooks_of(database).read(owner, webhook.facts.id)


async def test_what_happens_is_posted_signed_and_in_order(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        ids = await happen(database, caller, 5)
        report = await dispatching.until_idle(webhook.facts.id)

    assert report.next_s is None
    assert Counter(each.id for each in sink.ledger) == Counter(ids)
    for each in sink.ledger:
        verified(webhook, each)
        told = json.loads(each.body)
        assert (told["id"], told["type"], told["version"]) == (each.id, "limit.reached", 1)


async def test_one_round_posts_all_that_is_due_and_knows_when_to_come_again(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await happen(database, caller, TAKEN + 20)
        report = await dispatching.round(webhook.facts.id)

    assert (report.delivered, report.failed, report.next_s) == (TAKEN + 20, 0, None)
    assert len(sink.tries()) == len(sink.ledger) == TAKEN + 20


async def test_only_what_the_filter_lets_through_is_posted_and_nothing_from_before(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        await happen(database, caller)
        other = await a_webhook(database, caller, f"{sink.url}/other", events=("verification.*",))
        webhook = await a_webhook(database, caller, f"{sink.url}/all")
        await happen(database, caller)
        for each in (other, webhook):
            await dispatching.until_idle(each.facts.id)
        async with database.reading() as connection:
            assert other.facts.id not in await webhooks_with_news(connection)

    assert [each.path for each in sink.ledger] == ["/all"]


async def test_a_sink_that_is_down_for_an_hour_gets_everything_after_it(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await sink.down()
        ids = await happen(database, caller, 40)
        for _ in range(12):
            report = await dispatching.until_idle(webhook.facts.id)
            assert report.next_s is not None
            await time_passes(database, webhook.facts.id, seconds=PROBE_EVERY_S)
        await sink.up()
        ids += await happen(database, caller, 5)
        report = await dispatching.until_idle(webhook.facts.id)

    tries = {each.event_id: len(each.tries) for each in await deliveries(database, webhook)}
    assert report.next_s is None
    assert {each.id for each in sink.ledger} == set(ids)
    # Five failures in a row, then one probe every five minutes: not forty tries each time.
    assert sum(tries.values()) <= 45 + 2 * DOWN_AFTER + 12 + 16


async def test_a_test_of_an_endpoint_that_is_down_goes_out_at_once_and_before_all(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    tests = WebhookDeliveries(database=database, dispatchers=FakeDispatchers())
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await sink.down()
        await happen(database, caller, 20)
        await dispatching.until_idle(webhook.facts.id)
        failed = await tests.test(caller, webhook.facts.id)
        waits = await dispatching.until_idle(webhook.facts.id)
        await sink.up()
        event = await tests.test(caller, webhook.facts.id)
        await dispatching.round(webhook.facts.id)

    tried = {each.event_id: [one.status for one in each.tries] for each in await deliveries(database, webhook)}
    assert tried[failed][:1] == [None]
    assert waits.next_s == pytest.approx(PROBE_EVERY_S, abs=5)
    assert tried[event] == [200]
    assert sink.ledger[0].id == event_id(event)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (BROKEN, (500, None)),
        (redirect("http://127.0.0.1:1/"), (302, None)),
        (SILENT, (None, "timed_out")),
        (DRIPPING, (None, "timed_out")),
    ],
    ids=["500", "302", "silent", "dripping"],
)
async def test_what_fails_is_tried_again_under_the_same_id_with_a_new_signature(
    database: Database,
    dispatching: Dispatching,
    impatient: Dispatching,
    reply: object,
    shown: tuple[int | None, str | None],
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        sink.reply = reply  # type: ignore[assignment]
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        (event,) = await happen(database, caller)
        first = await (impatient if shown[0] is None else dispatching).until_idle(webhook.facts.id)
        sink.reply = OK
        await time_passes(database, webhook.facts.id, seconds=7)
        await dispatching.until_idle(webhook.facts.id)

    (delivery,) = await deliveries(database, webhook)
    assert first.next_s is not None
    assert 3.5 <= first.next_s <= 6.5
    assert [(each.status, each.failure) for each in delivery.tries] == [shown, (200, None)]
    assert delivery.status is DeliveryStatus.DELIVERED
    # A machine that stalls for a second makes the impatient one give up before anybody has heard of it.
    assert [each.id for each in sink.ledger] in ([[event, event]] if shown[0] else [[event], [event, event]])
    assert len({each.body for each in sink.ledger}) == 1
    verified(webhook, sink.ledger[-1])


async def test_retry_after_is_heeded(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        sink.reply = throttled(retry_after="120")
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await happen(database, caller, 40)
        report = await dispatching.until_idle(webhook.facts.id)
        posted = len(sink.ledger)
        sink.reply = OK
        await time_passes(database, webhook.facts.id, seconds=121)
        await dispatching.until_idle(webhook.facts.id)

    assert report.next_s is not None
    assert 110 <= report.next_s <= PROBE_EVERY_S
    assert posted <= 16
    assert {each.status for each in await deliveries(database, webhook)} <= {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.PENDING,
    }


async def test_gone_disables_and_is_told_elsewhere(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        sink.replies["/gone"] = GONE
        webhook = await a_webhook(database, caller, f"{sink.url}/gone")
        other = await a_webhook(database, caller, f"{sink.url}/other", events=("webhook.disabled",))
        await happen(database, caller)
        report = await dispatching.until_idle(webhook.facts.id)
        await dispatching.until_idle(other.facts.id)

    assert report.is_closed
    assert await status_of(database, webhook) == (WebhookStatus.DISABLED, "gone")
    (notice,) = [json.loads(each.body) for each in sink.ledger if each.path == "/other"]
    assert (notice["type"], notice["data"]["reason"], notice["data"]["waiting"]) == ("webhook.disabled", "gone", 1)


async def test_five_days_of_failure_disable_and_enabling_goes_on_where_it_stopped(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        sink.reply = BROKEN
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        ids = await happen(database, caller, 3)
        await dispatching.until_idle(webhook.facts.id)
        await time_passes(database, webhook.facts.id, seconds=DISABLED_AFTER_S + 60)
        report = await dispatching.until_idle(webhook.facts.id)
        assert await status_of(database, webhook) == (WebhookStatus.DISABLED, "failing")
        ids += await happen(database, caller, 2)
        sink.reply, sink.ledger = OK, []
        await webhooks_of(database).change(caller, webhook.facts.id, WebhookRequest(is_enabled=True))
        await time_passes(database, webhook.facts.id, seconds=86_400)
        await dispatching.until_idle(webhook.facts.id)

    assert report.is_closed
    assert {each.id for each in sink.ledger if b"webhook.disabled" not in each.body} == set(ids)


async def test_a_secret_that_leaked_signs_no_more_once_it_was_replaced(
    database: Database, dispatching: Dispatching
) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        old = await a_webhook(database, caller, f"{sink.url}/hook")
        rotated = await webhooks_of(database).rotate(caller, old.facts.id)
        new = await webhooks_of(database).rotate(caller, old.facts.id, ends_previous=True)
        await happen(database, caller)
        await dispatching.until_idle(old.facts.id)

    (told,) = sink.ledger
    assert len(told.headers["webhook-signature"].split()) == 1
    verified(new, told)
    whose = Whose(account_id=caller.account_id, environment=caller.environment)
    async with database.transaction() as connection:
        # Two that replaced the same secret: the other one came first.
        assert await replace_secret(connection, rotated.facts, whose, sealed="another") is None


async def test_two_secrets_sign_for_a_day_after_a_rotation(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        old = await a_webhook(database, caller, f"{sink.url}/hook", with_ed25519=True)
        new = await webhooks_of(database).rotate(caller, old.facts.id)
        await happen(database, caller)
        await dispatching.until_idle(old.facts.id)
        await time_passes(database, old.facts.id, seconds=86_401)
        await happen(database, caller)
        await dispatching.until_idle(old.facts.id)

    during, after = sink.ledger
    assert new.secret != old.secret
    assert (new.public_key or "").startswith("whpk_")
    verified(old, during)
    verified(new, during)
    verified(new, after)
    assert [each.partition(",")[0] for each in during.headers["webhook-signature"].split()] == ["v1", "v1", "v1a"]
    assert len(after.headers["webhook-signature"].split()) == 2


async def test_upkeep_finds_what_a_lost_signal_left_behind(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await happen(database, caller)
        async with database.reading() as connection:
            assert webhook.facts.id in await webhooks_with_news(connection)
        sink.reply = BROKEN
        await dispatching.until_idle(webhook.facts.id)
        await time_passes(database, webhook.facts.id, seconds=60)
        async with database.reading() as connection:
            assert webhook.facts.id in await overdue_webhooks(connection)


async def test_a_closed_endpoint_is_not_posted_to(database: Database, dispatching: Dispatching) -> None:
    caller = await a_caller(database)
    async with sinking() as sink:
        webhook = await a_webhook(database, caller, f"{sink.url}/hook")
        await happen(database, caller)
        await webhooks_of(database).change(caller, webhook.facts.id, WebhookRequest(is_enabled=False))
        disabled = await dispatching.round(webhook.facts.id)
        await webhooks_of(database).delete(caller, webhook.facts.id)
        deleted = await dispatching.round(webhook.facts.id)

    assert (disabled.is_closed, deleted.is_closed) == (True, True)
    assert sink.ledger == []


async def test_the_account_can_read_what_its_endpoint_missed(database: Database) -> None:
    caller = await a_caller(database)
    ids = await happen(database, caller, 3)

    filters = EventFilters(account_id=caller.account_id, environment=caller.environment)
    async with database.reading() as connection:
        found = await events_after(connection, filters, BEGINNING, limit=10)

    assert [each.as_told()["id"] for each in found] == ids
