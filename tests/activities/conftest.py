"""The server with skippable time, for real activities under a real workflow."""

from tests.workflows.conftest import temporal

__all__ = ["temporal"]
