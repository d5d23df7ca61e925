"""The judgement of pools of which a history is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from tests.workflows.judging import FakeJudging, begin, judging


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingScenario:
    """How a judgement goes: its activity answers."""

    async def play(self, environment: WorkflowEnvironment) -> WorkflowHistory:
        """Have it happen, and return what was recorded."""
        async with judging(environment, FakeJudging()):
            handle = await begin(environment)
            await handle.result()
            return await handle.fetch_history()


SCENARIOS: Mapping[str, JudgingScenario] = {"pools_judged": JudgingScenario()}
