"""Logs by structlog: readable on a terminal, fields under systemd, JSON lines otherwise.

Everything goes to stderr; stdout belongs to the `console` sink and to commands.
"""

import logging
import sys
from functools import partial
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.telemetry import journald
from gateway.telemetry.redaction import REDACTOR

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Set up the process's logging.

    `level` is ``debug`` ``info`` ``warning`` or ``error``; `style` is ``console``,
    ``json``, or ``auto``: console exactly when `stream` is a terminal, entries with
    fields when systemd's journal is behind it.
    """
    out = stream if stream is not None else sys.stderr
    if style == "auto" and journald.is_behind(out):
        _log_to_journald(level, out)
    else:
        _log_to_stream(level, style, out)
    _route_libraries(level)


def _log_to_journald(level: str, out: TextIO) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            journald.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=partial(journald.JournalLogger, out),
        cache_logger_on_first_use=False,
    )


def _log_to_stream(level: str, style: str, out: TextIO) -> None:
    console = style == "console" or (style == "auto" and out.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer, _redact],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def _redact(_logger: WrappedLogger, _method: str, rendered: EventDict | str) -> Any:
    """Run last, on the finished line, so that no processor can get behind it."""
    return REDACTOR.redact(rendered) if isinstance(rendered, str) else rendered


class _ToStructlog(logging.Handler):
    """Libraries that log by the standard module end up in the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library_message", logger=record.name, message=record.getMessage()
        )


def _route_libraries(level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # A library's own chatter (httpx logs each URL at INFO) is not for operators,
    # and an URL may carry a signature.
    root.setLevel(max(_LEVELS[level], logging.WARNING))
