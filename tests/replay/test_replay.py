"""Workflows that are under way when a new version is started go on with it: every recorded history still fits."""

import json
import re
import socket
import tomllib
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.replay import dispatching, judging, leasing
from tests.replay.changed import (
    ChangedDispatchWorkflow,
    ChangedNumberWorkflow,
    ChangedPoolHealthWorkflow,
    ChangedWorkflow,
)
from tests.replay.record import HISTORIES
from tests.replay.record import SCENARIOS as EVERY_SCENARIO
from tests.replay.scenarios import SCENARIOS
from tests.workflows.decoding import texts_of
from workflows.number_lease import NumberLeaseWorkflow
from workflows.pool_health import PoolHealthWorkflow
from workflows.verification import VerificationWorkflow
from workflows.webhook_dispatch import WebhookDispatchWorkflow

RECORDED = sorted(HISTORIES.glob("*/*.json"))
OTHERS = {*dispatching.SCENARIOS, *leasing.SCENARIOS, *judging.SCENARIOS}
OF_VERIFICATIONS = [file for file in RECORDED if file.stem not in OTHERS]
each_history = pytest.mark.parametrize("file", RECORDED, ids=lambda file: f"{file.parent.name}-{file.stem}")
each_verification = pytest.mark.parametrize(
    "file", OF_VERIFICATIONS, ids=lambda file: f"{file.parent.name}-{file.stem}"
)


def history_in(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))


@each_history
async def test_a_recorded_history_still_fits(file: Path) -> None:
    workflows = [VerificationWorkflow, WebhookDispatchWorkflow, NumberLeaseWorkflow, PoolHealthWorkflow]
    await Replayer(workflows=workflows).replay_workflow(history_in(file))


@each_history
async def test_a_workflow_that_was_changed_without_a_patch_does_not_fit(file: Path) -> None:
    """If this one passed, the test above could not fail (F19)."""
    replayer = Replayer(
        workflows=[ChangedWorkflow, ChangedDispatchWorkflow, ChangedNumberWorkflow, ChangedPoolHealthWorkflow]
    )

    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history_in(file))


def test_there_are_histories_of_every_scenario_and_of_this_version() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {file.parent.name for file in RECORDED}

    assert len(RECORDED) >= 9
    assert project["version"] in versions
    assert {file.stem for file in RECORDED if file.parent.name == project["version"]} == set(EVERY_SCENARIO)


@each_verification
def test_a_history_ends_as_its_scenario_says(file: Path) -> None:
    history = history_in(file)
    result = history.events[-1].workflow_execution_completed_event_attributes.result

    assert json.loads(result.payloads[0].data)["status"] == SCENARIOS[file.stem].ends


@each_history
def test_a_history_says_nothing_of_the_machine_it_was_recorded_on(file: Path) -> None:
    texts = texts_of(history_in(file))

    assert not [text for text in texts if re.search(r"/\w+/\w+\.py|site-packages|://", text)]
    assert f"@{socket.gethostname()}" not in " ".join(texts)
