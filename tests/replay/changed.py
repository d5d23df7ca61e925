"""A workflow that does not fit the histories: changed without `workflow.patched`, as somebody will one day."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.messages import StartVerification, VerificationResult
    from workflows.verification import VerificationWorkflow


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
