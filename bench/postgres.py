"""A PostgreSQL server of one's own, for tests and benches: real, socket only, gone with the process that started it.

Never for production: whoever reaches the socket is a superuser. The folder is closed to everyone else.
"""

import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil

from bench.postgres_programs import (
    PostgresError,
    account_to_run_as,
    environment,
    find_binaries,
    hand_over,
    identity,
    may_use,
    run,
    usable,
)

# The one role there is.
USER = "countersign"

# sockaddr_un holds 104 bytes on macOS and 108 on Linux; PostgreSQL adds "/.s.PGSQL.5432.lock".
LONGEST_FOLDER = 80

# A cold two-core machine needs about 1 s to start; recovery after a crash under load a few more.
START_LIMIT_S = 60
# A fast shutdown only waits for its checkpoint.
STOP_LIMIT_S = 20
POLL_S = 0.02

# Waits for the end of its input, which comes when the process that started the server is gone, however it went.
GUARD = """
read -r _
kill -INT "$1"
n=0
while kill -0 "$1" && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$2"
"""

# Fast and forgetful: a crash of the machine may lose everything, a crash of the server the last commits.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Cluster:
    """One server with its data, `with Cluster() as cluster:`; data lives until the block ends.

    A `durable` server keeps every commit through `kill`. Raises PostgresError where PostgreSQL cannot be had.
    """

    def __init__(self, *, durable: bool = False, max_connections: int = 200, binaries: Path | None = None) -> None:
        found = binaries or find_binaries()
        self._account = account_to_run_as()
        self._home = _new_home(self._account)
        self._binaries = usable(found, home=self._home, account=self._account)
        self._settings = (
            "listen_addresses=",
            f"unix_socket_directories={self._home}",
            "port=5432",
            f"max_connections={max_connections}",
            "timezone=UTC",
            *(() if durable else FORGETFUL),
        )
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._server.pid if self._server is not None else None

    def url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database, for asyncpg."""
        return f"postgresql+asyncpg://{USER}@/{quote(database)}?host={quote(str(self._home))}&port=5432"

    def start(self) -> None:
        """Start the server, with an empty data folder the first time, and wait until it answers."""
        if self._server is not None:
            return
        if not self._data.exists():
            self._initialise()
        self._launch()
        self._await_ready()

    def stop(self) -> None:
        """Shut down in order, keeping the data."""
        if self._server is None:
            return
        self._dismiss_guard()
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(timeout=STOP_LIMIT_S)
            self._server = None
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would, keeping the data."""
        if self._server is None:
            return
        self._dismiss_guard()
        # Each backend leads a session of its own, so there is no group to signal.
        family = _descendants(self._server.pid)
        self._server.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._server.wait()
        while any(_is_alive(process) for process in family):
            time.sleep(POLL_S)
        self._server = None

    def restart(self) -> None:
        """Stop in order, if it runs, and start on the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and remove the data."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Create a database, empty or as a copy of another, to which nobody may be connected."""
        self._tool("createdb", *(("--template", template) if template else ()), name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there; whoever is connected to it is thrown out."""
        self._tool("dropdb", "--if-exists", "--force", name)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _log(self) -> Path:
        return self._home / "log"

    def _initialise(self) -> None:
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={USER}")
        run(self._binaries / "initdb", *options, f"--pgdata={self._data}", account=self._account)

    def _launch(self) -> None:
        # A session of its own: Ctrl-C in a terminal is for us; the server goes when we say so.
        options = [part for setting in self._settings for part in ("-c", setting)]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
                cwd=self._home,
                **identity(self._account),
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self._server.pid), self._home],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **identity(self._account),
        )

    def _dismiss_guard(self) -> None:
        # Before the server ends: its process id may be another's by the time the guard would use it.
        if self._guard is None:
            return
        self._guard.kill()
        self._guard.communicate()
        self._guard = None

    def _await_ready(self) -> None:
        assert self._server is not None  # noqa: S101 - for the type checker: _launch has just set it
        limit = time.monotonic() + START_LIMIT_S
        while not self._is_ready(self._server.pid):
            if self._server.poll() is not None or time.monotonic() > limit:
                said = self._log.read_text(errors="replace")[-2000:]
                self.kill()
                raise PostgresError(f"PostgreSQL did not start:\n{said}")
            time.sleep(POLL_S)

    def _is_ready(self, pid: int) -> bool:
        """Read the server's own word: its process id on the first line of this file, its state on the eighth."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and [line.strip() for line in lines[7:8]] == ["ready"]

    def _tool(self, name: str, *arguments: str) -> None:
        run(self._binaries / name, "--host", str(self._home), "--username", USER, *arguments, account=self._account)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; a zombie, which only waits for init to notice, does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _new_home(account: str | None) -> Path:
    """Make a folder that the account owns, with a path short enough for a socket."""
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it ours alone
        home = Path(tempfile.mkdtemp(prefix="countersign-pg-", dir=place)).resolve()
        hand_over(home, account=account)
        if len(str(home)) <= LONGEST_FOLDER and may_use(home, account=account):
            return home
        home.rmdir()
    raise PostgresError("No temporary folder is both short enough for a socket and open to PostgreSQL's account")
