"""Passwords of operators: argon2id, in a thread, a few at a time.

It is slow on purpose, so it must neither hold up the event loop nor be done without end for strangers.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from domain.errors import RateLimitedError

# 19 MiB, two passes, one lane: the least that the OWASP password storage cheat sheet accepts for argon2id.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Compared with where there is no operator, so that the work is the same; of the parameters above, a test says.
NOBODY_S = "$argon2id$v=19$m=19456,t=2,p=1$uXicVWKAB3DArOxnvS6cDQ$cjFsgQgpay19MNdPNSBcjjyMH12DpERM3jDumkD7R2o"
_AT_ONCE, _WAITING = 2, 30
T = TypeVar("T")


class Passwords:
    """Hashes and compares passwords."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._busy = 0

    async def hash(self, password: str) -> str:
        """Return what is stored of a password.

        Raises:
            RateLimitedError: very many others wait for the same.

        """
        return await self._work(_HASHER.hash, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Say whether a password is the stored one; without a stored one it never is, and takes as long to find out.

        Raises:
            RateLimitedError: as above.

        """
        return await self._work(_is_right, stored, password)

    async def _work(self, work: Callable[..., T], *arguments: str | None) -> T:
        if self._busy >= _WAITING:
            raise RateLimitedError("Very many are signing in just now; try again.", retry_after_s=2)
        self._busy += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._busy -= 1


def _is_right(stored: str | None, password: str) -> bool:
    try:
        _HASHER.verify(stored or NOBODY_S, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
    return stored is not None
