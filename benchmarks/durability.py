"""From `append` to disk, and from disk to a sink, for one producer and for many.

Producers append one event each and wait until it is on disk, again and again; a sink
that accepts at once notes when events reach it. *Durable* is append to fsynced;
*accepted* is fsynced to taken by the sink. Beside them runs a bare loop that writes
the same bytes to a file and fsyncs once for as many events as there are producers:
what a group commit without a database could reach at best.
"""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import trio

from benchmarks.report import RESULTS, Section, Table
from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import (
    ACCEPTED,
    ConfiguredSink,
    Item,
    SinkContext,
    SinkOptions,
    SinkSpec,
    Verdict,
)
from gateway.delivery import open_delivery
from gateway.events.model import Event, Fill, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import from_nanoseconds
from gateway.journal import Journal, JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics

PRODUCERS: Final = (1, 10, 100, 1000)
SECONDS: Final = 5.0
RAW: Final = "x" * 300
"""As long as a push of today's LBank."""


class Timing(msgspec.Struct, frozen=True):
    """Latencies in seconds, and how many events a second there were."""

    rate: float
    durable: Sequence[float]
    accepted: Sequence[float] = ()


def make_event() -> Event:
    """A fill that nobody has seen before."""
    return Event(
        id=os.urandom(16).hex(),
        account="lbank-main",
        venue="lbank",
        symbol="ETH/BTC",
        venue_symbol="eth_btc",
        origin=Origin.PUSH,
        received_time=from_nanoseconds(WALL_CLOCK.now_ns()),
        body=Fill(order_id="o-1", price=PlainDecimal("1"), quantity=PlainDecimal("2")),
        raw=RAW,
    )


class StopWatch:
    """A sink that takes everything, and remembers when each event came."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Note the time."""
        await trio.lowlevel.checkpoint()
        now = time.perf_counter()
        self.at.update((item.record.seq, now) for item in items)
        return [ACCEPTED] * len(items)

    def sink(self) -> ConfiguredSink:
        """As a configuration would have it."""

        @asynccontextmanager
        async def open_watch(_: msgspec.Struct, __: SinkContext) -> AsyncIterator[StopWatch]:
            yield self

        spec = SinkSpec(name="watch", summary="", settings=msgspec.Struct, open=open_watch)
        options = SinkOptions(type="watch", start="earliest")
        return ConfiguredSink(name="watch", spec=spec, options=options, settings=msgspec.Struct())


def run_ours(directory: Path, producers: int, seconds: float) -> Timing:
    """The journal and a delivery, in a loop of their own."""
    return trio.run(run_journal, directory, producers, seconds)


async def run_journal(directory: Path, producers: int, seconds: float) -> Timing:
    """The journal and a delivery."""
    metrics, watch = Metrics(), StopWatch()
    durable: list[float] = []
    durable_at: dict[int, float] = {}
    async with (
        open_journal(directory, JournalSettings(), clock=WALL_CLOCK, metrics=metrics) as journal,
        open_delivery(journal, clock=WALL_CLOCK, metrics=metrics, state_dir=directory) as delivery,
    ):
        await delivery.reconfigure({"watch": watch.sink()})
        begun = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(producers):
                nursery.start_soon(produce, journal, begun + seconds, durable, durable_at)
        spent = time.perf_counter() - begun
        await delivery.drain(60)
    accepted = [max(0.0, watch.at[seq] - at) for seq, at in durable_at.items()]
    return Timing(len(durable) / spent, durable, accepted)


async def produce(
    journal: Journal, until: float, durable: list[float], durable_at: dict[int, float]
) -> None:
    """Append one event after the other."""
    while (began := time.perf_counter()) < until:
        ticket = await journal.append([make_event()])
        [seq] = (await ticket.wait()).seqs
        assert seq is not None
        now = durable_at[seq] = time.perf_counter()
        durable.append(now - began)


def run_bare(directory: Path, producers: int, seconds: float) -> Timing:
    """Write and fsync the same bytes, in groups of as many as there are producers."""
    line = msgspec.json.encode(make_event()) + b"\n"
    durable: list[float] = []
    with (directory / "bare").open("wb", buffering=0) as file:
        started = time.perf_counter()
        while (began := time.perf_counter()) < started + seconds:
            file.write(line * producers)
            os.fdatasync(file.fileno())
            durable += [time.perf_counter() - began] * producers
    return Timing(len(durable) / (time.perf_counter() - started), durable)


def percentile(values: Sequence[float], share: float) -> str:
    """In milliseconds."""
    return f"{1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]:.2f}"


def measure(*, quick: bool) -> Section:
    """Each number of producers, the bare loop right before the journal."""
    seconds = 1.0 if quick else SECONDS
    rows = []
    for producers in PRODUCERS:
        bare = _in_folder(partial(run_bare, producers=producers, seconds=seconds))
        ours = _in_folder(partial(run_ours, producers=producers, seconds=seconds))
        cells = [f"{producers:,}", f"{ours.rate:,.0f}", f"{bare.rate:,.0f}"]
        for values in (ours.durable, bare.durable, ours.accepted):
            cells += [percentile(values, 0.5), percentile(values, 0.99)]
        print(" ".join(f"{cell:>9}" for cell in cells), flush=True)
        rows.append(cells)
    head = ["producers", "events/s", "bare events/s"]
    for what in ("durable", "bare", "accepted"):
        head += [f"{what} p50 ms", f"p99 ms {what}"]
    return Section(
        title="Append, disk, sink",
        text=__doc__ or "",
        command="python -m benchmarks durability",
        tables=[Table("Latency and rate", head, rows)],
    )


def _in_folder(run: Callable[[Path], Timing]) -> Timing:
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        return run(Path(folder))
