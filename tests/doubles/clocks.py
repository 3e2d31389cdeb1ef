"""Wall clocks for tests."""

import trio

EPOCH_NS = 1_600_000_000 * 10**9


class TrioWallClock:
    """Wall time that goes with Trio's (virtual) clock, and can be made to jump."""

    def __init__(self) -> None:
        self._start = trio.current_time()
        self.jumped_seconds = 0.0

    def now_ns(self) -> int:
        """Nanoseconds since 1970, as the test sees it."""
        passed = trio.current_time() - self._start + self.jumped_seconds
        return EPOCH_NS + round(passed * 1e9)
