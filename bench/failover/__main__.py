"""`python -m bench.failover`: how long after a carrier's refusal the next carrier has the message, in the product.

Everything is as in production: API, worker, Temporal, PostgreSQL, carriers reached over HTTP. The first carrier refuses
one message in three; both ends of the time are the carriers' own, from when that came to when its successor did.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from bench.failover.drill import Run, drill


def main(arguments: Sequence[str]) -> None:
    """Run the drill and print what it found; exit with 1 where the promise is broken."""
    plain = Run()
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__)
    parser.add_argument("--messages", type=int, default=plain.messages)
    parser.add_argument("--per-s", type=float, default=plain.per_s)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    options = parser.parse_args(arguments)
    # Without bytecode Temporal's sandbox compiles the workflow's source again for each verification.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    report = asyncio.run(drill(options.database, Run(messages=options.messages, per_s=options.per_s)))
    print(f"{options.database}: {report}")
    sys.exit(0 if report.is_kept else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
