"""`python -m bench.leases`: sends while workers are killed and leases rotate; nothing stale, nothing too fast."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.leases.drill import drill
from bench.postgres import Cluster


def main() -> None:
    """Run the drill on each database and print what it found; exit with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.leases", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of which lease is taken away when")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--parts-per-s", type=float, default=20.0, help="of each of the ten numbers")
    parser.add_argument("--databases", default="sqlite,postgresql", help="sqlite, postgresql or both")
    options = parser.parse_args()
    is_kept = True
    for kind in options.databases.split(","):
        with _database_url(kind) as url:
            report = asyncio.run(
                drill(
                    url,
                    messages=options.messages,
                    parts_per_s=options.parts_per_s,
                    kill_every_s=2.0,
                    within_s=60 + options.messages / 5,
                    seed=options.seed,
                )
            )
        print(f"{kind}: {report}", flush=True)
        is_kept = is_kept and report.is_kept
    sys.exit(0 if is_kept else 1)


@contextmanager
def _database_url(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite+aiosqlite:///{Path(folder) / 'leases.db'}"
        return
    with Cluster() as cluster:
        cluster.create_database("leases")
        yield cluster.url("leases")


if __name__ == "__main__":
    main()
