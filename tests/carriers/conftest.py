"""The sandbox's fixtures, for this folder."""

from tests.sandbox.fixtures import client, no_orders, receiver, sandbox

__all__ = ["client", "no_orders", "receiver", "sandbox"]
