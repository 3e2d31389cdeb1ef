"""Wall time, for stamps only.

Waiting always uses Trio's clock. Whoever stamps takes a `Clock`, so that a test
can jump ten years without touching the machine's.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells epoch time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""


class WallClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return time.time_ns()


WALL_CLOCK = WallClock()
