"""Decisions about a number that an account had alone stay its own, also those from before that was written down."""

from alembic import command
from sqlalchemy import Connection

from domain.ids import number_id
from domain.routing import EndReason
from rules.routing.verdicts import Decided
from store.engine import Database
from store.migrate import migrate
from store.number_leases import end_lease, take_number
from store.route_decisions import decisions, keep_decision
from tests.building import a_caller
from tests.store.numbering import SANDBOX, a_country, a_new_lease, a_number
from tests.store.test_store_migrations import config, empty_url

__all__ = ["empty_url"]
_BEFORE = "20261124_75_lines_of_connections"


def back(connection: Connection) -> None:
    command.downgrade(config(connection), _BEFORE)
    connection.commit()


async def test_a_decision_from_before_is_told_to_who_had_the_number_alone_then(empty_url: str) -> None:
    database = Database(empty_url)
    await migrate(database)
    one, other, country = await a_caller(database), await a_caller(database), a_country()
    for _ in range(2):
        await a_number(database, country)

    async def decide(subject: str, kind: Decided) -> None:
        async with database.transaction() as connection:
            await keep_decision(
                connection, country, environment=SANDBOX, decided=kind, subject=subject, evidence={"at": kind.value}
            )

    async with database.transaction() as connection:
        taken = await take_number(connection, a_new_lease(one, country))
    assert taken is not None
    number, lease = taken
    await decide(number_id(number.id), Decided.NUMBER_QUARANTINED)
    async with database.transaction() as connection:
        await end_lease(connection, lease.id, reason=EndReason.ROTATED)
    await decide(number_id(number.id), Decided.NUMBER_ROTATED)
    await decide(number_id(number.id), Decided.NUMBER_RESTORED)
    await decide(f"alpha/{country}/long_code/sms", Decided.ROUTE_DEMOTED)

    async with database.connecting() as connection:
        await connection.run_sync(back)
    await migrate(database)

    async with database.reading() as connection:
        seen = {
            name: {
                each.kind
                for each in await decisions(
                    connection, environment=SANDBOX, country=country, at_most=9, in_sight_of=account
                )
            }
            for name, account in (("one", one.account_id), ("other", other.account_id), ("all", None))
        }
    await database.close()
    everybody_s = {Decided.NUMBER_RESTORED, Decided.ROUTE_DEMOTED}
    assert seen["other"] == everybody_s
    assert seen["one"] == seen["all"] == everybody_s | {Decided.NUMBER_QUARANTINED, Decided.NUMBER_ROTATED}
