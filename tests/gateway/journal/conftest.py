"""Journals to test, and events to put into them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.events.times import Timestamp, to_nanoseconds
from gateway.journal import Journal, JournalSettings, open_journal
from gateway.journal.settings import Limits
from gateway.telemetry.metrics import Metrics

OpenAt = Callable[..., AbstractAsyncContextManager[Journal]]


class SetClock:
    """A wall clock that stands where it was set."""

    def __init__(self, now: str) -> None:
        self.set(now)

    def set(self, now: str) -> None:
        """Jump."""
        self._now_ns = to_nanoseconds(Timestamp(now))

    def now_ns(self) -> int:
        """Where it was set."""
        return self._now_ns


CLOCK = SetClock("2026-01-02T03:04:06.000000Z")
"""Right after `fill_event`s were received, so that none is too old."""
DEFAULTS = JournalSettings()


@pytest.fixture
def metrics() -> Metrics:
    """Numbers of this test's gateway."""
    return Metrics()


@pytest.fixture
def open_at(tmp_path: Path, metrics: Metrics) -> OpenAt:
    """Open the journal of this test's directory, with small limits where given."""

    def opener(
        directory: Path | None = None,
        settings: JournalSettings = DEFAULTS,
        clock: Clock = CLOCK,
        **limits: float,
    ) -> AbstractAsyncContextManager[Journal]:
        return open_journal(
            directory or tmp_path / "state",
            settings,
            clock=clock,
            metrics=metrics,
            limits=Limits(**limits),
        )

    return opener
