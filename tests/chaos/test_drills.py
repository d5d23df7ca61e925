"""The short seeded run of every drill: each breaks one thing on an installation of each database, at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from bench.chaos.catalog import DRILLS
from bench.chaos.forked import Forks
from bench.chaos.installation import Installation, installation
from bench.chaos.places import KINDS
from bench.chaos.verdict import Plan, Verdict, report
from bench.chaos.worker_killed import Killed, all_ended, kill_under_load

# One xdist worker runs them all, in this order, on the same installations.
pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.asyncio(loop_scope="module")]
PLAN = Plan(seed=20261122, is_short=True, say=lambda _: None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites() -> AsyncIterator[Sequence[Installation]]:
    async with Forks() as forks, AsyncExitStack() as stack:
        opening = (stack.enter_async_context(installation(kind, seed=PLAN.seed, forks=forks)) for kind in KINDS)
        yield await asyncio.gather(*opening)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed(sites: Sequence[Installation]) -> Sequence[Killed]:
    return await asyncio.gather(*(kill_under_load(site, PLAN) for site in sites))


def assert_passed(verdicts: Sequence[Verdict]) -> None:
    assert [verdict.database for verdict in verdicts] == list(KINDS)
    assert all(verdict.is_passed for verdict in verdicts), report(verdicts)


async def test_workers_are_killed_while_verifications_run(killed: Sequence[Killed]) -> None:
    assert all(each.kills >= 2 for each in killed)
    assert all(each.outcomes["approved"] >= each.load.count // 2 for each in killed)


@pytest.mark.parametrize("fault", [fault for fault in DRILLS if fault != "F1"])
async def test_a_fault_breaks_no_promise(fault: str, sites: Sequence[Installation]) -> None:
    assert_passed(await asyncio.gather(*(DRILLS[fault](site, PLAN) for site in sites)))


async def test_all_that_outlived_the_killed_workers_has_ended(
    sites: Sequence[Installation], killed: Sequence[Killed]
) -> None:
    both = zip(sites, killed, strict=True)
    assert_passed(await asyncio.gather(*(all_ended(site, PLAN, each) for site, each in both)))
