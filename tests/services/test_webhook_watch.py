"""The watch: who has news is woken once a second, nobody for nothing; nobody is asked after while nothing happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event as hook

from services.webhook_dispatchers import WebhookWatch
from services.webhooks import WebhookView
from store.engine import Database
from store.event_order import newest_place
from store.webhooks import read_webhook
from tests.activities.webhook_building import a_webhook, happen, time_passes, whose
from tests.building import FakeDispatchers, a_caller

_URL = "http://127.0.0.1:9/hook"


class Watching:
    """A watch with a clock of its own, and what it woke."""

    def __init__(self, database: Database) -> None:
        self.now, self.dispatchers = 0.0, FakeDispatchers()
        self.watch = WebhookWatch(database=database, dispatchers=self.dispatchers, clock=lambda: self.now)

    async def woken(self, webhook: WebhookView, *, after_s: float = 0.0) -> int:
        """Look, and say how often one endpoint was woken for it: others share the database."""
        self.now += after_s
        self.dispatchers.woken.clear()
        await self.watch.look()
        return self.dispatchers.woken.count(webhook.facts.id)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Note what the database is asked."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    hook.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        hook.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def cursor_of(database: Database, webhook: WebhookView) -> tuple[int, int]:
    async with database.reading() as connection:
        facts = await read_webhook(connection, webhook.facts.id, whose(webhook))
    assert facts is not None
    return facts.cursor.transaction, facts.cursor.number


async def test_whoever_has_news_is_woken_once_a_second(database: Database) -> None:
    caller, watching = await a_caller(database), Watching(database)
    webhook = await a_webhook(database, caller, _URL)
    assert await watching.woken(webhook) == 0

    await happen(database, caller)

    assert [await watching.woken(webhook) for _ in range(3)] == [1, 0, 0]
    await time_passes(database, webhook.facts.id, seconds=1)
    assert await watching.woken(webhook) == 1


async def test_whose_filter_lets_nothing_through_is_passed_over_and_asked_after_no_more(database: Database) -> None:
    caller, watching = await a_caller(database), Watching(database)
    webhook = await a_webhook(database, caller, _URL, events=("number.*", "account.status_changed"))
    before = await cursor_of(database, webhook)
    await happen(database, caller, 3)

    assert await watching.woken(webhook) == 0

    assert await cursor_of(database, webhook) > before
    await time_passes(database, webhook.facts.id, seconds=1)
    with statements(database) as asked:
        assert await watching.woken(webhook) == 0
    assert not [each for each in asked if each.startswith("UPDATE webhook")]


async def test_whose_filter_lets_some_through_is_woken_and_keeps_its_place(database: Database) -> None:
    caller, watching = await a_caller(database), Watching(database)
    webhook = await a_webhook(database, caller, _URL, events=("number.*", "limit.reached"))
    before = await cursor_of(database, webhook)
    await happen(database, caller)

    assert await watching.woken(webhook) == 1
    assert await cursor_of(database, webhook) == before


async def test_what_is_overdue_is_woken_whatever_its_filter(database: Database) -> None:
    caller, watching = await a_caller(database), Watching(database)
    webhook = await a_webhook(database, caller, _URL, events=("number.*",))

    assert await watching.watch.wake_all([webhook.facts.id]) == 1
    assert watching.dispatchers.woken == [webhook.facts.id]


async def test_while_nothing_happens_nobody_is_asked_after(database: Database) -> None:
    caller, watching = await a_caller(database), Watching(database)
    webhook = await a_webhook(database, caller, _URL)
    await watching.woken(webhook)

    quiet = await asked_in_a_quiet_look(database, watching, webhook, after_s=3)
    anyway = await asked_in_a_quiet_look(database, watching, webhook, after_s=6)
    await happen(database, caller)

    assert (quiet, anyway) == (0, 1)
    assert await watching.woken(webhook, after_s=1) == 1


async def asked_in_a_quiet_look(database: Database, watching: Watching, webhook: WebhookView, *, after_s: float) -> int:
    """Return how many statements on endpoints a look made between which and the one before nothing happened.

    PostgreSQL's own housekeeping is something that happens, too: then another one is taken.
    """
    await watching.woken(webhook)
    while True:
        before = await newest(database)
        with statements(database) as asked:
            await watching.woken(webhook, after_s=after_s)
        if await newest(database) == before:
            return len([each for each in asked if "FROM webhook" in each])
        await watching.woken(webhook)


async def newest(database: Database) -> tuple[int, int]:
    async with database.reading() as connection:
        place = await newest_place(connection)
    return place.transaction, place.number
