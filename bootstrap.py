#!/usr/bin/env python3
"""Give `.venv` one pinned set of packages: `python3 bootstrap.py runtime` or `python3 bootstrap.py dev`.

Standard library only, and written for an old Python: 3.5 must get far enough to say what is missing. Where packages
come from is pip's configuration and nobody else's: this file names no index.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import Iterator, List, Tuple

OLDEST = (3, 11)
# A set is also there when a larger one is.
COVERS = {"runtime": ("runtime",), "dev": ("runtime", "dev")}

ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
STAMP = os.path.join(VENV, "countersign-stamp")
LOCK = os.path.join(ROOT, "var", "bootstrap.lock")

# Stands in the stamp while `.venv` is being changed. Found later, it tells of a run that was cut off.
UNFINISHED = "unfinished\n"
PROBE = "import sys, pip; sys.exit(sys.version_info < (%d, %d))" % OLDEST
# How often a log, which cannot be overwritten like a terminal's line, hears that work goes on.
LOG_INTERVAL_S = 15


class SetupError(Exception):
    """Nothing more can be done here; the sentence says what the user can do."""


def main(arguments: List[str]) -> int:
    """Prepare the set that was asked for; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in COVERS:
        print("usage: python3 bootstrap.py runtime|dev", file=sys.stderr)
        return 2
    try:
        if not is_ready(arguments[0]):
            check_version(sys.version_info[:2])
            prepare(arguments[0])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print("Could not prepare .venv: {}".format(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command will start afresh.", file=sys.stderr)
        return 130
    return 0


def check_version(version: Tuple[int, ...]) -> None:
    """Raise SetupError when a Python of this version cannot run Countersign."""
    if version < OLDEST:
        raise SetupError(
            "Countersign needs Python {0}.{1} or newer and this is {2}.{3}; "
            "install one and name it: make PYTHON=python{0}.{1} run".format(*(OLDEST + tuple(version[:2])))
        )


def check_modules() -> None:
    """Raise SetupError when this Python came without what makes virtual environments; Debian packs that apart."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                "This Python has no '{}', which makes virtual environments; "
                "on Debian and Ubuntu: apt install python3-venv".format(module)
            )


def is_ready(wanted: str) -> bool:
    """Tell whether the stamp vouches for this set, at this place, under the interpreter that is there now."""
    lines = read(STAMP).splitlines()
    return place() in lines and fingerprint(wanted) in lines


def place() -> str:
    """Return the stamp's line about where `.venv` is and which interpreter it leads to."""
    try:
        found = os.stat(PYTHON)
    except OSError:
        return "no interpreter"
    return "at {} {} {} {}".format(VENV, os.path.realpath(PYTHON), found.st_size, found.st_mtime_ns)


def fingerprint(name: str) -> str:
    """Return the stamp's line about one requirement file: its name and its SHA-256."""
    with open(requirements(name), "rb") as file:
        return "{} {}".format(name, hashlib.sha256(file.read()).hexdigest())


def requirements(name: str) -> str:
    """Return the path of a requirement file."""
    return os.path.join(ROOT, "requirements", name + ".txt")


def read(path: str) -> str:
    """Return a file's text, or nothing where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def prepare(wanted: str) -> None:
    """Bring `.venv` to hold the set, and stamp it."""
    with alone():
        if is_ready(wanted):
            return
        if not is_sound():
            create()
        before = read(STAMP).replace(UNFINISHED, "")
        stamp(UNFINISHED)
        try:
            install(wanted)
        except SetupError:
            # Installers fetch everything before they change anything: what worked still works, offline too.
            stamp(before)
            raise
        stamp("\n".join([place()] + [fingerprint(name) for name in COVERS[wanted]]) + "\n")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run works on `.venv`, then keep others out."""
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    with open(LOCK, "w", encoding="utf-8") as file:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - absent on Windows, where two runs at once are the user's affair

            # An installer that outlives a killed bootstrap inherits the lock and so still keeps others out.
            os.set_inheritable(file.fileno(), True)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another run is preparing .venv; waiting for it", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_sound() -> bool:
    """Tell whether `.venv` can be built upon: whole, not moved, its Python there and new enough."""
    if read(STAMP) == UNFINISHED or VENV not in read(os.path.join(BIN, "activate")):
        return False
    try:
        return subprocess.call([PYTHON, "-c", PROBE], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def create() -> None:
    """Make `.venv` anew."""
    check_modules()
    if os.path.islink(VENV) or os.path.isfile(VENV):
        os.remove(VENV)
    elif os.path.isdir(VENV):
        shutil.rmtree(VENV)
    os.mkdir(VENV)
    stamp(UNFINISHED)
    label = "Creating .venv with Python {}.{}".format(*sys.version_info[:2])
    problem = run(label, [sys.executable, "-m", "venv", VENV])
    if problem:
        raise SetupError("Could not create .venv ({}); on Debian and Ubuntu: apt install python3-venv".format(problem))


def install(wanted: str) -> None:
    """Install the pinned set with uv; with pip, slower, where uv cannot be had or cannot reach its index."""
    pip = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes", "-r"]
    uv = [os.path.join(BIN, "uv"), "pip", "install", "--python", PYTHON, "--require-hashes", "-r"]
    pins = [line for line in read(requirements(wanted)).splitlines() if line[:1].isalnum()]
    label = "Installing {} packages".format(len(pins))

    if not run("Installing uv", [*pip, requirements("uv"), "--retries", "1"]):
        if not run(label, [*uv, requirements(wanted)]):
            return
        print("uv could not; trying pip")
    problem = run(label + " with pip, about a minute", [*pip, requirements(wanted)])
    if problem:
        raise SetupError(
            "Could not install the packages ({}). Check the network and pip's settings "
            "(python3 -m pip config list), then repeat the command.".format(problem)
        )


def run(label: str, command: List[str]) -> str:
    """Run a command while a line shows that time passes; return the last thing a failing one said, else nothing."""
    with tempfile.TemporaryFile() as output:
        # close_fds=False: the child shares the lock, see alone().
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, close_fds=False)
        try:
            wait(child, label)
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise
        output.seek(0)
        said = output.read().decode(errors="replace").strip().splitlines()
    if child.returncode == 0:
        return ""
    return said[-1].strip() if said else "exit status {}".format(child.returncode)


def wait(child: "subprocess.Popen[bytes]", label: str) -> None:
    """Wait for a child process, telling the user every second on a terminal and now and then in a log."""
    is_terminal = sys.stdout.isatty()
    started = time.monotonic()
    print(label, end="" if is_terminal else "\n", flush=True)
    while True:
        try:
            child.wait(timeout=1 if is_terminal else LOG_INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            passed = "{} ... {:.0f} s".format(label, time.monotonic() - started)
            print("\r" + passed if is_terminal else passed, end="" if is_terminal else "\n", flush=True)
    if is_terminal:
        print()


def stamp(text: str) -> None:
    """Write the stamp in one step, so that no reader ever finds half of it."""
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(STAMP + ".new", STAMP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
