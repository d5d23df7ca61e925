"""The handsets: one reader looks at the sandbox's outbox for everybody, and hands out the codes by number."""

import asyncio
import re
from collections import defaultdict
from contextlib import suppress

from carriers.sandbox_control import SandboxControl
from domain.errors import SandboxUnavailableError

_CODE = re.compile(r"\b[0-9]{6}\b")
_LOOK_EVERY_S = 0.1


class NoMessageError(RuntimeError):
    """No message came in time."""


class Inbox:
    """Codes by number, oldest first, as they arrive. Reads only while somebody waits."""

    def __init__(self, control: SandboxControl) -> None:
        self._control = control
        self._codes: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._news = asyncio.Condition()
        self._waiting = 0
        self._reader: asyncio.Task[None] | None = None

    async def codes(self, number: str, *, at_least: int = 1, within_s: float) -> list[str]:
        """Return a number's codes once there are so many.

        Raises:
            NoMessageError: there are fewer when the time is over.

        """
        self._waiting += 1
        try:
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read())
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: len(self._codes[number]) >= at_least)
        except TimeoutError:
            raise NoMessageError(f"{len(self._codes[number])} of {at_least} messages in {within_s} s") from None
        finally:
            self._waiting -= 1
        return list(self._codes[number].values())

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def _read(self) -> None:
        while self._waiting:
            with suppress(SandboxUnavailableError):
                await self._take_in()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _take_in(self) -> None:
        for message in await self._control.messages(None):
            if found := _CODE.search(message.text):
                self._codes[message.to].setdefault(message.attempt_id, found[0])
        async with self._news:
            self._news.notify_all()
