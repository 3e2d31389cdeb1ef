"""Whether PostgreSQL is still the same server, with a clock that nobody has set."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.cluster.board import BoardForgot, BoardUnavailable
from gateway.cluster.postgres.pulse import Pulse
from gateway.wire.pauses import boot_seconds

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def feel(pulse: Pulse, *, clock: float = 0, started: datetime = STARTED, took: float = 0) -> None:
    """An answer that took so long, from a server whose clock is so far off."""
    asked_at = boot_seconds() - took
    pulse.feel(NOON + timedelta(seconds=asked_at + clock), started, asked_at)


def test_a_clock_that_goes_on_is_no_news():
    """Slow answers, and a clock that is slewed, raise nothing."""
    pulse = Pulse()
    feel(pulse)
    feel(pulse, took=1.9)
    feel(pulse, clock=0.01)
    feel(pulse, clock=0.02, took=0.5)


@pytest.mark.parametrize("seconds", [3600, 2, -2, -3600])
def test_a_clock_that_was_set_is_told_once(seconds: int):
    """Leases that lapse because the clock was set are no reason to take anything over."""
    pulse = Pulse()
    feel(pulse)

    with pytest.raises(BoardUnavailable, match="was set"):
        feel(pulse, clock=seconds)
    feel(pulse, clock=seconds)


def test_another_server_may_have_forgotten():
    """Where the server's process is another one, what was read may not stand any more."""
    pulse = Pulse()
    feel(pulse)
    later = STARTED + timedelta(hours=1)

    with pytest.raises(BoardForgot):
        feel(pulse, started=later)
    feel(pulse, started=later)
