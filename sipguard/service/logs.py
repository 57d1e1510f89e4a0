"""Lines about the service itself, as JSON on standard output; lines about calls are `call_log`'s.

Enters: nothing. Leaves: structlog configured. Must not: be used on the call path.
"""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Sets how this process logs: readable on a terminal, JSON otherwise."""
    terminal = sys.stdout.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
