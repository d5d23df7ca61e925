"""One endpoint's deliveries, for as long as there are any: the workflow decides when, the database holds what.

Nothing here ever holds an event, a URL or a secret.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.webhooks import WebhookActivities
    from domain.messages import WEBHOOK_QUEUE, DispatchOrder, DispatchReport
    from workflows import options

# Whoever has nothing to do ends; the next event starts it again. Until then a busy endpoint needs no new workflow.
IDLE = timedelta(seconds=60)
# A history is left behind before it is long to read.
ROUNDS = 400


@workflow.defn
class WebhookDispatchWorkflow:
    """Send one endpoint what is due, batch by batch, and wait for what comes next."""

    @workflow.init
    def __init__(self, order: DispatchOrder) -> None:
        self._order = order
        self._is_woken = False

    @workflow.run
    async def run(self, order: DispatchOrder) -> None:
        """Go on until the endpoint is closed, or nothing has happened for a while."""
        for _ in range(ROUNDS):
            self._is_woken = False
            report = await self._dispatch()
            if report.is_closed or not await self._is_more(report):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return
        workflow.continue_as_new(order)

    @workflow.signal
    def woken(self) -> None:
        """Note that something happened that the endpoint is to be told."""
        self._is_woken = True

    async def _dispatch(self) -> DispatchReport:
        return await workflow.execute_activity_method(
            WebhookActivities.dispatch,
            self._order,
            task_queue=WEBHOOK_QUEUE,
            start_to_close_timeout=options.DISPATCH,
            heartbeat_timeout=options.DISPATCH_HEARTBEAT,
            retry_policy=options.DISPATCH_RETRIES,
            summary="Send what is due",
        )

    async def _is_more(self, report: DispatchReport) -> bool:
        """Wait until there is something to do; False when nothing is left and nothing has come for a while."""
        if report.next_s == 0:
            return True
        wait = IDLE if report.next_s is None else timedelta(seconds=report.next_s)
        what = "Nothing waits" if report.next_s is None else f"The next try is due in {report.next_s:.0f} s"
        workflow.set_current_details(f"{report.delivered} delivered, {report.failed} failed. {what}.")
        try:
            await workflow.wait_condition(lambda: self._is_woken, timeout=wait, timeout_summary=what)
        except TimeoutError:
            return report.next_s is not None
        return True
