"""A database of one test alone."""

from tests.services.fixtures import empty_url, own_database, own_url

__all__ = ["empty_url", "own_database", "own_url"]
