"""How long a journal of any size takes to open, after a stop and after a kill.

The journal is filled by its writer's store, in groups of 500, then opened as `gateway
run` opens it, until an event appended to it is on disk. *After a kill* its WAL was not
folded into the database and has to be looked through first; opened once more, it has
been stopped in order. Ten million events take 10 GiB of disk: ``python -m
benchmarks.start_up --large``.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from benchmarks import report
from benchmarks.durability import make_event
from benchmarks.journal_growth import GROUP, groups
from benchmarks.report import RESULTS, Section, Table
from gateway.clock import WALL_CLOCK
from gateway.contracts.values import Bytes, Seconds
from gateway.journal import JournalSettings, open_journal
from gateway.journal.opening import open_store
from gateway.journal.settings import DEFAULT_LIMITS, Retention
from gateway.journal.store import Addition
from gateway.telemetry.metrics import Metrics

SIZES: Final = (10_000, 100_000, 1_000_000)
LARGE: Final = (10_000_000,)
TARGET_SECONDS: Final = 1.0
SETTINGS: Final = JournalSettings(
    retain=Retention(age=Seconds(100 * 365 * 86_400.0), size=Bytes(1 << 40))
)
"""Nothing is old or large enough to be deleted meanwhile."""


def measure(*, quick: bool, sizes: Sequence[int] = SIZES) -> Section:
    """Fill journals of each size, and open them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows, slowest = [], 0.0
    for events in sizes[:-1] if quick else sizes:
        with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
            fill(Path(folder), events)
            seconds = [trio.run(until_written, Path(folder)) for _ in range(2)]
        size, slowest = f"{events:,}", max(slowest, *seconds)
        rows.append((size, *(f"{each:.2f}" for each in seconds)))
        print(*rows[-1], flush=True)
    met = "met" if slowest <= TARGET_SECONDS else "missed"
    return Section(
        title="Start",
        text=__doc__ or "",
        command="python -m benchmarks start_up",
        tables=[
            Table("Until an event is on disk", ("events", "s after a kill", "s after a stop"), rows)
        ],
        notes=[f"The slowest took {slowest:.2f} s (wanted {TARGET_SECONDS:g}: {met})."],
    )


def fill(directory: Path, events: int) -> None:
    """Write so many, and let go as a kill does."""
    store = open_store(directory, SETTINGS, DEFAULT_LIMITS.segment_ids).store
    make = groups()
    for _ in range(0, events, GROUP):
        store.write([Addition(make(), ())])
        while store.tidy():
            pass
    store.abandon()


async def until_written(directory: Path) -> float:
    """Seconds from opening to the first new event on disk."""
    begun = time.perf_counter()
    async with open_journal(directory, SETTINGS, clock=WALL_CLOCK, metrics=Metrics()) as journal:
        await (await journal.append([make_event()])).wait()
        return time.perf_counter() - begun


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--large", action="store_true", help="ten million events more")
    large = arguments.parse_args().large
    report.keep("start_up", measure(quick=False, sizes=SIZES + LARGE if large else SIZES))
