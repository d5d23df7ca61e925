"""`make run`: the whole product on a laptop as one process tree, with a demonstration; Ctrl-C stops what it started."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
from pydantic import ValidationError
from temporalio.client import Client

from cli.demo import DemoFailedError, demonstrate
from cli.launch import ContradictionError, Launch
from cli.ports import PortTakenError, ensure_free, free_port
from cli.processes import Processes, ProcessesFailedError
from cli.settings import LaunchSettings
from cli.waiting import NotReadyError, api_is_ready, temporal_answers, until, workers_poll
from domain.errors import DatabaseUnavailableError
from domain.statuses import Environment
from runtime.key_settings import key_encryption
from runtime.secrets_file import own_secret
from runtime.settings import Settings, told
from runtime.setup import pool_book
from runtime.temporal import connect, ensure_search_attributes
from security.key_encryption import BadKeyError, MissingKeyError, WrongKeyError
from services.installation_keys import InstallationKeys
from services.keys import has_nothing_to_open, open_keys
from services.pools import Pools
from store.engine import Database
from store.migrate import migrate
from workflows.attributes import ALL

_ACCOUNT = "ACME"
_READY_S = 60.0
_EXPECTED = (
    ContradictionError,
    PortTakenError,
    ProcessesFailedError,
    NotReadyError,
    DemoFailedError,
    BadKeyError,
    MissingKeyError,
    WrongKeyError,
)


class ExposedError(RuntimeError):
    """The settings ask for something that is not for one machine."""


class InUseError(RuntimeError):
    """Another `make run` has this state directory."""


def main() -> None:
    """Run until Ctrl-C; a failure that can be expected is a sentence and exit code 1."""
    # Databases, keys and logs are for the user who runs this, and for nobody else on the machine.
    os.umask(0o077)
    try:
        settings, own = Settings(), LaunchSettings()
        _ensure_for_one_machine(settings)
        home = settings.home.resolve()
        launch = Launch(
            settings=settings.model_copy(update={"home": home}),
            own=own,
            home=home,
            sandbox_port=free_port(),
            sandbox_secret=own_secret(home, "sandbox.secret"),
        )
        with _only_one(home):
            asyncio.run(_until_stopped(launch))
    except ValidationError as error:
        sys.exit(told(error))
    except DatabaseUnavailableError as error:
        sys.exit(f"The database cannot be used: {error.__cause__ or error}")
    except (*_EXPECTED, ExposedError, InUseError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The state directory cannot be used ({error.strerror}: {error.filename}); set COUNTERSIGN_HOME.")


def _ensure_for_one_machine(settings: Settings) -> None:
    if settings.tls_cert_file is not None:
        raise ExposedError(
            "`make run` is for one machine and serves it without TLS: take COUNTERSIGN_TLS_CERT_FILE and "
            "COUNTERSIGN_TLS_KEY_FILE away, or see docs/operations.md, In production"
        )
    if settings.exposure is not None:
        raise ExposedError(settings.exposure)


async def _until_stopped(launch: Launch) -> None:
    """Run the installation in a task that a signal cancels, and stop what it started."""
    running = asyncio.create_task(_run(launch))
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(launch: Launch) -> None:
    told = _RunFile(launch)
    processes = Processes(on_change=lambda: told.write(processes.pids()))
    client = await connect(launch.for_processes, keys=None)
    try:
        api_key = await _start(launch, processes, client)
        headers = {"Authorization": f"Bearer {api_key}"}
        async with httpx2.AsyncClient(base_url=launch.api, headers=headers, trust_env=False, timeout=15) as http:
            await until(lambda: api_is_ready(http), what="The API", within_s=_READY_S)
            await until(lambda: workers_poll(client), what="The worker", within_s=_READY_S)
            if launch.own.demo:
                _say("One verification, whose first carrier refuses:")
                _say("\n".join(f"  {line}" for line in await demonstrate(http)))
        told.api_key = api_key
        told.write(processes.pids())
        _say(_welcome(launch, api_key))
        await processes.until_one_fails()
    finally:
        told.remove()
        if processes.pids():
            _say("Stopping …")
            await processes.stop()
            _say("Stopped.")


async def _start(launch: Launch, processes: Processes, client: Client) -> str:
    """Start everything, each when what it needs is there; return the demo account's key."""
    ensure_free(launch.settings.port, purpose="the API", setting="COUNTERSIGN_PORT")
    if launch.own.temporal_address is None:
        ensure_free(launch.own.temporal_port, purpose="Temporal", setting="COUNTERSIGN_TEMPORAL_PORT")
        ensure_free(launch.own.temporal_ui_port, purpose="the Temporal UI", setting="COUNTERSIGN_TEMPORAL_UI_PORT")
    (launch.home / "logs").mkdir(parents=True, exist_ok=True)
    _say(f"Starting Countersign; its state and logs are in {launch.home}")
    if launch.own.temporal_address is None:
        await processes.add(launch.temporal())
    await processes.add(launch.sandbox())
    api_key = await _prepare_database(launch)
    # Both start while Temporal is away, so nobody waits for it here.
    await processes.add(launch.api_server())
    await processes.add(launch.worker())
    if launch.own.temporal_address is not None:
        await until(lambda: temporal_answers(client), what="Temporal", within_s=_READY_S)
        await ensure_search_attributes(client, [each.name for each in ALL])
    return api_key


