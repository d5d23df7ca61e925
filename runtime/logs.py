"""Structured logs: for people on a terminal, as JSON in production. No number, code or key ends up in them.

Three things see to it: nothing hands one over; a field that is not listed here is withheld; and every text, exceptions'
and other libraries' included, is scrubbed (`runtime/scrubbing.py`).
"""

import logging
import sys
from collections.abc import Iterator

import structlog
from structlog.typing import EventDict, WrappedLogger

from runtime.scrubbing import scrub, scrubbed

# What the product says about an event. A new field is added here on purpose, or is withheld; a test finds those that
# the code uses and this does not have.
FIELDS = frozenset(
    {
        "address",
        "addresses",
        "carrier",
        "carrier_code",
        "checkpoint",
        "country",
        "key_id",
        "lost",
        "regions",
        "role",
        "route",
        "status",
        "tries",
        "verification",
        "why",
    }
)
# Where the machinery puts its own.
_MACHINERY = frozenset({"event", "exception"})
_WITHHELD = "(withheld: not listed in runtime/logs.py)"


def configure_logs(*, as_json: bool) -> None:
    """Set up this process's logs, and scrub those of the libraries that have set up their own before."""
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            keep_listed,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # The HTTP client logs URLs, and a sandbox URL may hold a number.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    for handler in _handlers():
        if not isinstance(handler.formatter, ScrubbingFormatter):
            handler.setFormatter(ScrubbingFormatter(handler.formatter or logging.Formatter()))


def keep_listed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Return an event with the values of listed fields scrubbed, and those of others withheld."""
    known = FIELDS | _MACHINERY
    return {name: scrubbed(value) if name in known else _WITHHELD for name, value in event.items()}


class ScrubbingFormatter(logging.Formatter):
    """Another formatter, with its text scrubbed: message, arguments, exception and all."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line that the inner one would write, scrubbed."""
        return scrub(self._inner.format(record))


def _handlers() -> Iterator[logging.Handler]:
    """Yield every handler there is: the root's, and those that a server gave its own loggers."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            yield from logger.handlers
