"""Journals to test, and events to put into them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK, Clock
from gateway.journal import Journal, JournalSettings, open_journal
from gateway.journal.settings import Limits
from gateway.telemetry.metrics import Metrics

OpenAt = Callable[..., AbstractAsyncContextManager[Journal]]
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
        clock: Clock = WALL_CLOCK,
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
