"""Whether writing gets slower as the journal grows.

A journal is filled by its writer's store, housekeeping included, in groups of 500 events with
random ids, as digests are. Beside it, in the same run, one table with a unique index over all
ids: the plain way, which the journal does not take. The rate at a mark is that of the last
70,000 events before it, more than one segment of ids. Ten million events take 10 GiB of disk:
``python -m benchmarks.journal_growth --large``.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks import report
from benchmarks.report import RESULTS, Section, Table
from gateway.events.model import Event, Fill, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp
from gateway.journal.database import connect_writer
from gateway.journal.opening import open_store
from gateway.journal.records import Prepared, prepare
from gateway.journal.settings import DEFAULT_LIMITS, JournalSettings
from gateway.journal.store import Addition

GROUP = 500
MARKS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
SMALL, LARGE = 5, 7
"""So many marks by default, and where there is disk for it."""
WINDOW = 70_000
"""The rate at a mark is that of so many events before it."""

Write = Callable[[list[Prepared]], None]


def groups() -> Callable[[], list[Prepared]]:
    """Makes groups of fresh events; only the ids differ, and they are random as digests are."""
    event = Event(
        id="0" * 32,
        account="lbank-main",
        venue="lbank",
        symbol="ETH/BTC",
        venue_symbol="eth_btc",
        origin=Origin.PUSH,
        received_time=Timestamp("2026-01-02T03:04:05.700123Z"),
        body=Fill(order_id="o-1", price=PlainDecimal("1"), quantity=PlainDecimal("2")),
        raw="x" * 300,
    )
    [one] = prepare([event])

    def make() -> list[Prepared]:
        digests = os.urandom(16 * GROUP)
        ids = [digests[n : n + 16] for n in range(0, len(digests), 16)]
        return [Prepared(i, event, one.received_ns, one.tail, one.raw) for i in ids]

    return make


def journal_way(directory: Path) -> Write:
    """The journal's own store, housekeeping included."""
    store = open_store(directory, JournalSettings(), DEFAULT_LIMITS.segment_ids).store

    def write(group: list[Prepared]) -> None:
        store.write([Addition(group, ())])
        store.tidy()

    return write


def plain_way(directory: Path) -> Write:
    """One table with a unique index."""
    connection = connect_writer(directory / "plain.db", "fsync")
    connection.execute(
        "CREATE TABLE e (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, a, b, c, tail, raw)"
    )
    connection.execute("PRAGMA wal_autocheckpoint=1000").fetchall()

    def write(group: list[Prepared]) -> None:
        with connection:
            connection.executemany(
                "INSERT OR IGNORE INTO e (id, a, b, c, tail, raw) VALUES (?, ?, ?, ?, ?, ?)",
                ((p.id, "fill", "lbank-main", p.received_ns, p.tail, p.raw) for p in group),
            )

    return write


def written_bytes() -> int:
    """What this process has given to the disk."""
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("write_bytes:") + 1])


class Point(msgspec.Struct, frozen=True):
    """How writing goes with so many events in the journal."""

    events: int
    rate: float
    """Per second."""
    written: int
    """Bytes given to the disk per event."""


def fill(way: Callable[[Path], Write], marks: tuple[int, ...]) -> list[Point]:
    """Write up to the last mark."""
    make = groups()
    points = []
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as directory:
        write = way(Path(directory))
        count = 0
        for mark in marks:
            while count < mark - min(WINDOW, mark // 2):
                write(make())
                count += GROUP
            begun, bytes_before, count_before = time.perf_counter(), written_bytes(), count
            while count < mark:
                write(make())
                count += GROUP
            seconds, news = time.perf_counter() - begun, count - count_before
            points.append(Point(mark, news / seconds, (written_bytes() - bytes_before) // news))
            print(points[-1], flush=True)
    return points


def measure(*, quick: bool, marks: int = SMALL) -> Section:
    """Fill both ways; the plain one not beyond a million, where it has told enough."""
    found = {
        "journal": fill(journal_way, MARKS[: 3 if quick else marks]),
        "one unique index": fill(plain_way, MARKS[: 3 if quick else SMALL]),
    }
    rows = [
        (
            way,
            f"{one.events:,}",
            f"{one.rate:,.0f}",
            f"{one.rate / points[0].rate:.2f}",
            f"{one.written:,}",
        )
        for way, points in found.items()
        for one in points
    ]
    columns = ("way", "events held", "events/s", "of the first", "bytes written/event")
    return Section(
        title="A journal that grows",
        text=__doc__ or "",
        command=f"python -m benchmarks.journal_growth{' --large' if marks > SMALL else ''}",
        tables=[Table("Writing, by what is there already", columns, rows)],
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--large", action="store_true", help="go on to ten million events")
    large = arguments.parse_args().large
    report.keep("journal_growth", measure(quick=False, marks=LARGE if large else SMALL))
