"""Upkeep, run by a Temporal Schedule: one activity, then done."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.upkeep import UpkeepActivities
    from domain.messages import UpkeepReport
    from workflows import options

# Whatever a crash leaves behind is mended, or expired, within a minute (F1, and the promise that none is lost).
EVERY_S = 20
SCHEDULE_ID = "upkeep"


@workflow.defn
class UpkeepWorkflow:
    """Mend once; the Schedule comes again."""

    @workflow.run
    async def run(self) -> UpkeepReport:
        """Return how many rows had to be mended."""
        return await workflow.execute_activity_method(
            UpkeepActivities.mend,
            start_to_close_timeout=options.UPKEEP,
            retry_policy=options.UPKEEP_RETRIES,
            summary="Start what was never started, conclude what is overdue, forget what is old",
        )
