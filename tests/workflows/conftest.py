"""A Temporal server whose time can be skipped, one per test."""

from collections.abc import AsyncIterator
from pathlib import Path
from sys import executable

import pytest
from temporalio.testing import WorkflowEnvironment

from runtime.temporal import ensure_search_attributes
from workflows.attributes import ALL

SERVER = Path(executable).with_name("temporal-test-server")


@pytest.fixture
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(SERVER)) as environment:
        await ensure_search_attributes(environment.client, [each.name for each in ALL])
        yield environment
