"""What tests in several folders share: databases, processes, and property tests that try the same each time."""

from hypothesis import settings

from tests.databases import postgres_cluster
from tests.store.crowd import crowd
from tests.store.fixtures import database, database_url

__all__ = ["crowd", "database", "database_url", "postgres_cluster"]

# A red build is about the change, not about luck. Others are tried with --hypothesis-profile=default.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")
