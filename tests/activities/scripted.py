"""A carrier that does as it is told, and the real activities around it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from activities.conclusion import ConclusionActivities
from activities.delivery import DeliveryActivities
from activities.planning import PlanningActivities
from carriers.protocol import Answer, Carrier, Message
from domain.facts import AttemptFacts, VerificationFacts
from domain.statuses import FailureClass, SubmissionStatus
from runtime.settings import reference
from store.attempts import attempts_of
from store.engine import Database
from store.tables import Attempt, table_of
from store.verifications import read_verification
from tests.building import CARRIERS, KEYS, NUMBERS, a_router

FAILURES_CAP = 10
ACCEPTED = Answer(status=SubmissionStatus.ACCEPTED, carrier_message_id="their-id")
REFUSED = Answer(status=SubmissionStatus.REJECTED, failure_class=FailureClass.ROUTE_TEMPORARY, carrier_code="refused")
THROTTLED = Answer(status=SubmissionStatus.THROTTLED, failure_class=FailureClass.THROTTLED, carrier_code="throttled")
SILENT = Answer(status=SubmissionStatus.UNKNOWN, failure_class=FailureClass.UNKNOWN, carrier_code="timeout")


@dataclass(slots=True, kw_only=True)
class ScriptedCarrier:
    """Answers with the next word of its script, and with the last one from then on; an exception there is raised.

    `meanwhile` runs while the carrier is on the line.
    """

    name: str = "alpha"
    script: list[Answer | Exception] = field(default_factory=lambda: [ACCEPTED])
    meanwhile: Callable[[Message], Awaitable[None]] | None = None
    messages: list[Message] = field(default_factory=list)

    async def submit(self, message: Message) -> Answer:
        self.messages.append(message)
        if self.meanwhile is not None:
            await self.meanwhile(message)
        word = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(word, Exception):
            raise word
        return word


_: type[Carrier] = ScriptedCarrier


def delivery(
    database: Database, carrier: Carrier, *, names: tuple[str, ...] = CARRIERS, scripted: frozenset[str] = frozenset()
) -> DeliveryActivities:
    """Return the sending activity, with one carrier under every name."""
    return DeliveryActivities(
        database=database,
        carriers=dict.fromkeys(names, carrier),
        keys=KEYS,
        numbers=NUMBERS,
        templates=reference("templates.json"),
        scripted=scripted,
    )


def planning(database: Database) -> PlanningActivities:
    """Return the planning activity over the pools that the product is shipped with."""
    return PlanningActivities(database=database, router=a_router())


def conclusion(database: Database) -> ConclusionActivities:
    return ConclusionActivities(database=database, failures_cap=FAILURES_CAP)


async def verification_in(database: Database, verification_id: UUID) -> VerificationFacts:
    async with database.reading() as connection:
        facts = await read_verification(connection, verification_id)
    assert facts is not None
    return facts


async def attempts_in(database: Database, verification_id: UUID) -> list[AttemptFacts]:
    async with database.reading() as connection:
        return await attempts_of(connection, verification_id)


async def followers_in(database: Database, attempt: UUID) -> list[UUID]:
    table = table_of(Attempt)
    async with database.reading() as connection:
        return list((await connection.execute(select(table.c.id).where(table.c.follows == attempt))).scalars())
