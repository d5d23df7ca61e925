"""The health of pools, run by a Temporal Schedule: one activity, then done.

One run for all countries with news, and none for the others: an idle country costs nothing.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pool_health import PoolHealthActivities
    from domain.messages import PoolHealthReport
    from workflows import options

# A fall is known 40 s after its messages; with this it is decided about within the minute.
EVERY_S = 10
SCHEDULE_ID = "pool-health"


@workflow.defn
class PoolHealthWorkflow:
    """Judge once; the Schedule comes again, and whoever wants to know sooner triggers it."""

    @workflow.run
    async def run(self) -> PoolHealthReport:
        """Return how much was decided."""
        return await workflow.execute_activity_method(
            PoolHealthActivities.judge_pools,
            start_to_close_timeout=options.POOL_HEALTH,
            retry_policy=options.POOL_HEALTH_RETRIES,
            summary="Demote and restore routes, set numbers aside and take them back",
        )