async def _prepare_database(launch: Launch) -> str:
    """Migrate the database and return a working key of the demo account, the same as last time if there is one."""
    database = Database(launch.settings.database, command_timeout_s=None)
    try:
        await migrate(database)
        may_make = await has_nothing_to_open(database)
        keys = await open_keys(database, key_encryption(launch.settings, may_make=may_make))
        await Pools(database=database).load(pool_book(), environment=Environment.SANDBOX)
        api_keys = InstallationKeys(database=database, keys=keys)
        file = launch.home / "demo.key"
        known = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else None
        key = await api_keys.demo_key(account=_ACCOUNT, key=known, requests_per_s=launch.own.demo_api_rate)
        _write_private(file, key)
    finally:
        await database.close()
    return key


class _RunFile:
    """`run.json`: where everything is, for tools; there only while everything answers."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._file = launch.home / "run.json"
        self.api_key: str | None = None
        self.remove()

    def write(self, pids: dict[str, int]) -> None:
        """Write the file, whole or not at all; before everything has answered, not at all."""
        if self.api_key is None:
            return
        content = {
            "api": self._launch.api,
            "api_key": self.api_key,
            "temporal_address": self._launch.temporal_address,
            "temporal_ui": self._launch.temporal_ui,
            "pids": {"run": os.getpid(), **pids},
        }
        draft = self._file.with_suffix(".draft")
        _write_private(draft, json.dumps(content, indent=1))
        draft.replace(self._file)

    def remove(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)


def _welcome(launch: Launch, api_key: str) -> str:
    auth = f"-H 'Authorization: Bearer {api_key}'"
    json_now = "-H 'Content-Type: application/json' -H 'Prefer: wait=5'"
    number = "+447700900142"
    return f"""
Countersign is ready.
  API            {launch.api}
  API reference  {launch.api}/reference
  Temporal UI    {launch.temporal_ui or "of your own Temporal"}
  Demo key       {api_key}

Try it:
  curl -s {auth} {launch.api}/v1/verifications {json_now} -d '{{"to": "{number}"}}'
  curl -s {auth} '{launch.api}/v1/sandbox/messages?to=%2B{number[1:]}'
  curl -s {auth} {launch.api}/v1/verifications

Ctrl-C stops everything; starting again goes on with what was pending."""


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the state directory for this process alone."""
    with (home / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InUseError(
                f"Another `make run` uses {home}. Stop it, or give this one a state directory and ports of its own: "
                "COUNTERSIGN_HOME, COUNTERSIGN_PORT, COUNTERSIGN_TEMPORAL_PORT, COUNTERSIGN_TEMPORAL_UI_PORT."
            ) from None
        yield


def _write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
