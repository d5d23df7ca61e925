"""The server with skippable time, for real activities under a real workflow; a database of one test alone."""

from tests.services.fixtures import own_database, own_url
from tests.workflows.conftest import temporal

__all__ = ["own_database", "own_url", "temporal"]
