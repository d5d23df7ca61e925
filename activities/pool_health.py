"""Deciding about routes and numbers from what was learnt of them."""

from temporalio import activity

from activities.judging_numbers import JudgingNumbers
from activities.judging_routes import JudgingRoutes
from activities.rotating import Rotating
from domain.messages import PoolHealthReport
from rules.routing.verdicts import Decided
from store.engine import Database
from store.route_decisions import countries_with_news


class PoolHealthActivities:
    """Judge the routes towards each country, and the numbers of its pool; without `rotating` none is replaced."""

    def __init__(self, *, database: Database, rotating: Rotating | None = None) -> None:
        self._database = database
        self._rotating = rotating
        self._routes, self._numbers = JudgingRoutes(database), JudgingNumbers(database)

    @activity.defn
    async def judge_pools(self) -> PoolHealthReport:
        """Decide what is to be decided; run twice, or by two at once, nothing is decided twice."""
        async with self._database.reading() as connection:
            countries = await countries_with_news(connection)
        made: list[Decided] = []
        for environment, country in countries:
            made += await self._routes.judge(environment, country)
            made += await self._numbers.judge(environment, country)
        if self._rotating is not None:
            made += await self._rotating.rotate()
        return PoolHealthReport(
            demoted=made.count(Decided.ROUTE_DEMOTED),
            restored=made.count(Decided.ROUTE_RESTORED),
            quarantined=made.count(Decided.NUMBER_QUARANTINED),
            returned=made.count(Decided.NUMBER_RESTORED),
            opened=made.count(Decided.BREAKER_OPENED),
            closed=made.count(Decided.BREAKER_CLOSED),
            tried=made.count(Decided.NUMBER_PROBING),
            rotated=made.count(Decided.NUMBER_ROTATED),
        )
