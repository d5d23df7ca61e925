"""`python -m bench.chaos.skewed SECONDS (SCRIPT | -m MODULE) ARGUMENTS`: run a program whose clock is that far off.

Only Python's clock is moved, before the program is imported: the database's, and Temporal's, are right, as they would
be on other machines.
"""

import runpy
import sys
from datetime import UTC, datetime, timedelta

import time_machine


def main() -> None:
    """Run the program that the command line names."""
    offset_s, *command = sys.argv[1:]
    there = datetime.now(UTC) + timedelta(seconds=float(offset_s))
    with time_machine.travel(there, tick=True):
        if command[0] == "-m":
            sys.argv = command[1:]
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
