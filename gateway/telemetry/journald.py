"""systemd's journal: each log line as an entry with fields, not as text to be parsed.

`journalctl -u gateway GATEWAY_ACCOUNT=lbank-main -p warning` then finds what it should.
Spoken natively: the protocol is one datagram, and a traceback stays one entry.
"""

import os
import socket
from collections.abc import Iterator
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from gateway.telemetry.redaction import REDACTOR

ADDRESS: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "gateway"
PREFIX: Final = "GATEWAY_"
"""Of our own fields; unprefixed ones have a meaning for journald."""

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of <syslog.h>, by structlog's names of levels."""

_text: Final = structlog.processors.LogfmtRenderer()


def is_behind(stream: TextIO) -> bool:
    """Whether what is written to `stream` goes to the journal anyway."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def render(_logger: WrappedLogger, _method: str, fields: EventDict) -> dict[str, str]:
    """A processor, the last one: the entry's fields, without any secret."""
    return {name: REDACTOR.redact(value) for name, value in _fields(fields)}


def _fields(fields: EventDict) -> Iterator[tuple[str, str]]:
    level, traceback = fields.pop("level", "info"), fields.pop("exception", None)
    fields.pop("timestamp", None)  # journald has its own
    yield "MESSAGE", _message(fields, traceback)
    yield "PRIORITY", str(_PRIORITIES.get(level, _PRIORITIES["info"]))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    for name, value in fields.items():
        # A field's name is A-Z 0-9 _ and no longer than 64.
        if name.isascii() and name.isidentifier() and value is not None:
            yield (PREFIX + name.upper())[:64], str(value)


def _message(fields: EventDict, traceback: str | None) -> str:
    event = str(fields.get("event", ""))
    details = {name: value for name, value in fields.items() if name != "event"}
    text = f"{event} {_text(None, '', details)}" if details else event
    return text if traceback is None else f"{text}\n{traceback}"


class JournalLogger:
    """What structlog hands rendered entries to."""

    def __init__(self, fallback: TextIO, address: str = ADDRESS) -> None:
        self._fallback = fallback
        self._address = address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_UNIX, kind)

    def write(self, **fields: str) -> None:
        """Send an entry; one that is too large, or that nobody takes, goes to stderr."""
        try:
            self._socket.sendto(encode(fields), self._address)
        except OSError:
            self._fallback.write(fields["MESSAGE"] + "\n")
            self._fallback.flush()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    debug = info = warning = error = critical = exception = write


def encode(fields: dict[str, Any]) -> bytes:
    """Fields in journald's native form."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="replace")
        if b"\n" in data:
            parts.append(b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data))
        else:
            parts.append(b"%b=%b\n" % (name.encode(), data))
    return b"".join(parts)
