"""The metrics of one sink. Delivered and filtered are the counts kept with its cursor."""

from typing import Final

from gateway.clock import Clock
from gateway.contracts.sink import Item
from gateway.delivery.policy import Result
from gateway.journal import SinkPosition
from gateway.telemetry.metrics import Metrics

OVERFLOW: Final = "overflow"
"""Drop reason: the journal was full of events that this sink had not taken. It counts them
itself, since it alone knows of them at once."""
DISCARDED: Final = "discarded"
"""Drop reason: somebody dropped a dead letter."""
EARLIER: Final = "earlier"
"""Drop and dead-letter reason of what an earlier run of the gateway counted."""


class SinkMeter:
    """The metrics of one sink."""

    def __init__(self, name: str, metrics: Metrics, clock: Clock) -> None:
        self._name = name
        self._metrics = metrics
        self._clock = clock
        self._up = metrics.cell("gateway_sink_up", name)
        self._delivered = metrics.cell("gateway_sink_delivered_events", name)
        self._filtered = metrics.cell("gateway_sink_filtered_events", name)
        self._replayed = metrics.cell("gateway_sink_replayed_events", name)
        self._pending = metrics.cell("gateway_sink_pending_events", name)
        self._oldest = metrics.cell("gateway_sink_oldest_pending_timestamp_seconds", name)
        self._attempts = {
            result: metrics.cell("gateway_sink_attempts", name, result.value) for result in Result
        }
        self._duration = metrics.histogram("gateway_sink_delivery_duration_seconds", name)
        self._met = False

    def set_up(self, up: bool) -> None:
        """Note whether the sink works, as far as known."""
        self._up.set(1 if up else 0)

    def moved(self, position: SinkPosition) -> None:
        """Show a new position."""
        self._delivered.set(position.delivered)
        self._filtered.set(position.filtered)
        self._replayed.set(position.replayed)
        if not self._met:
            self.dropped(position.dropped, EARLIER)
            self.dead_lettered(EARLIER, position.dead_letters)
        self._met = True

    def dropped(self, count: int, reason: str) -> None:
        """Count events given up."""
        self._metrics.cell("gateway_sink_dropped_events", self._name, reason).inc(count)

    def dead_lettered(self, reason: str, count: int = 1) -> None:
        """Count events refused for good."""
        self._metrics.cell("gateway_sink_dead_letter_events", self._name, reason).inc(count)

    def attempted(self, result: Result) -> None:
        """Count an attempt."""
        self._attempts[result].inc()

    def accepted(self, first: Item) -> None:
        """Count how long the oldest event of a batch was under way."""
        age_ns = self._clock.now_ns() - first.record.received_ns
        # The wall clock may have been set back since.
        self._duration.observe(max(0, age_ns) / 1e9)

    def show_pending(self, pending: int, oldest_ns: int | None) -> None:
        """Set the gauges right before a scrape."""
        self._pending.set(pending)
        self._oldest.set(0 if oldest_ns is None else oldest_ns / 1e9)
