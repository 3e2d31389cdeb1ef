"""Numbers for Prometheus: plain on the hot path, rendered only at the scrape.

Whoever counts asks once for a `Cell` and then adds to it, which costs one
attribute access; `Metrics.collect` turns all cells into prometheus_client's
families when somebody scrapes. Every metric stands in `CATALOGUE`, with its
labels and its help, and nowhere else.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gateway.telemetry import happenings


class MetricType(StrEnum):
    """As in Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


LATENCY_BUCKETS_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


class MetricSpec(msgspec.Struct, frozen=True):
    """One metric: a counter's name is without the ``_total`` that Prometheus adds."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS_SECONDS

    @property
    def exposed_name(self) -> str:
        """As it stands at /metrics."""
        return f"{self.name}_total" if self.type is MetricType.COUNTER else self.name


_C, _G, _H = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM
_ACCOUNT, _SINK = ("account",), ("sink",)

CATALOGUE: Final[tuple[MetricSpec, ...]] = (
    # accounts
    MetricSpec("gateway_account_up", _G, "1 while at least one stream of the account is live.", _ACCOUNT),
    MetricSpec("gateway_account_state", _G, "1 for the state the account is in, 0 for the others.", ("account", "state")),
    MetricSpec("gateway_frames_received", _C, "Frames read from the venue.", _ACCOUNT),
    MetricSpec("gateway_events_recorded", _C, "Events newly journalled.", ("account", "kind", "origin")),
    MetricSpec("gateway_events_duplicate", _C, "Events whose id the journal already held.", _ACCOUNT),
    MetricSpec("gateway_events_stale", _C, "Order states that brought nothing new.", _ACCOUNT),
    MetricSpec("gateway_frames_unrecognized", _C, "Frames that were not understood.", ("account", "reason")),
    MetricSpec("gateway_reconnects", _C, "Streams reopened after a loss, by the reason of the loss.", ("account", "reason")),
    MetricSpec("gateway_gaps", _C, "Gaps closed, by whether the recovery was proven complete.", ("account", "complete")),
    MetricSpec("gateway_gap_open", _G, "1 while a gap of the account is open.", _ACCOUNT),
    MetricSpec("gateway_gap_seconds", _C, "Time during which pushes may have been missed.", _ACCOUNT),
    MetricSpec("gateway_key_renewals", _C, "Stream keys refreshed or replaced.", ("account", "result")),
    MetricSpec("gateway_key_expires_timestamp_seconds", _G, "When the stream key expires if nobody refreshes it.", _ACCOUNT),
    MetricSpec("gateway_last_frame_timestamp_seconds", _G, "When the last frame was read.", _ACCOUNT),
    MetricSpec("gateway_last_proof_of_life_timestamp_seconds", _G, "When the stream was last proven alive.", _ACCOUNT),
    MetricSpec("gateway_venue_lag_seconds", _H, "From the venue's time of an event to its journal commit.", _ACCOUNT),
    MetricSpec("gateway_clock_offset_seconds", _G, "The venue's clock minus ours.", _ACCOUNT),
    MetricSpec("gateway_rest_requests", _C, "REST requests to the venue.", ("account", "result")),
    MetricSpec("gateway_unknown_words", _C, "Status words that no document of the venue names.", _ACCOUNT),
    MetricSpec("gateway_append_wait_seconds", _C, "Time that the account waited for room in the journal's queue.", _ACCOUNT),
    # journal
    MetricSpec("gateway_journal_last_seq", _G, "Sequence number of the newest event on disk."),
    MetricSpec("gateway_journal_first_seq", _G, "Sequence number of the oldest event kept."),
    MetricSpec("gateway_journal_bytes", _G, "Size of the journal's files."),
    MetricSpec("gateway_journal_blocked", _G, "1 while the journal cannot write."),
    MetricSpec("gateway_journal_queue_events", _G, "Events waiting for the writer."),
    MetricSpec("gateway_journal_commit_duration_seconds", _H, "One group commit, fsync included."),
    MetricSpec("gateway_journal_write_errors", _C, "Failed commits.", ("reason",)),
    MetricSpec("gateway_disk_free_bytes", _G, "Free space of the state directory's file system."),
    # sinks
    MetricSpec("gateway_sink_up", _G, "1 while the sink accepted its last batch.", _SINK),
    MetricSpec("gateway_sink_delivered_events", _C, "Events accepted by the sink.", _SINK),
    MetricSpec("gateway_sink_filtered_events", _C, "Events that the sink's filters left out.", _SINK),
    MetricSpec("gateway_sink_dropped_events", _C, "Events given up, by reason.", ("sink", "reason")),
    MetricSpec("gateway_sink_dead_letter_events", _C, "Events refused for good, by reason.", ("sink", "reason")),
    MetricSpec("gateway_sink_replayed_events", _C, "Events sent again by `gateway replay`.", _SINK),
    MetricSpec("gateway_sink_pending_events", _G, "Recorded events that the sink has yet to take.", _SINK),
    MetricSpec("gateway_sink_oldest_pending_timestamp_seconds", _G, "When the oldest pending event was received.", _SINK),
    MetricSpec("gateway_sink_attempts", _C, "Delivery attempts.", ("sink", "result")),
    MetricSpec("gateway_sink_delivery_duration_seconds", _H, "From recorded to accepted, per batch.", _SINK),
    # cluster
    MetricSpec("gateway_cluster_reachable", _G, "1 while the cluster's engine answers."),
    MetricSpec("gateway_cluster_members", _G, "Gateways of the cluster that live."),
    MetricSpec("gateway_cluster_accounts_owned", _G, "Accounts of the cluster that this gateway owns."),
    MetricSpec("gateway_cluster_accounts_orphaned", _G, "Accounts whose owner is gone and that nobody took over yet."),
    # process
    MetricSpec("gateway_build_info", _G, "Always 1.", ("version", "python")),
    MetricSpec("gateway_ready", _G, "1 while the gateway is journalling."),
    MetricSpec("gateway_config_last_reload_successful", _G, "1 when the last reload took effect."),
    MetricSpec("gateway_loop_lag_seconds", _G, "How late the event loop ran its last probe."),
    MetricSpec("gateway_tasks", _G, "Tasks of the event loop; what only grows is a leak."),
    MetricSpec("gateway_happenings", _C, "Log lines by their stable code.", ("code",)),
)  # fmt: skip


class Cell:
    """One number. Add to it, or set it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Add to a counter."""
        self.value += amount

    def set(self, value: float) -> None:
        """Set a gauge."""
        self.value = value


class StateCell:
    """Which of a few states something is in: a gauge for each of them, one of which is 1."""

    __slots__ = ("state", "states")

    def __init__(self, states: tuple[str, ...]) -> None:
        self.states = states
        self.state = ""

    def set(self, state: str) -> None:
        """Be in this state, and in no other."""
        self.state = state


class HistogramCell:
    """Counts per bucket and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, in seconds."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times


