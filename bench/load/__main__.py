"""`make bench`: what this version does in a second, how long one request takes, what one verification costs."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import Any

from bench.load import facts
from bench.load.aged import AgedFigures, compare
from bench.load.driver import LoadFailedError
from bench.load.measuring import Measured, measure
from bench.load.plan import Plan, parse
from bench.load.reach import reaches
from bench.load.report import document, table
from bench.postgres_programs import PostgresError
from cli.waiting import NotReadyError


def main() -> None:
    """Measure, print the report, and keep it as JSON."""
    plan = parse(sys.argv[1:])
    try:
        with TemporaryDirectory(prefix="countersign-bench-") as bytecode:
            clear_environment(bytecode)
            asyncio.run(_until_stopped(plan))
    except asyncio.CancelledError:
        sys.exit("stopped")
    except (LoadFailedError, NotReadyError, PostgresError, RuntimeError) as error:
        sys.exit(str(error))


def clear_environment(bytecode: str) -> None:
    """Have the processes see this run and nothing else, and run from bytecode as they do once installed.

    An installation that the environment describes must not be what is measured, still less what is written to. Without
    bytecode Temporal's sandbox compiles the workflow's source again for each verification.
    """
    for name in [each for each in os.environ if each.startswith("COUNTERSIGN_")]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = bytecode


async def _until_stopped(plan: Plan) -> None:
    """Run in a task that a SIGTERM cancels, so that everything is taken down then as well."""
    running = asyncio.create_task(_run(plan))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await running


async def _run(plan: Plan) -> None:
    began, clock = facts.now(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - clock:6.1f} s  {text}", file=sys.stderr, flush=True)

    machine = facts.machine()
    about: dict[str, Any] = {"began": began, "quick": plan.is_quick, "machine": machine, "versions": facts.versions()}
    measured: list[Measured] = [await measure(database, plan, say=say) for database in plan.databases]
    aged: AgedFigures | None = None if plan.aged is None else await compare(plan, plan.aged, say=say)
    reached = reaches(measured, aged)
    about |= {"ended": facts.now(), "plan": {**asdict(plan), "results": None}}
    plan.results.mkdir(parents=True, exist_ok=True)
    file = plan.results / f"load-{began.replace(':', '')}.json"
    file.write_text(document(measured, aged, reached, about), encoding="utf-8")
    print(f"\n{began}, versions {about['versions']}\n{machine}")
    busy = machine["load_average_before"][0] > facts.BUSY
    print("The machine was busy before the run began: these figures are provisional.\n" if busy else "")
    print(table(measured, aged, reached))
    say(f"done; {file.name} is in the results folder")


if __name__ == "__main__":
    main()
