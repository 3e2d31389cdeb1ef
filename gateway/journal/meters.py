"""The journal's numbers for Prometheus."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.clock import Clock
from gateway.events.model import Event
from gateway.events.times import to_nanoseconds
from gateway.journal.records import JournalStatus
from gateway.telemetry.metrics import Cell, HistogramCell, Metrics


class Meters:
    """Cells, taken once each; fed by the loop, never by the writer's thread."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics: Final = metrics
        self._clock: Final = clock
        self._recorded: Final[dict[tuple[str, str, str], Cell]] = {}
        self._duplicate: Final[dict[str, Cell]] = {}
        self._lag: Final[dict[str, HistogramCell]] = {}
        self._commits: Final = metrics.histogram("gateway_journal_commit_duration_seconds")
        self.queue_events: Final = metrics.cell("gateway_journal_queue_events")

    def show(self, status: Callable[[], JournalStatus]) -> None:
        """Set the gauges from `status` whenever somebody scrapes."""
        names = ("last_seq", "first_seq", "bytes", "blocked")
        cells = {name: self._metrics.cell(f"gateway_journal_{name}") for name in names}
        free = self._metrics.cell("gateway_disk_free_bytes")

        def update() -> None:
            now = status()
            for name, cell in cells.items():
                cell.set(getattr(now, name))
            free.set(now.free_bytes)

        self._metrics.before_scrape(update)

    def committed(self, seconds: float) -> None:
        """Count one group's commit."""
        self._commits.observe(seconds)

    def write_failed(self, reason: str) -> None:
        """Count a commit that failed."""
        self._metrics.cell("gateway_journal_write_errors", reason).inc()

    def overflowed(self, sink: str, events: int) -> None:
        """Count events that a sink lost at the size limit."""
        self._metrics.cell("gateway_sink_dropped_events", sink, "overflow").inc(events)

    def recorded(self, events: Sequence[Event], seqs: Sequence[int | None]) -> None:
        """Count what became of the events of one `append`."""
        now_ns = self._clock.now_ns()
        # Most events of a burst have all of these in common: each kind is counted once.
        alike = Counter(
            (event.account, event.body.KIND, event.origin, event.venue_time, seq is not None)
            for event, seq in zip(events, seqs, strict=True)
        )
        for (account, kind, origin, venue_time, is_new), count in alike.items():
            if not is_new:
                self._duplicate_cell(account).inc(count)
                continue
            self._recorded_cell((account, kind.value, origin.value)).inc(count)
            if venue_time is not None:
                lag_ns = max(now_ns - to_nanoseconds(venue_time), 0)
                self._lag_cell(account).observe(lag_ns / 1e9, count)

    def _recorded_cell(self, key: tuple[str, str, str]) -> Cell:
        cell = self._recorded.get(key)
        if cell is None:
            cell = self._recorded[key] = self._metrics.cell("gateway_events_recorded", *key)
        return cell

    def _duplicate_cell(self, account: str) -> Cell:
        cell = self._duplicate.get(account)
        if cell is None:
            cell = self._metrics.cell("gateway_events_duplicate", account)
            self._duplicate[account] = cell
        return cell

    def _lag_cell(self, account: str) -> HistogramCell:
        cell = self._lag.get(account)
        if cell is None:
            cell = self._lag[account] = self._metrics.histogram(
                "gateway_venue_lag_seconds", account
            )
        return cell


def journal_bytes(database: Path) -> int:
    """Size of the journal's files."""
    return sum(path.stat().st_size for path in database.parent.glob(database.name + "*"))
