"""A database of one test alone."""

from tests.services.fixtures import own_database, own_url

__all__ = ["own_database", "own_url"]
