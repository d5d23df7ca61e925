"""A workflow that does not fit the histories: changed without `workflow.patched`, as somebody will one day."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.messages import DispatchOrder, NumberOrder, PoolHealthReport, StartVerification, VerificationResult
    from workflows.number_lease import NumberLeaseWorkflow
    from workflows.pool_health import PoolHealthWorkflow
    from workflows.verification import VerificationWorkflow
    from workflows.webhook_dispatch import WebhookDispatchWorkflow


@workflow.defn(name="VerificationWorkflow")
class ChangedWorkflow(VerificationWorkflow):
    """Waits a moment before the first message."""

    @workflow.init
    def __init__(self, start: StartVerification) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartVerification) -> VerificationResult:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(start)


@workflow.defn(name="WebhookDispatchWorkflow")
class ChangedDispatchWorkflow(WebhookDispatchWorkflow):
    """Waits a moment before the first batch."""

    @workflow.init
    def __init__(self, order: DispatchOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: DispatchOrder) -> None:
        await workflow.sleep(timedelta(seconds=1))
        await super().run(order)


@workflow.defn(name="NumberLeaseWorkflow")
class ChangedNumberWorkflow(NumberLeaseWorkflow):
    """Waits a moment before it looks."""

    @workflow.init
    def __init__(self, order: NumberOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: NumberOrder) -> None:
        await workflow.sleep(timedelta(seconds=1))
        await super().run(order)


@workflow.defn(name="PoolHealthWorkflow")
class ChangedPoolHealthWorkflow(PoolHealthWorkflow):
    """Waits a moment before it judges."""

    @workflow.run
    async def run(self) -> PoolHealthReport:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run()
