"""`make run`'s process tree, started as its own program on ports and in a directory of its own."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2
import psutil
from temporalio.client import Client, WorkflowExecutionStatus

from cli.ports import free_port

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\b[0-9]{6,8}\b")
# It is there in six seconds; on a machine that does much else, later.
READY_S = 60.0
# For what takes seconds at most; on such a machine, longer.
PATIENCE_S = 60.0
# A worker's drain may last eight seconds, the API's too.
STOP_S = 40.0
_PORTS = ("COUNTERSIGN_PORT", "COUNTERSIGN_TEMPORAL_PORT", "COUNTERSIGN_TEMPORAL_UI_PORT")
_T = TypeVar("_T")


def eventually(look: Callable[[], _T], *, within_s: float, what: str) -> _T:
    """Look until there is something to see, and return it."""
    limit = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < limit, f"{what} did not happen within {within_s:.0f} s"
        time.sleep(0.05)
    return seen


@dataclass(kw_only=True)
class Tree:
    """One installation. Its ports stay the same when it is started again."""

    home: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in _PORTS})
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a user who has set nothing but where it is to run."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        return {**clean, **{name: str(port) for name, port in self.ports.items()}, "COUNTERSIGN_HOME": str(self.home)}

    @property
    def run(self) -> dict[str, Any]:
        """Return what `run.json` says."""
        said: dict[str, Any] = json.loads((self.home / "run.json").read_text(encoding="utf-8"))
        return said

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.run["pids"])

    @property
    def said(self) -> str:
        """Return what it has printed since it was started last."""
        return (self.home / "said.txt").read_text(encoding="utf-8")

    def start(self, **settings: str) -> Self:
        """Start it and wait until everything answers."""
        self.home.mkdir(exist_ok=True)
        with (self.home / "said.txt").open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.run"],
                cwd=ROOT,
                env=self.environment | settings,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(self._is_ready, within_s=READY_S, what="run.json")
        return self

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=STOP_S)

    def close(self) -> None:
        """Leave nothing behind, whatever a test has done."""
        if self.process is None or self.process.poll() is not None:
            return
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.interrupt()
        finally:
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            self.process.kill()
            self.process.wait()

    def client(self) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.run['api_key']}"}
        return httpx2.Client(base_url=self.run["api"], headers=headers, trust_env=False, timeout=20)

    async def temporal(self) -> Client:
        return await Client.connect(self.run["temporal_address"])

    def kill_worker(self) -> int:
        """Kill the worker without a word; return its process id."""
        pid = self.pids["worker"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def worker_other_than(self, pid: int) -> int:
        """Wait until the tree has another worker than this one."""
        other = eventually(lambda: {self.pids.get("worker", pid)} - {pid}, within_s=READY_S, what="another worker")
        return other.pop()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said
        return (self.home / "run.json").exists()


@contextmanager
def running_tree(home: Path) -> Iterator[Tree]:
    tree = Tree(home=home)
    try:
        yield tree.start()
    finally:
        tree.close()


@contextmanager
def supervisor_asleep(tree: Tree) -> Iterator[None]:
    """Keep the tree from starting anything again for a while."""
    assert tree.process is not None
    os.kill(tree.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(tree.process.pid, signal.SIGCONT)


@contextmanager
def worker_of(tree: Tree, *arguments: str, environment: dict[str, str]) -> Iterator[None]:
    """Run one more worker of the installation."""
    with (tree.home / "logs" / "another.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, str(ROOT / "worker.py"), *arguments], env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(timeout=STOP_S)


def start(client: httpx2.Client, to: str, **more: Any) -> dict[str, Any]:
    """Start verifying a number."""
    answer = client.post("/v1/verifications", json={"to": to, **more})
    assert answer.status_code == 201, answer.text
    started: dict[str, Any] = answer.json()
    return started


def code_for(client: httpx2.Client, to: str, *, within_s: float = PATIENCE_S) -> str:
    """Read the newest code that a handset was sent."""

    def newest() -> str | None:
        messages = client.get("/v1/sandbox/messages", params={"to": to}).json()["messages"]
        return CODE.findall(messages[-1]["text"])[0] if messages else None

    code = eventually(newest, within_s=within_s, what="a message")
    assert code is not None
    return code


def check(client: httpx2.Client, verification: str, code: str) -> dict[str, Any]:
    """Check a code."""
    answer = client.post(f"/v1/verifications/{verification}/checks", json={"code": code})
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    return outcome


async def completed(temporal: Client, verification: str, *, within_s: float = PATIENCE_S) -> None:
    """Wait until a verification's workflow has ended well."""
    handle, limit = temporal.get_workflow_handle(f"verification/{verification}"), time.monotonic() + within_s
    while (await handle.describe()).status is not WorkflowExecutionStatus.COMPLETED:
        assert time.monotonic() < limit, f"{verification} is still under way"
        await asyncio.sleep(0.1)
