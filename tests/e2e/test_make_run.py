"""`make run` from the outside: the real process tree, a real HTTP client, crashes, Ctrl-C and a second start.

The tests share one tree and stand in the order in which they use it up.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from standardwebhooks import Webhook

from bench.webhooks.sink import sinking
from cli.ports import ensure_free
from tests.e2e.tree import (
    PATIENCE_S,
    ROOT,
    Tree,
    check,
    code_for,
    completed,
    eventually,
    running_tree,
    start,
    supervisor_asleep,
    worker_of,
)
from tests.workflows.decoding import texts_of

pytestmark = pytest.mark.xdist_group("e2e")
# Fiction numbers; the last two digits of a GB one say what the carriers do (`docs/sandbox.md`).
ACCEPTED, NOT_NOTICED, LATE = "+447700900701", "+447700900702", "+447700900703"
GB_POOL_REFUSES, ALPHA_HANGS, ALPHA_HANGS_TOO = "+447700900792", "+447700900796", "+447700900896"
TOLD = "+447700900705"
AMERICAN = "+12025550123"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    with running_tree(tmp_path_factory.mktemp("e2e") / "home") as running:
        yield running


@pytest.fixture
def client(tree: Tree) -> Iterator[httpx2.Client]:
    with tree.client() as opened:
        yield opened


def attempts(client: httpx2.Client, verification: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/verifications/{verification}").json()["attempts"]
    return found


def told(attempts: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["carrier"], each["pool_country"], each["status"]) for each in attempts]


def is_submitting(client: httpx2.Client, verification: str) -> bool:
    return any(each["status"] == "submitting" for each in attempts(client, verification))


def test_it_demonstrates_a_refusal_a_fail_over_and_an_approval(tree: Tree) -> None:
    timeline = [line.split(" ms ", 1)[1].strip() for line in tree.said.splitlines() if " ms  " in line]

    assert timeline[0] == "verification of +44••••••0091 started"
    assert "alpha answered rejected: route_temporary" in timeline
    assert "bravo answered accepted" in timeline
    assert timeline[-1] == "code checked: approved"


def test_it_says_where_everything_is(tree: Tree, client: httpx2.Client) -> None:
    said, run = tree.said, tree.run

    ui = httpx2.get(run["temporal_ui"], follow_redirects=True, trust_env=False)
    shown = httpx2.get(f"{run['temporal_ui']}/api/v1/namespaces/default/workflows", trust_env=False)

    assert set(run) == {"api", "api_key", "temporal_address", "temporal_ui", "pids"}
    assert set(run["pids"]) == {"run", "temporal", "sandbox", "api", "worker"}
    assert all(psutil.pid_exists(pid) for pid in run["pids"].values())
    for each in (f"{run['api']}/reference", run["temporal_ui"], run["api_key"]):
        assert each in said
    assert client.get("/readyz").json()["status"] == "ready"
    assert client.get("/reference").status_code == 200
    assert (ui.status_code, ui.headers["content-type"]) == (200, "text/html")
    assert "VerificationWorkflow" in shown.text
    assert (tree.home / "run.json").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_printed_lines_work_as_they_are(tree: Tree, client: httpx2.Client) -> None:
    lines = [line.strip() for line in tree.said.splitlines() if line.startswith("  curl")]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

    def run(line: str) -> Any:
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, env=environment, timeout=20)
        return json.loads(done.stdout)

    started = run(lines[0])
    code_for(client, "+447700900142")
    messages, listed = run(lines[1])["messages"], run(lines[2])

    assert started["status"] == "pending"
    assert started["to"] == "+44••••••0142"
    assert [each["to"] for each in messages] == ["+447700900142"]
    assert started["id"] in json.dumps(listed)


async def test_a_number_is_verified_and_nothing_keeps_the_number_or_the_code(tree: Tree, client: httpx2.Client) -> None:
    started = start(client, ACCEPTED, code_length=8, brand="ACME", reference="signup-42")
    code = code_for(client, ACCEPTED)
    wrong = check(client, started["id"], "00000000" if code != "00000000" else "11111111")
    right = check(client, started["id"], code)

    temporal = await tree.temporal()
    await completed(temporal, started["id"])
    history = await temporal.get_workflow_handle(f"verification/{started['id']}").fetch_history()
    texts = texts_of(history)
    files = [file for file in tree.home.rglob("*") if file.is_file() and not file.name.startswith("sandbox.")]

    assert (wrong["valid"], wrong["status"], wrong["checks_left"]) == (False, "pending", 4)
    assert (right["valid"], right["status"]) == (True, "approved")
    assert len(history.events) <= 17
    assert any("attempt-0" in text for text in texts), "no event group"
    for secret in (ACCEPTED[1:], ACCEPTED[3:], code):
        assert not [text for text in texts if secret in text]
        assert not [file for file in files if secret.encode() in file.read_bytes()]
    assert {"temporal.db", "countersign.db", "worker.log"} <= {file.name for file in files}


def test_when_the_whole_pool_refuses_the_backup_country_delivers(client: httpx2.Client) -> None:
    started = start(client, GB_POOL_REFUSES)
    outcome = check(client, started["id"], code_for(client, GB_POOL_REFUSES))

    assert outcome["status"] == "approved"
    assert [each[:2] for each in told(outcome["verification"]["attempts"])] == [
        ("alpha", "GB"),
        ("bravo", "GB"),
        ("charlie", "US"),
    ]
    assert [each["status"] for each in outcome["verification"]["attempts"][:2]] == ["rejected", "rejected"]


def test_a_carrier_that_hangs_is_unknown_and_the_next_one_delivers(client: httpx2.Client) -> None:
    started = start(client, ALPHA_HANGS)
    outcome = check(client, started["id"], code_for(client, ALPHA_HANGS))

    assert outcome["status"] == "approved"
    assert told(outcome["verification"]["attempts"])[0] == ("alpha", "GB", "unknown")
    assert told(outcome["verification"]["attempts"])[1][:2] == ("bravo", "GB")


def test_a_port_that_is_taken_is_a_sentence_and_exit_code_1(tree: Tree, tmp_path: Path) -> None:
    """The last of the ports that is looked at: nothing may have been started before."""
    other, taken = Tree(home=tmp_path / "other"), "COUNTERSIGN_TEMPORAL_UI_PORT"
    other.ports[taken] = tree.ports[taken]

    done = subprocess.run(
        [sys.executable, "-m", "cli.run"], env=other.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert f"Port {tree.ports[taken]}" in sentence
    assert f"set {taken} to a free port" in sentence
    assert not (other.home / "logs").exists()


def test_a_state_directory_in_use_is_a_sentence_and_exit_code_1(tree: Tree) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.run"], env=tree.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "COUNTERSIGN_HOME" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree.pids["run"]


def test_a_region_without_workers_is_failed_over(tree: Tree, client: httpx2.Client) -> None:
    worker = tree.pids["worker"]
    environment = psutil.Process(worker).environ()

    with supervisor_asleep(tree):
        tree.kill_worker()
        with worker_of(tree, "--region", "eu", environment=environment):
            started = start(client, AMERICAN)
            outcome = check(client, started["id"], code_for(client, AMERICAN))
    tree.worker_other_than(worker)

    silent, sent = outcome["verification"]["attempts"]
    assert told([silent, sent])[0] == ("charlie", "US", "rejected")
    assert (sent["pool_country"], sent["carrier"]) == ("GB", "alpha")
    assert "no worker in region na" in sent["reason"]
    waited = datetime.fromisoformat(sent["planned_at"]) - datetime.fromisoformat(silent["planned_at"])
    assert waited.total_seconds() >= 3
    assert outcome["status"] == "approved"


async def test_a_receiver_beside_it_is_told_of_a_verification(client: httpx2.Client) -> None:
    async with sinking() as sink:
        made = client.post("/v1/webhooks", json={"url": f"{sink.url}/hook", "events": ["verification.*"]}).json()
        begun = start(client, TOLD)
        code = await asyncio.to_thread(code_for, client, TOLD)
        check(client, begun["id"], code)
        async with asyncio.timeout(PATIENCE_S):
            await sink.arrived(2)
        deliveries = client.get(f"/v1/webhooks/{made['id']}/deliveries").json()["deliveries"]
        client.delete(f"/v1/webhooks/{made['id']}")

    heard = [Webhook(made["secret"]).verify(each.body, dict(each.headers)) for each in sink.ledger]
    assert min((each["sequence"], each["type"]) for each in heard) == (1, "verification.created")
    assert {each["type"] for each in heard} == {"verification.created", "verification.approved"}
    assert {each["data"]["verification_id"] for each in heard} == {begun["id"]}
    assert {each["event_id"] for each in deliveries} <= {each["id"] for each in heard}


async def test_a_worker_that_is_killed_is_started_again_and_goes_on(tree: Tree, client: httpx2.Client) -> None:
    pending = start(client, NOT_NOTICED)
    code = code_for(client, NOT_NOTICED)

    killed = tree.kill_worker()
    meanwhile = start(client, LATE)
    first = check(client, pending["id"], code)
    tree.worker_other_than(killed)
    second = check(client, meanwhile["id"], code_for(client, LATE))

    temporal = await tree.temporal()
    assert (first["status"], second["status"]) == ("approved", "approved")
    await completed(temporal, pending["id"])
    await completed(temporal, meanwhile["id"])


async def test_ctrl_c_stops_everything_and_another_start_goes_on_with_what_was_pending(tree: Tree) -> None:
    with tree.client() as client:
        waiting, under_way = start(client, "+447700900704"), start(client, ALPHA_HANGS_TOO)
        code = code_for(client, "+447700900704")
        eventually(lambda: is_submitting(client, under_way["id"]), within_s=PATIENCE_S, what="a submission")
    assert tree.process is not None
    family = psutil.Process(tree.process.pid).children(recursive=True)
    pids, key = tree.pids, tree.run["api_key"]

    with tree.client() as client, client.stream("GET", "/v1/events/stream") as stream:
        lines = stream.iter_lines()
        next(lines)
        exit_code = tree.interrupt()
        # A stream has no end of its own: it is ended in order, where one that is cut off would raise here.
        assert not [line for line in lines if line.startswith("event: verification.approved")]

    assert exit_code == 0
    assert not [each for each in family if each.is_running()]
    assert not [name for name, pid in pids.items() if psutil.pid_exists(pid)]
    assert not (tree.home / "run.json").exists()
    for name, port in tree.ports.items():
        ensure_free(port, purpose=name, setting=name)

    tree.start(COUNTERSIGN_DEMO="0")

    assert "verification of" not in tree.said
    assert tree.run["api_key"] == key
    with tree.client() as client:
        assert check(client, waiting["id"], code)["status"] == "approved"
        outcome = check(client, under_way["id"], code_for(client, ALPHA_HANGS_TOO))
    assert outcome["status"] == "approved"
    assert told(outcome["verification"]["attempts"])[0] == ("alpha", "GB", "unknown")
    temporal = await tree.temporal()
    await completed(temporal, waiting["id"])
    await completed(temporal, under_way["id"])


def test_a_supervisor_that_is_killed_leaves_nothing_behind(tree: Tree) -> None:
    assert tree.process is not None
    family = psutil.Process(tree.process.pid).children(recursive=True)

    tree.process.kill()
    tree.process.wait()

    eventually(lambda: not [each for each in family if runs(each)], within_s=20, what="the end of all")
    assert re.search("Countersign is ready", tree.said)


def runs(process: psutil.Process) -> bool:
    """Say whether a process still runs; one that has ended and that init has not collected yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
