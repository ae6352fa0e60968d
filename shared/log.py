"""One JSON line for each thing worth knowing, as Cloud Logging reads it: severity, message, fields."""

import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

LONGEST_VALUE = 1024
"""A value that a user wrote is cut here: a log line is not a place to store things."""


def configure(log_file: str = "") -> None:
    """Log to `log_file`, else to standard output. Call it once, at the start of a process."""
    stream: TextIO = open(log_file, "a", encoding="utf-8") if log_file else sys.stdout  # noqa: SIM115 - for the process's life
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _severity,
            _bounded,
            # After the cut: what went wrong stands at a traceback's end.
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def logger() -> Any:
    """A logger; its methods take an event name and fields."""
    return structlog.get_logger()


def _severity(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {"severity": method.upper(), **event}


def _bounded(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        key: value[:LONGEST_VALUE] + "…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value
        for key, value in event.items()
    }
