"""Every sink at once at 600 events a second, and each by itself as fast as it goes.

The journal (fsync) and the delivery run in this process, every server in one of its own,
all on the same two processors. Latency is from the journal's commit to the peer's
acknowledgement, event by event. The highest rate is that at which a sink takes a backlog
of events, cursor and all; beside it, in the same run, the client library's own loop with
the same events in the same batches (`benchmarks/bare_loops.py`), which keeps no cursor and
answers for no event. Kafka is librdkafka's mock, in memory.
"""

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from benchmarks.bare_loops import BARE_LOOPS, Batches, run_bare
from benchmarks.durability import make_event, percentile
from benchmarks.peers_of_sinks import DATABASE, PASSWORD, open_sinks
from benchmarks.report import RESULTS, Section, Table
from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import (
    Accepted,
    ConfiguredSink,
    Item,
    Record,
    Sink,
    SinkContext,
    Verdict,
)
from gateway.delivery import SinkState, open_delivery
from gateway.events.codec import encode
from gateway.events.times import to_nanoseconds
from gateway.journal import Journal, JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics
from tests.doubles.servers.postgres import PostgresServer, running_postgres

RATE: Final = 600
"""Events per second."""
GROUP: Final = 6
"""Events per append: the pace of a hundred frames of several facts."""
SECONDS: Final = 20.0
BACKLOG: Final = 20_000
BATCH: Final = 500
"""As `batch.events` has it by default."""
SLOW: Final = {"webhook-single": 10}
"""Sinks that get only this part of the backlog."""


class Watch:
    """Notes when a sink accepted each event."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def around(self, configured: ConfiguredSink) -> ConfiguredSink:
        """The same sink, watched."""
        spec = msgspec.structs.replace(configured.spec, open=self._opening(configured.spec.open))
        return msgspec.structs.replace(configured, spec=spec)

    def _opening(self, open_sink: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def open_watched(settings: Any, context: SinkContext) -> AsyncIterator[Any]:
            async with open_sink(settings, context) as sink:
                yield Watched(sink, self.at)

        return open_watched


class Watched(msgspec.Struct, frozen=True):
    """One open sink, watched."""

    sink: Any
    at: dict[int, float]

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Hand on, and note what was accepted."""
        inner: Sink = self.sink
        verdicts = await inner.deliver(items)
        now = time.perf_counter()
        for item, verdict in zip(items, verdicts, strict=True):
            if isinstance(verdict, Accepted):
                self.at.setdefault(item.record.seq, now)
        return verdicts


async def run_together(
    folder: Path, sinks: dict[str, ConfiguredSink], seconds: float
) -> dict[str, list[float]]:
    """All sinks on one journal, at the pace; seconds from commit to acceptance."""
    watches = {name: Watch() for name in sinks}
    committed: dict[int, float] = {}
    metrics = Metrics()
    async with (
        open_journal(folder, JournalSettings(), clock=WALL_CLOCK, metrics=metrics) as journal,
        open_delivery(journal, clock=WALL_CLOCK, metrics=metrics, state_dir=folder) as delivery,
    ):
        await delivery.reconfigure(
            {name: watches[name].around(sink) for name, sink in sinks.items()}
        )
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(int(seconds * RATE / GROUP)):
                await trio.sleep_until(begun + number * GROUP / RATE)
                nursery.start_soon(_append, journal, committed)
        await delivery.drain(60)
    # Connecting and making tables is not what an event costs.
    warm = {seq: at for seq, at in committed.items() if seq > RATE}
    return {
        name: [max(0.0, watch.at[seq] - at) for seq, at in warm.items()]
        for name, watch in watches.items()
    }


async def _append(journal: Journal, committed: dict[int, float]) -> None:
    ticket = await journal.append([make_event() for _ in range(GROUP)])
    seqs = (await ticket.wait()).seqs
    now = time.perf_counter()
    committed.update((seq, now) for seq in seqs if seq is not None)


async def run_alone(folder: Path, name: str, sink: ConfiguredSink, events: int) -> float:
    """Events a second that one sink takes of a backlog."""
    metrics = Metrics()
    async with open_journal(
        folder, JournalSettings(), clock=WALL_CLOCK, metrics=metrics
    ) as journal:
        for _ in range(events // BATCH):
            await journal.append([make_event() for _ in range(BATCH)])
        await (await journal.append([])).wait()
        async with open_delivery(
            journal, clock=WALL_CLOCK, metrics=metrics, state_dir=folder
        ) as delivery:
            begun = time.perf_counter()
            await delivery.reconfigure({name: sink})
            while delivery.status()[name].pending:  # noqa: ASYNC110 (tells by no event)
                await trio.sleep(0.005)
            seconds = time.perf_counter() - begun
            assert delivery.status()[name].state is SinkState.RUNNING
    return events / seconds


def make_batches(events: int) -> Batches:
    """Events as a worker hands them over."""
    return [
        [_item(seq) for seq in range(first, first + BATCH)] for first in range(0, events, BATCH)
    ]


def _item(seq: int) -> Item:
    event = make_event()
    encoded = encode(event)
    record = Record(
        seq,
        event.id,
        event.kind,
        event.account,
        event.symbol,
        event.venue_symbol,
        to_nanoseconds(event.received_time),
        encoded.tail,
        encoded.raw,
    )
    return Item(record, record.native(include_raw=False))


async def run(
    folder: Path, postgres: PostgresServer, seconds: float, backlog: int
) -> list[tuple[str, list[float], float, float | None]]:
    """Each sink's latencies beside the others, its rate alone, the bare loop's rate."""
    found = []
    async with open_sinks(folder, postgres) as sinks:
        together = {name: sink for name, sink in sinks.items() if name != "webhook-single"}
        latencies = await run_together(folder / "together", together, seconds)
        for name, sink in sinks.items():
            events = max(BATCH, backlog // SLOW.get(name, 1))
            rate = await run_alone(folder / f"alone-{name}", name, sink, events)
            bare = await trio.to_thread.run_sync(_bare_rate, name, sink, folder, events)
            print(f"{name:>15} {rate:>9,.0f} events/s, bare {bare or 0:>9,.0f}", flush=True)
            found.append((name, latencies.get(name, []), rate, bare))
    return found


def _bare_rate(name: str, sink: ConfiguredSink, folder: Path, events: int) -> float | None:
    if name not in BARE_LOOPS:
        return None
    batches = make_batches(events)
    begun = time.perf_counter()
    run_bare(name, sink, folder, batches)
    return events / (time.perf_counter() - begun)


def measure(*, quick: bool) -> Section:
    """All together, then one after the other."""
    seconds, backlog = (3.0, BACKLOG // 5) if quick else (SECONDS, BACKLOG)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder, running_postgres() as postgres:
        postgres.add_database(DATABASE, PASSWORD)
        found = trio.run(run, Path(folder), postgres, seconds, backlog)
    rows = [
        (
            name,
            percentile(latencies, 0.5) if latencies else "",
            percentile(latencies, 0.99) if latencies else "",
            f"{rate:,.0f}",
            f"{bare:,.0f}" if bare else "",
            f"{rate / bare:.0%}" if bare else "",
        )
        for name, latencies, rate, bare in found
    ]
    head = ("sink", "p50 ms", "p99 ms", "highest events/s", "bare loop events/s", "of bare")
    return Section(
        title="Fan-out",
        text=__doc__ or "",
        command="python -m benchmarks fan_out",
        tables=[Table(f"All at once at {RATE} events/s, then each alone", head, rows)],
    )
