"""`python -m bench.chaos.zygote`: a process that has imported the product's programs, and forks one for each order.

An order is a line of JSON on its input: the command, its environment, its log. The answer is a line with the process
id. It ends with its input, and what it forked ends with it.
"""

import ctypes
import importlib
import json
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PROGRAMS = ("worker", "api.main", "api.server", "uvicorn.protocols.http.auto", "sandbox.main", "time_machine")
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Import everything, then fork until the input ends."""
    for each in _PROGRAMS:
        importlib.import_module(each)
    # Ctrl-C in the terminal is for the drills; the dead are nobody's to wait for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(order["command"], environment=order["environment"], log=Path(order["log"]))
            os._exit(0)
        print(pid, flush=True)


def become(command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
    """Be a program, in the process that was forked for it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    for each in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    match command[1:]:
        case ["-m", module, *arguments]:
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *arguments]:
            sys.argv = [script, *arguments]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
