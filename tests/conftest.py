"""What tests in several folders share: databases, processes, their order, and property tests without luck."""

import pytest
from hypothesis import settings

from tests.databases import postgres_cluster
from tests.order import longest_first
from tests.store.crowd import crowd
from tests.store.fixtures import database, database_url

__all__ = ["crowd", "database", "database_url", "postgres_cluster"]

# A red build is about the change, not about luck. Others are tried with --hypothesis-profile=default.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have files that take long begin early."""
    items[:] = longest_first(items, config.rootpath)
