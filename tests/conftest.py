"""What tests in several folders share: databases, processes, their order, and property tests without luck."""

import gc

import pytest
from hypothesis import settings

from runtime.garbage import spare_the_program
from tests import memory
from tests.databases import postgres_cluster
from tests.order import longest_first
from tests.store.crowd import crowd
from tests.store.fixtures import database, database_url

__all__ = ["crowd", "database", "database_url", "postgres_cluster"]

# Copies of migrated databases are hundreds of files: made on a disk, they were a tenth of a run.
memory.keep_temporary_files()
# Half a million objects are imported first, and stay; what tests leave is collected as ever.
gc.disable()

# A red build is about the change, not about luck. Others are tried with --hypothesis-profile=default.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")


def pytest_collection_finish() -> None:
    """Begin to collect garbage, of what tests make and not of what was imported."""
    gc.enable()
    spare_the_program()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have files that take long begin early."""
    items[:] = longest_first(items, config.rootpath)
