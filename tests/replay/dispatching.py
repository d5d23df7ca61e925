"""The lives of a webhook's dispatcher of which histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from domain.messages import DispatchReport
from tests.workflows.dispatching import CLOSED, Dispatched, FakeDispatch, dispatching
from tests.workflows.running import until


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchScenario:
    """How a dispatcher's life goes: what its activity reports, what it is told from outside."""

    reports: tuple[DispatchReport, ...]
    told: Callable[[Dispatched, FakeDispatch], Awaitable[None]]

    async def play(self, environment: WorkflowEnvironment) -> WorkflowHistory:
        """Have it happen, and return what was recorded."""
        fake = FakeDispatch(self.reports)
        async with dispatching(environment, fake) as dispatched:
            await self.told(dispatched, fake)
            await dispatched.handle.result()
            return await dispatched.handle.fetch_history()


async def nothing(_: Dispatched, __: FakeDispatch) -> None:
    """Tell nothing."""


async def news(dispatched: Dispatched, fake: FakeDispatch) -> None:
    """Wake it while it waits for a retry that is hours away."""
    await until(lambda: fake.orders)
    await dispatched.wake()


SCENARIOS: Mapping[str, DispatchScenario] = {
    "webhook_backlog": DispatchScenario(
        reports=(DispatchReport(next_s=0, delivered=200), DispatchReport(next_s=0, delivered=3), CLOSED), told=nothing
    ),
    "webhook_retry": DispatchScenario(reports=(DispatchReport(next_s=1.0, failed=1), CLOSED), told=nothing),
    "webhook_woken": DispatchScenario(reports=(DispatchReport(next_s=7_200.0, failed=1), CLOSED), told=news),
}
