"""Show whether writing gets slower as the journal grows.

Fills a journal by its writer's store, in groups of 500, and prints the rate of
each tenth of the way beside one unique index over all ids, the plain way that
the journal does not take. Run it with::

    python benchmarks/journal_growth.py            # 10^4 … 10^6
    python benchmarks/journal_growth.py --large    # … 10^7, some 10 GiB of disk
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from gateway.events.model import Event, Fill, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp
from gateway.journal.database import connect_writer
from gateway.journal.opening import open_store
from gateway.journal.records import Prepared, prepare
from gateway.journal.schema import PAGE_BYTES
from gateway.journal.settings import DEFAULT_LIMITS, JournalSettings
from gateway.journal.store import Addition

GROUP = 500
MARKS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
WINDOW = 70_000
"""The rate at a mark is that of so many events before it: more than one segment of ids."""

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


def measure(name: str, way: Callable[[Path], Write], marks: tuple[int, ...]) -> None:
    """Fill up to the last mark and print a line for each."""
    make = groups()
    first_rate = 0.0
    with tempfile.TemporaryDirectory(dir=".") as directory:
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
            rate = (count - count_before) / (time.perf_counter() - begun)
            first_rate = first_rate or rate
            per_event = (written_bytes() - bytes_before) // (count - count_before)
            print(
                f"{name:8} {mark:>10,} {rate:>9,.0f} events/s  ratio {rate / first_rate:.2f}"
                f"  {per_event:>7,} bytes written/event",
                flush=True,
            )


def main() -> None:
    """Measure both ways."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--large", action="store_true", help="go on to ten million events")
    arguments.add_argument("--plain", action="store_true", help="measure the plain index too")
    options = arguments.parse_args()
    marks = MARKS if options.large else MARKS[:5]
    print(f"SQLite {apsw.sqlite_lib_version()}, pages of {PAGE_BYTES} bytes, groups of {GROUP}")
    measure("journal", journal_way, marks)
    if options.plain:
        measure("plain", plain_way, marks[:5])


if __name__ == "__main__":
    main()
