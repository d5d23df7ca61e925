"""That this process has been told to stop, for what has no end of its own, as a stream of events."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Draining:
    """Set once, by the signals that ask a process to stop; the server's own handlers are called too."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def on_signals(self) -> None:
        """Begin when this process is told to stop. Called in the event loop, once the server has its handlers."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals belong to the main thread; whoever serves from another one stops it by other means
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _before(signal.getsignal(each), lambda: loop.call_soon_threadsafe(self.begun.set)))


def _before(handler: Any, tell: Callable[[], object]) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        tell()
        if callable(handler):
            handler(number, frame)

    return handle
