"""How fast a sink that was away gets what it missed, and what memory that takes.

A journal holds a backlog (100,000 events; ``python -m benchmarks.backlog --large`` has a
million); then a delivery is opened on it, with one sink that starts at the earliest
event. Counted is the time until its cursor stands at the end, on disk. Memory is that
of the process, over what it held before the delivery was opened.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from benchmarks import report
from benchmarks.durability import make_event
from benchmarks.processes import open_process, resident_bytes
from benchmarks.report import RESULTS, Section, Table
from gateway import registry
from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ConfiguredSink, SinkOptions
from gateway.delivery import Delivery, SinkState, open_delivery
from gateway.journal import Journal, JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics

EVENTS: Final = 100_000
LARGE: Final = 1_000_000
GROUP: Final = 500
MIB: Final = 1024 * 1024


class Drained(msgspec.Struct, frozen=True):
    """One sink's way through the backlog."""

    sink: str
    events: int
    seconds: float
    mib: float
    """Most memory held beyond what was held before."""


async def fill(journal: Journal, events: int) -> None:
    """Journal the backlog."""
    for _ in range(0, events, GROUP):
        await journal.append([make_event() for _ in range(GROUP)])
    await (await journal.append([])).wait()  # answered once all before it is on disk


async def drain_all(directory: Path, events: int) -> list[Drained]:
    """Fill a journal, and drain it into one sink after the other."""
    metrics, found = Metrics(), []
    async with open_journal(
        directory, JournalSettings(), clock=WALL_CLOCK, metrics=metrics
    ) as journal:
        await fill(journal, events)
        print(f"{events:,} events journalled", flush=True)
        with open_process("-m", "benchmarks.receiver") as receiver:
            assert receiver.stdout is not None
            webhook = {"url": receiver.stdout.readline().strip(), "mode": "batch"}
            for name, settings in (
                ("jsonl", {"path": "events.jsonl"}),
                ("sqlite", {"path": "events.db"}),
                ("webhook", webhook),
            ):
                found.append(await drain(journal, directory, name, settings))
                print(msgspec.json.encode(found[-1]).decode(), flush=True)
    return found


async def drain(journal: Journal, directory: Path, name: str, settings: dict[str, Any]) -> Drained:
    """Open a delivery with one sink, and wait until it has everything."""
    spec = registry.find_sink(name)
    sink = ConfiguredSink(
        name=name,
        spec=spec,
        options=SinkOptions(type=name, start="earliest"),
        settings=spec.settings(**settings),
    )
    before = most = _resident()
    async with open_delivery(
        journal, clock=WALL_CLOCK, metrics=Metrics(), state_dir=directory
    ) as delivery:
        begun = time.perf_counter()
        await delivery.reconfigure({name: sink})
        while _pending(delivery, name):
            await trio.sleep(0.01)
            most = max(most, _resident())
        seconds = time.perf_counter() - begun
        assert delivery.status()[name].state is SinkState.RUNNING
    return Drained(name, journal.last_seq, seconds, (most - before) / MIB)


def _pending(delivery: Delivery, name: str) -> int:
    return delivery.status()[name].pending


def _resident() -> int:
    return resident_bytes(os.getpid())


def measure(*, quick: bool, events: int = EVENTS) -> Section:
    """Fill once, drain into each sink."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        found = trio.run(drain_all, Path(folder), events // 5 if quick else events)
    rows = [
        (run.sink, f"{run.events:,}", f"{run.events / run.seconds:,.0f}", f"{run.mib:.1f}")
        for run in found
    ]
    return Section(
        title="Draining a backlog",
        text=__doc__ or "",
        command=f"python -m benchmarks.backlog{' --large' if events > EVENTS else ''}",
        tables=[Table("One sink at a time", ("sink", "events", "events/s", "MiB more"), rows)],
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--large", action="store_true", help="a million events")
    report.keep(
        "backlog", measure(quick=False, events=LARGE if arguments.parse_args().large else EVENTS)
    )
