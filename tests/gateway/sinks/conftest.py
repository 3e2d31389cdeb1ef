"""A clock that a test turns."""

import pytest


class HandClock:
    """Stands where it was put."""

    def __init__(self) -> None:
        self.ns = 1_767_322_800_000_000_000
        """2026-01-02T03:00:00Z."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return self.ns

    def turn(self, seconds: float) -> None:
        """Move it."""
        self.ns += int(seconds * 1e9)


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands."""
    return HandClock()
