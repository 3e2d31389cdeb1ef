"""Happenings: one named thing in our own life = one log line + one counter.

Each part declares its happenings as constants beside its code::

    RECONNECTING = Happening("account_reconnecting", Level.WARNING, "A stream is being reopened.")
    ...
    RECONNECTING.emit(account=name, delay_seconds=0.5)

The code is stable: operators grep and alert on it. The level says what the
operator must do: nothing (debug, info), look when there is time (warning), act
(error).
"""

from enum import StrEnum
from typing import Any, Final

import structlog


class Level(StrEnum):
    """What a happening asks of the operator."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


CATALOGUE: Final[dict[str, "Happening"]] = {}
"""Every happening of the modules imported so far, by code."""


class Happening:
    """One named happening; `count` is how often it was emitted by this process."""

    __slots__ = ("code", "count", "level", "meaning")

    def __init__(self, code: str, level: Level, meaning: str) -> None:
        if code in CATALOGUE:
            raise ValueError(f"happening {code!r} is declared twice")
        self.code: Final = code
        self.level: Final = level
        self.meaning: Final = meaning
        self.count = 0
        CATALOGUE[code] = self

    def emit(self, **fields: Any) -> None:
        """Count it and write its log line. Pass `exc_info=True` for a traceback."""
        self.count += 1
        structlog.get_logger().log(_NUMERIC[self.level], self.code, **fields)


_NUMERIC: Final = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
