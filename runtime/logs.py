"""Structured logs: for people on a terminal, as JSON in production. No number, code or key is ever handed to them."""

import logging
import sys

import structlog


def configure_logs(*, as_json: bool) -> None:
    """Set up this process's logs."""
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
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