class Metrics:
    """All numbers of one gateway."""

    def __init__(self) -> None:
        self._specs = {spec.name: spec for spec in CATALOGUE}
        self._cells: dict[str, dict[tuple[str, ...], Cell]] = {}
        self._states: dict[str, dict[tuple[str, ...], StateCell]] = {}
        self._histograms: dict[str, dict[tuple[str, ...], HistogramCell]] = {}
        self._known_labels: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Each once: an account has a dozen cells with no other label than its name."""
        self._before_scrape: list[Callable[[], None]] = []

    def cell(self, name: str, *labels: str) -> Cell:
        """The counter or gauge `name` with these label values; made at first use."""
        self._check(name, labels, histogram=False)
        family = self._cells.setdefault(name, {})
        if labels not in family:
            family[self._known_labels.setdefault(labels, labels)] = Cell()
        return family[labels]

    def state(self, name: str, states: tuple[str, ...], *labels: str) -> StateCell:
        """The gauges `name` with these label values and, as the last one, each of `states`."""
        self._check(name, (*labels, ""), histogram=False)
        family = self._states.setdefault(name, {})
        if labels not in family:
            family[self._known_labels.setdefault(labels, labels)] = StateCell(states)
        return family[labels]

    def histogram(self, name: str, *labels: str) -> HistogramCell:
        """The histogram `name` with these label values; made at first use."""
        self._check(name, labels, histogram=True)
        family = self._histograms.setdefault(name, {})
        if labels not in family:
            family[labels] = HistogramCell(self._specs[name].buckets)
        return family[labels]

    def forget(self, label: str, value: str) -> None:
        """Drop every series of an account or sink that was removed."""
        for families in (self._cells, self._states, self._histograms):
            for name, family in families.items():
                names = self._specs[name].labels
                if label in names:
                    index = names.index(label)
                    for labels in [key for key in family if key[index] == value]:
                        del family[labels]
                        self._known_labels.pop(labels, None)

    def before_scrape(self, update: Callable[[], None]) -> None:
        """Register a function that sets gauges right before they are read."""
        self._before_scrape.append(update)

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's collector protocol."""
        for update in self._before_scrape:
            update()
        self._count_happenings()
        for spec in CATALOGUE:
            if spec.type is MetricType.HISTOGRAM:
                yield self._histogram_family(spec)
            else:
                yield self._plain_family(spec)

    def _check(self, name: str, labels: tuple[str, ...], *, histogram: bool) -> None:
        spec = self._specs[name]
        if len(labels) != len(spec.labels) or (spec.type is MetricType.HISTOGRAM) != histogram:
            raise ValueError(f"{name} is a {spec.type} with labels {spec.labels}")

    def _count_happenings(self) -> None:
        for happening in happenings.CATALOGUE.values():
            self.cell("gateway_happenings", happening.code).set(happening.count)

    def _plain_family(self, spec: MetricSpec) -> Metric:
        family = (
            CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
            if spec.type is MetricType.COUNTER
            else GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
        )
        for labels, cell in self._cells.get(spec.name, {}).items():
            family.add_metric(labels, cell.value)
        for labels, found in self._states.get(spec.name, {}).items():
            for state in found.states:
                family.add_metric((*labels, state), state == found.state)
        return family

    def _histogram_family(self, spec: MetricSpec) -> Metric:
        family = HistogramMetricFamily(spec.name, spec.help, labels=spec.labels)
        for labels, cell in self._histograms.get(spec.name, {}).items():
            running, buckets = 0, []
            for bound, count in zip((*cell.bounds, float("inf")), cell.counts, strict=True):
                running += count
                buckets.append(("+Inf" if bound == float("inf") else repr(bound), running))
            family.add_metric(labels, buckets, cell.total)
        return family
