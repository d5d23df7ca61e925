"""The commands of an installation's processes: those of `make run`, each in the number and with the clock wanted."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from bench.chaos.forked import Forked, Forks
from bench.chaos.part import Command, Program
from cli.launch import Launch
from cli.ports import free_port
from cli.processes import Child
from cli.settings import LaunchSettings
from runtime.secrets_file import own_secret
from runtime.settings import Settings
from runtime.temporal_settings import PayloadEncryption


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Makes the processes of one installation; `clock_s` is how far a process's Python clock is to be off.

    With `forks` the Python ones are forked instead of executed.
    """

    launch: Launch
    environment: Mapping[str, str]
    forks: Forks | None

    @classmethod
    def of(
        cls, home: Path, *, database_url: str, forks: Forks | None, encryption: PayloadEncryption | None = None
    ) -> "Programs":
        """Return the programs of an installation in a folder, on free ports."""
        temporal_port = free_port()
        settings = Settings(
            home=home,
            port=free_port(),
            database_url=database_url,
            temporal_address=f"127.0.0.1:{temporal_port}",
            payload_encryption=encryption,
        )
        own = LaunchSettings(temporal_port=temporal_port, temporal_ui_port=free_port(), temporal_address=None)
        secret = own_secret(home, "sandbox.secret")
        launch = Launch(settings=settings, own=own, home=home, sandbox_port=free_port(), sandbox_secret=secret)
        return cls(launch=launch, environment={"COUNTERSIGN_DATABASE_URL": database_url}, forks=forks)

    @property
    def sandbox_url(self) -> str:
        """Return where the sandbox carriers answer."""
        return f"http://127.0.0.1:{self.launch.sandbox_port}"

    def temporal(self) -> Program:
        """Return the Temporal server, with its file database and without its UI."""
        child = self.launch.temporal()
        child.command = [*child.command, "--headless"]
        return Command(child)

    def sandbox(self) -> Program:
        """Return the sandbox carriers."""
        return self._started(self.launch.sandbox())

    def writer(self, number: int, *, writers: int) -> Program:
        """Return a process that writes to the database in competition with the others."""
        child = self._fitted(self.launch.worker(), f"writer-{number}", 0)
        child.command = [sys.executable, "-m", "bench.chaos.writer", str(writers)]
        return self._started(child)

    def recorder(self, number: int, account_id: UUID) -> Program:
        """Return a process that records in an account's audit trail as fast as it goes."""
        child = self._fitted(self.launch.worker(), f"recorder-{number}", 0)
        child.command = [sys.executable, "-m", "bench.chaos.recorder", account_id.hex]
        return self._started(child)

    def command(self, name: str, *words: str, told: Mapping[str, str] | None = None) -> Program:
        """Return one of an operator's commands, `countersign` and these words."""
        child = self._fitted(self.launch.worker(), name, 0, told)
        child.command = [sys.executable, "-m", "cli", *words]
        return self._started(child)

    def api(self, number: int, *, port: int, clock_s: int = 0, told: Mapping[str, str] | None = None) -> Program:
        """Return one of several API processes; `told` are settings of this one alone."""
        settings = self.launch.settings.model_copy(update={"port": port})
        child = replace(self.launch, settings=settings).api_server()
        return self._started(self._fitted(child, f"api-{number}", clock_s, told))

    def worker(self, number: int, *, clock_s: int = 0, told: Mapping[str, str] | None = None) -> Program:
        """Return one of several workers."""
        return self._started(self._fitted(self.launch.worker(), f"worker-{number}", clock_s, told))

    def _started(self, child: Child) -> Program:
        return Command(child) if self.forks is None else Forked(child, self.forks)

    def _fitted(self, child: Child, name: str, clock_s: int, told: Mapping[str, str] | None = None) -> Child:
        python, *rest = child.command
        skewed = ["-m", "bench.chaos.skewed", str(clock_s)] if clock_s else []
        return Child(
            name=name,
            command=[python, *skewed, *rest],
            environment={**child.environment, **self.environment, **(told or {})},
            log=child.log.with_name(f"{name}.log"),
        )
