"""One number's life, for as long as it has something ahead: the workflow decides when, the database holds what.

It is ordered, put into service, renewed ahead of time, its account warned of an end, drained, given back, rested. Which
of these is due is a rule's word (`rules/routing/lease_life.py`), asked in an activity, so that it may change without
breaking histories of many months.
"""

import contextlib
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.numbers import NumberActivities
    from domain.messages import NumberOrder, NumberReport
    from workflows import options

# A history is left behind before it is long to read.
ROUNDS = 250


@workflow.defn
class NumberLeaseWorkflow:
    """Tend one number: do what is due, and wait for what comes next."""

    @workflow.init
    def __init__(self, order: NumberOrder) -> None:
        self._order = order
        self._is_changed = False

    @workflow.run
    async def run(self, order: NumberOrder) -> None:
        """Go on until nothing is ahead of the number; whoever changes it then starts this anew."""
        what = "See what is due"
        for _ in range(ROUNDS):
            self._is_changed = False
            report = await self._tend(what)
            if not await self._comes_more(report):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return
            what = report.next if report.next is not None and not self._is_changed else "See what was changed"
        workflow.continue_as_new(order)

    @workflow.signal
    def changed(self) -> None:
        """Note that somebody changed the number or its lease."""
        self._is_changed = True

    async def _tend(self, what: str) -> NumberReport:
        return await workflow.execute_activity_method(
            NumberActivities.tend,
            self._order,
            start_to_close_timeout=options.TEND,
            retry_policy=options.TEND_RETRIES,
            summary=what,
        )

    async def _comes_more(self, report: NumberReport) -> bool:
        """Wait until there is something to do; False when nothing is ahead and nobody has changed anything."""
        done = f" {report.done}." if report.done else ""
        ahead = "Nothing is ahead" if report.next is None else f"Next: {report.next}"
        workflow.set_current_details(f"{report.status}.{done} {ahead}.")
        if report.next_s is None:
            return self._is_changed
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._is_changed, timeout=timedelta(seconds=report.next_s), timeout_summary=ahead
            )
        return True
