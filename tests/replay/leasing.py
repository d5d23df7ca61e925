"""The lives of a number of which histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from domain.messages import NumberReport
from tests.workflows.leasing import NOTHING_AHEAD, FakeTending, Leased, leasing, report
from tests.workflows.running import until


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseScenario:
    """How a number's life goes: what its activity reports, what it is told from outside."""

    reports: tuple[NumberReport, ...]
    told: Callable[[Leased, FakeTending], Awaitable[None]]

    async def play(self, environment: WorkflowEnvironment) -> WorkflowHistory:
        """Have it happen, and return what was recorded."""
        fake = FakeTending(self.reports)
        async with leasing(environment, fake) as leased:
            await self.told(leased, fake)
            await leased.handle.result()
            return await leased.handle.fetch_history()


async def nothing(_: Leased, __: FakeTending) -> None:
    """Tell nothing."""


async def change(leased: Leased, fake: FakeTending) -> None:
    """Tell it that somebody changed the number, while it waits for what is weeks away."""
    await until(lambda: fake.orders)
    await leased.change()


SCENARIOS: Mapping[str, LeaseScenario] = {
    "number_lived": LeaseScenario(
        reports=(
            report("Its carrier has taken the order", "Ask its carrier", in_s=0.2, status="provisioning"),
            report("Its carrier has activated it", "Put it into service", in_s=0.0, status="registering"),
            report("It is in service", "End the lease", in_s=0.2),
            report("The lease is over", "Take it out of use", in_s=0.2, status="draining"),
            report("It rests", "Return it to its pool", in_s=0.2, status="aging"),
            NOTHING_AHEAD,
        ),
        told=nothing,
    ),
    "number_carrier_away": LeaseScenario(
        reports=(
            report("alpha does not answer", "Order it from its carrier", in_s=0.2, status="provisioning"),
            report("Its carrier does not give it", "Give it back to its carrier", in_s=0.0, status="releasing"),
            NumberReport(status="retired in GB via alpha", done="Its carrier has it again"),
        ),
        told=nothing,
    ),
    "number_changed": LeaseScenario(
        reports=(report("It is in service", "Renew the lease", in_s=2_000_000.0), NOTHING_AHEAD), told=change
    ),
}
