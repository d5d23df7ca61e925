"""Telling that nothing healthy is left towards a country, where the least bad was taken.

Nothing is asked of the database where something healthy is. Where nothing is, many messages meet it at once: a process
tells it at most once a minute, and the event's id sees to it that all of them tell it once in each quarter of an hour.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.event_types import EventType
from domain.events import NewEvent
from domain.statuses import Environment
from rules.routing.candidates import Candidate
from store.events import emit

TOLD_ONCE_IN_S = 15 * 60
DEGRADED = "degraded"
# One that was told in a transaction that did not last is told again after this.
_LOOK_AGAIN = timedelta(seconds=60)
# Countries of accounts that are told apart; more are told of more often.
_MOST = 2_000
_log = structlog.get_logger()


class DegradedAlarm:
    """Tells accounts, and the log, of choices among routes of which none is healthy."""

    def __init__(self) -> None:
        self._not_before: dict[tuple[UUID, Environment, str], datetime] = {}

    async def tell(
        self,
        connection: AsyncConnection,
        candidate: Candidate,
        *,
        account_id: UUID,
        environment: Environment,
        country: str,
        now: datetime,
    ) -> None:
        """Tell that a candidate was taken although it is not healthy, unless it has been told just now."""
        key = (account_id, environment, country)
        not_before = self._not_before.get(key)
        if not_before is not None and now < not_before:
            return
        if len(self._not_before) >= _MOST:
            self._not_before.clear()
        self._not_before[key] = now + _LOOK_AGAIN
        _log.warning("nothing_is_healthy", country=country, carrier=candidate.route.carrier)
        event = NewEvent(
            type=EventType.POOL_UNSTABLE,
            account_id=account_id,
            environment=environment,
            data={"pool_country": candidate.route.pool_country, "reason": DEGRADED},
            once=f"{environment}/{country}/{DEGRADED}/{int(now.timestamp()) // TOLD_ONCE_IN_S}",
        )
        await emit(connection, event)
