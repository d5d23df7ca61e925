"""What `make run` does in its own time: another message; a leased number's whole life, through outages and kills.

Months are skipped by moving the number's own moments into the past; nothing else is made up.
"""

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx2
import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.ids import parse
from rules.routing.lease_life import DRAIN_S
from store.engine import Database
from tests.e2e.tree import PATIENCE_S, Tree, check, code_for, completed, eventually, start
from tests.store.numbering import let_days_pass
from workflows.number_lease import NumberLeaseWorkflow

pytestmark = pytest.mark.xdist_group("e2e")
_DAY_S = 86_400
TO = "+447700900711"
POLICY = {
    "primary_pool": "GB",
    "backup_pools": ["US"],
    "mode": "ordered",
    "max_carriers": 3,
    "verify_wait_s": 20,
    "auto_resend": True,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    made = Tree(home=tmp_path_factory.mktemp("by-itself") / "home")
    try:
        # What an account wants is believed for a second, and a demonstration would just have asked.
        yield made.start(COUNTERSIGN_DEMO="0")
    finally:
        made.close()


@pytest.fixture
def client(tree: Tree) -> Iterator[httpx2.Client]:
    with tree.client() as opened:
        yield opened


@pytest.fixture
async def database(tree: Tree) -> AsyncIterator[Database]:
    opened = Database(f"sqlite+aiosqlite:///{tree.home / 'countersign.db'}")
    yield opened
    await opened.close()


@contextmanager
def carriers_away(tree: Tree) -> Iterator[None]:
    """Have every carrier hang: connections are taken, and nothing is answered."""
    os.kill(tree.pids["sandbox"], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(tree.pids["sandbox"], signal.SIGCONT)


def reserved(client: httpx2.Client) -> str:
    """Reserve a number that becomes active a second after it was ordered."""
    found = client.get("/v1/numbers/available", params={"country": "GB", "type": "long_code"}).json()["numbers"]
    offer = next(each for each in found if each["sender"][-1] not in "89")
    answer = client.post(
        "/v1/numbers/reservations", json={name: offer[name] for name in ("carrier", "sender", "country")}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def seen(client: httpx2.Client, number: str, *, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read a number until something holds of it."""

    def look() -> dict[str, Any] | None:
        answer = client.get(f"/v1/numbers/{number}").json()
        return answer if holds(answer) else None

    found = eventually(look, within_s=2 * PATIENCE_S, what=what)
    assert found is not None
    return found


def has_status(status: str) -> Callable[[dict[str, Any]], bool]:
    return lambda number: bool(number["status"] == status)


async def days_pass(tree: Tree, database: Database, number: str, *, days: float) -> None:
    """Skip days of a number's life, and have its workflow look at the clock."""
    number_id = parse(number, prefix="num")
    assert isinstance(number_id, UUID)
    await let_days_pass(database, number_id, days=days)
    temporal = await tree.temporal()
    await temporal.get_workflow_handle(f"number/{number}").signal(NumberLeaseWorkflow.changed)


async def test_another_message_follows_by_itself_when_the_number_may_have_one(
    tree: Tree, client: httpx2.Client
) -> None:
    assert client.put("/v1/routes/policies/GB", json=POLICY).status_code == 200
    started = start(client, TO)
    path = f"/v1/verifications/{started['id']}"
    first = code_for(client, TO)

    def seen() -> dict[str, Any] | None:
        told: dict[str, Any] = client.get(path).json()
        return told if len(told["attempts"]) > 1 and told["attempts"][1]["answered_at"] else None

    resent = eventually(seen, within_s=PATIENCE_S, what="another message")
    second = code_for(client, TO)
    outcome = check(client, started["id"], second)

    assert resent is not None
    attempts = resent["attempts"]
    assert [each["send"] for each in attempts] == [1, 1]
    assert attempts[1]["reason"].startswith("no code of alpha's message came back in time")
    assert attempts[1]["carrier"] != attempts[0]["carrier"]
    # The number's first gap is longer than the wait.
    assert attempts[1]["planned_at"] >= started["next_send_at"]
    assert resent["sends_left"] == started["sends_left"] - 1
    assert first != second
    assert [each["proved"] for each in outcome["verification"]["attempts"]] == [False, True]
    await completed(await tree.temporal(), started["id"])


@pytest.mark.timeout(300)
async def test_a_lease_is_lived_from_order_to_rest_through_a_carrier_s_outage_and_killed_workers(
    tree: Tree, client: httpx2.Client, database: Database
) -> None:
    number = reserved(client)

    with carriers_away(tree):
        leased = client.post("/v1/numbers", json={"number_id": number, "period_days": 30, "auto_renew": True})
        seen(client, number, what="a silent carrier", holds=lambda each: each["carrier_silent_since"] is not None)
        killed = tree.kill_worker()
        tree.worker_other_than(killed)
    there = seen(client, number, what="the number", holds=has_status("leased"))

    renewed = client.post(f"/v1/numbers/{number}/renew").json()
    killed = tree.kill_worker()
    await days_pass(tree, database, number, days=58)
    end = client.get(f"/v1/numbers/{number}").json()["lease"]["expires_at"]
    again = seen(client, number, what="a renewal", holds=lambda each: bool(each["lease"]["expires_at"] > end))
    tree.worker_other_than(killed)

    released = client.post(f"/v1/numbers/{number}/release", json={})
    assert released.status_code == 200, released.text
    await days_pass(tree, database, number, days=(DRAIN_S + 1) / _DAY_S)
    seen(client, number, what="its rest", holds=has_status("aging"))
    await days_pass(tree, database, number, days=90.1)
    free = seen(client, number, what="its return", holds=has_status("available"))

    assert (leased.status_code, leased.json()["status"]) == (201, "provisioning")
    assert (there["carrier_silent_since"], there["lease"]["period_days"]) == (None, 30)
    assert renewed["lease"]["expires_at"] > there["lease"]["expires_at"]
    assert again["lease"]["auto_renew"] is True
    assert (released.json()["status"], released.json()["lease"]) == ("draining", None)
    assert (free["own"], free["lease"]) == (False, None)
    events = client.get("/v1/events", params={"type": "number.*", "limit": 100}).json()["events"]
    assert [each["data"].get("status") or (each["type"], each["data"].get("automatic")) for each in events] == [
        "reserved",
        "provisioning",
        "registering",
        "leased",
        ("number.lease_started", None),
        ("number.lease_renewed", False),
        ("number.lease_renewed", True),
        "draining",
        "aging",
    ]
    assert {each["data"]["price_micros"] for each in events if "price_micros" in each["data"]} == {1_200_000}
    temporal = await tree.temporal()
    handle = temporal.get_workflow_handle(f"number/{number}")
    await handle.result(follow_runs=True)
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
