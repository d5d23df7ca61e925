"""Record the histories of a version that is about to be released: `python -m tests.replay.record 0.2.0`.

One per scenario, on a real development server, into `tests/replay/histories/<version>/`. A history is never recorded
again: one that is there is left as it is. When a change makes the replay of an old one fail, the change goes behind
`workflow.patched(...)`, and the old history stays.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from tests.replay import dispatching, judging, leasing, scenarios
from workflows.attributes import ALL

SCENARIOS: Mapping[
    str, scenarios.Scenario | dispatching.DispatchScenario | leasing.LeaseScenario | judging.JudgingScenario
] = {
    **scenarios.SCENARIOS,
    **dispatching.SCENARIOS,
    **leasing.SCENARIOS,
    **judging.SCENARIOS,
}
HISTORIES = Path(__file__).parent / "histories"
_SERVER = Path(sys.executable).with_name("temporal")


async def play(names: Sequence[str]) -> dict[str, str]:
    """Have scenarios happen, and return what was recorded of each."""
    # A name of its own: who recorded a history, and on which machine, is nobody's business.
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(_SERVER), search_attributes=ALL, identity="recorder"
    ) as environment:
        return {name: (await SCENARIOS[name].play(environment)).to_json() for name in names}


def record(folder: Path) -> list[str]:
    """Record the scenarios that have no history in a folder, and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in SCENARIOS if not (folder / f"{name}.json").exists()]
    for name, history in asyncio.run(play(missing)).items():
        with (folder / f"{name}.json").open("x", encoding="utf-8") as file:
            file.write(f"{history}\n")
    return missing


if __name__ == "__main__":
    print("recorded:", *record(HISTORIES / sys.argv[1]) or ["nothing, all are there"])  # noqa: T201
