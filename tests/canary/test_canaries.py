"""A short canary run through real processes: nothing is found, and what is planted is, in each place."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from bench.canary.drill import Report, canaries, look
from bench.canary.lives import Life, Lives
from bench.canary.needles import needles_of
from bench.canary.search import search
from bench.chaos.forked import Forks
from bench.chaos.installation import Installation, installation
from runtime.temporal_settings import PayloadEncryption

# One xdist worker runs them all, on the same installations.
pytestmark = [pytest.mark.xdist_group("canary"), pytest.mark.asyncio(loop_scope="module")]
SEED, COUNT = 20261124, 40
RUNS = [("sqlite", PayloadEncryption.STRICT), ("postgresql", PayloadEncryption.OFF)]
PLANTED_NUMBER, PLANTED_CODE = "+12025550199", "73918264"
PLANTED = needles_of([PLANTED_NUMBER], [PLANTED_CODE])
WORDS = [PLANTED_NUMBER, f"your code is {PLANTED_CODE}"]


class Run:
    """One installation with what its canary run has found."""

    def __init__(self, site: Installation, report: Report, encryption: PayloadEncryption) -> None:
        self.site, self.report, self.encryption = site, report, encryption

    async def planted(self, *workflows: str) -> dict[str, set[str]]:
        """Return the kinds of planted needles that are found, by place."""
        lives = Lives(self.site, seed=SEED)
        found = await look(self.site, PLANTED, replace_verifications(lives, workflows), seed=SEED)
        return {place: {hit.kind for hit in finding.issued} for place, finding in found.findings.items()}


def replace_verifications(lives: Lives, workflows: tuple[str, ...]) -> Lives:
    lives.verifications = [each.removeprefix("verification/") for each in workflows]
    return lives


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=RUNS, ids=lambda run: f"{run[0]}-{run[1]}")
async def run(request: pytest.FixtureRequest) -> AsyncIterator[Run]:
    kind, encryption = request.param
    async with Forks() as forks, installation(kind, seed=SEED, forks=forks, encryption=encryption) as site:
        yield Run(site, await canaries(site, count=COUNT, seed=SEED), encryption)


async def test_a_run_leaves_no_number_and_no_code_anywhere(run: Run) -> None:
    assert run.report.leaks == []
    assert sum(run.report.outcomes.values()) == COUNT
    assert len(run.report.needles.numbers) == COUNT
    assert len(run.report.needles.codes) > COUNT
    assert {how.partition(":")[0] for how in run.report.outcomes} == set(Life)
    assert not [how for how in run.report.outcomes if "not started" in how or "None" in how]


async def test_every_place_was_looked_at(run: Run) -> None:
    sizes = {place: finding.size_bytes for place, finding in run.report.findings.items()}

    assert set(sizes) == {"logs", "database", "Temporal's database", "histories", "metrics"}
    assert all(sizes.values()), sizes


async def test_what_is_planted_is_found_in_each_place(run: Run) -> None:
    in_a_log = run.site.home / "logs" / "worker-0.log"
    with in_a_log.open("a", encoding="utf-8") as log:
        log.write(f"to {PLANTED_NUMBER}: {WORDS[1]}\n")
    # An account's own word for a verification is kept as it was given, in the database alone.
    number = run.site.numbers.any()
    await run.site.client.start(number, reference=f"{PLANTED_NUMBER} {PLANTED_CODE}")
    plain = await Client.connect(run.site.programs.launch.temporal_address)
    await plain.start_workflow("Planted", WORDS, id="verification/planted", task_queue="nobody")

    found = await run.planted("verification/planted")

    both = {"number", "code"}
    assert found == {
        "logs": both,
        "database": both,
        "Temporal's database": both,
        "histories": both,
        "metrics": set(),
    }
    metric = f"sent_total{{to='{PLANTED_NUMBER}',code='{PLANTED_CODE}'}} 1"
    assert {hit.kind for hit in search([metric.encode()], PLANTED)} == both


async def test_what_a_client_of_ours_sends_is_found_where_it_is_opened_and_sealed_nowhere_else(run: Run) -> None:
    other, code = "+12035550177", "60417253"
    needles = needles_of([other], [code])
    client = run.site.temporal_client
    await client.start_workflow("Sealed", [other, code], id="verification/sealed", task_queue="nobody")

    lives = replace_verifications(Lives(run.site, seed=SEED), ("verification/sealed",))
    report = await look(run.site, needles, lives, seed=SEED)

    found = {
        place for place, each in report.findings.items() if {"number", "code"} <= {hit.kind for hit in each.issued}
    }
    is_sealed = run.encryption is PayloadEncryption.STRICT
    assert found == ({"histories"} if is_sealed else {"histories", "Temporal's database"})
