"""How each process of `make run` is started: its command and what its environment adds."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cli.processes import Child
from cli.settings import LaunchSettings
from runtime.settings import ROOT, Settings
from runtime.temporal_settings import PayloadEncryption
from workflows.attributes import ALL

_BIN = Path(sys.executable).parent
# Without these two the development server lets every start, and every activity, wait 50 ms.
_QUICK_POLLING = (
    "history.transferProcessorMaxPollRPS=1000",
    "history.timerProcessorMaxPollRPS=1000",
)
# As the product's own SQLite file: the death of every process is survived, a power cut may cost the last moments.
# By default the server keeps a rollback journal and waits for the disk several times per task: half as many starts.
_QUICK_FILE = ("journal_mode=WAL", "synchronous=NORMAL")
# Without bytecode Temporal's sandbox would compile the workflow's source again for each verification.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


class ContradictionError(ValueError):
    """The settings ask for what cannot be together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One installation: where its state is, and what its processes are told.

    Raises:
        ContradictionError: TLS to an embedded Temporal, which has none.

    """

    settings: Settings
    own: LaunchSettings
    home: Path
    sandbox_port: int
    sandbox_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.own.temporal_address is None and self.settings.temporal_tls:
            raise ContradictionError(
                "COUNTERSIGN_TEMPORAL_TLS is set, but the embedded Temporal has no TLS: set "
                "COUNTERSIGN_TEMPORAL_ADDRESS to the one that has, or take COUNTERSIGN_TEMPORAL_TLS away"
            )

    @property
    def api(self) -> str:
        """Return the API's base URL."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def temporal_address(self) -> str:
        """Return where Temporal answers: embedded, or where the settings say."""
        return self.own.temporal_address or f"127.0.0.1:{self.own.temporal_port}"

    @property
    def temporal_ui(self) -> str | None:
        """Return the Temporal UI's URL, if it is known."""
        embedded = f"http://127.0.0.1:{self.own.temporal_ui_port}" if self.own.temporal_address is None else None
        return self.own.temporal_ui or embedded

    @property
    def for_processes(self) -> Settings:
        """Return the settings as its processes are told them; an embedded Temporal is read by nobody else."""
        told: dict[str, object] = {"temporal_address": self.temporal_address}
        if self.own.temporal_address is None:
            told["payload_encryption"] = self.settings.payload_encryption or PayloadEncryption.OFF
            told["temporal_ui_origin"] = self.settings.temporal_ui_origin or self.temporal_ui
        return self.settings.model_copy(update=told)

    def temporal(self) -> Child:
        """Return the embedded Temporal server: the official development server with a file database."""
        command = [
            str(_BIN / "temporal"),
            *("server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn"),
            *("--port", str(self.own.temporal_port), "--ui-port", str(self.own.temporal_ui_port)),
            *("--db-filename", str(self.home / "temporal.db")),
        ]
        for each in _QUICK_POLLING:
            command += ["--dynamic-config-value", each]
        for each in _QUICK_FILE:
            command += ["--sqlite-pragma", each]
        for attribute in ALL:
            command += ["--search-attribute", f"{attribute.name}=Keyword"]
        if self.for_processes.payloads is not PayloadEncryption.OFF:
            command += ["--ui-codec-endpoint", f"{self.api}/codec"]
        return self._child("temporal", command)

    def sandbox(self) -> Child:
        """Return the sandbox carriers."""
        return self._child(
            "sandbox",
            [sys.executable, "-m", "sandbox.main"],
            COUNTERSIGN_SANDBOX_FILE=str(self.home / "sandbox.db"),
            COUNTERSIGN_SANDBOX_PORT=str(self.sandbox_port),
            COUNTERSIGN_RECEIPT_URL=f"{self.api}/receipts",
        )

    def api_server(self) -> Child:
        """Return the API."""
        # By name, because several of them are told different ports.
        told = {"COUNTERSIGN_HOST": self.settings.host, "COUNTERSIGN_PORT": str(self.settings.port)}
        return self._child("api", [sys.executable, "-m", "api.serve"], **told)

    def worker(self) -> Child:
        """Return the worker for every role and region."""
        return self._child("worker", [sys.executable, str(ROOT / "worker.py")])

    def _child(self, name: str, command: list[str], **more: str) -> Child:
        return Child(
            name=name, command=command, environment=self._environment() | more, log=self.home / "logs" / f"{name}.log"
        )

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
        told = self.for_processes
        return inherited | {
            "COUNTERSIGN_HOME": str(self.home),
            "COUNTERSIGN_TEMPORAL_ADDRESS": told.temporal_address,
            "COUNTERSIGN_PAYLOAD_ENCRYPTION": told.payloads,
            "COUNTERSIGN_SANDBOX_URL": f"http://127.0.0.1:{self.sandbox_port}",
            "COUNTERSIGN_SANDBOX_SECRET": self.sandbox_secret,
            # In a demonstration the receiver runs beside it.
            "COUNTERSIGN_WEBHOOKS_TO_LOOPBACK": "true",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **({} if told.temporal_ui_origin is None else {"COUNTERSIGN_TEMPORAL_UI_ORIGIN": told.temporal_ui_origin}),
        }
