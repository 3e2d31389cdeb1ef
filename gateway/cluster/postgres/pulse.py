"""Whether it is still the same server, with a clock that nobody has set.

Leases go by the server's clock. Where that is set forward everybody's lapse at once, and
the gateway that renews first would take the accounts of all others; where a standby has
become the primary, its clock is another, and what the old one acknowledged may be gone.
"""

from datetime import datetime
from typing import Final

import msgspec

from gateway.cluster.board import BoardForgot, BoardUnavailable
from gateway.wire.pauses import boot_seconds

TOLERANCE_SECONDS: Final = 0.5
"""Well within a lease, and more than a clock is slewed between two looks."""


class Reading(msgspec.Struct, frozen=True):
    """One look at the server's clock."""

    started_at: datetime
    """Of the server's process."""
    earliest: float
    """The server's clock against ours is at least this, seconds: an answer takes time."""
    latest: float


class Pulse:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._last: Reading | None = None

    def feel(self, now: datetime, started_at: datetime, asked_at: float) -> None:
        """Take note of an answer to a question that was asked at that `boot_seconds`.

        Raises `BoardForgot` or `BoardUnavailable`, once each time.
        """
        clock = now.timestamp()
        reading = Reading(started_at, clock - boot_seconds(), clock - asked_at)
        last, self._last = self._last, reading
        if last is None:
            return
        if last.started_at != started_at:
            raise BoardForgot("PostgreSQL was started again, or another server has taken over")
        ahead = reading.earliest - last.latest
        behind = last.earliest - reading.latest
        if max(ahead, behind) > TOLERANCE_SECONDS:
            raise BoardUnavailable("the clock of PostgreSQL's machine was set: leases begin anew")
