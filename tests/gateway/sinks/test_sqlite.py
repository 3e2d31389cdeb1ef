"""What is special to the sqlite sink: its tables and views, and a file that comes to harm."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkOptions
from gateway.contracts.values import Seconds
from gateway.errors import SinkUnavailable
from gateway.events.model import (
    Balance,
    Event,
    Order,
    OrderStatus,
    Origin,
    Stream,
    StreamReason,
    StreamStatus,
)
from gateway.events.numbers import PlainDecimal
from gateway.sinks.database_file import CHECKPOINT_PAGES
from gateway.sinks.sqlite import SqliteSettings, SqliteSink, open_sqlite, probe_sqlite
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import fills, item
from tests.doubles.events import fill_event


def context(state_dir: Path, **options: Any) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="ledger",
        state_dir=state_dir,
        options=SinkOptions(type="sqlite", **({"timeout": Seconds(2)} | options)),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


def open_at(path: Path, **options: Any) -> AbstractAsyncContextManager[SqliteSink]:
    """The sink on `path`."""
    return open_sqlite(SqliteSettings(path=path.name), context(path.parent, **options))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database goes."""
    return tmp_path / "events.db"


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask by a connection of our own.

    By the sink's library: a second copy of SQLite in one process would break its locks.
    """
    with closing(apsw.Connection(str(path))) as connection:
        return connection.execute(query).fetchall()


def put(path: Path, content: bytes) -> None:
    """Replace a file."""
    path.write_bytes(content)


def contents(path: Path) -> bytes:
    """What stands in a file."""
    return path.read_bytes()


def damage(path: Path) -> None:
    """Spoil all pages but the first and the last."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))


def with_body(number: int, body: Any, **fields: Any) -> Event:
    """The event that is `number`, about something else."""
    return msgspec.structs.replace(fill_event(number), body=body, **fields)


def order(order_id: str, status: OrderStatus) -> Order:
    """A state of an order."""
    return Order(
        order_id=order_id,
        status=status,
        venue_status="1",
        final=status is OrderStatus.FILLED,
        price=PlainDecimal("0.000009747280117178"),
        post_only=False,
    )


def balance(asset: str, total: str) -> Balance:
    """A state of an asset."""
    number = PlainDecimal(total)
    return Balance(asset=asset, available=number, held=PlainDecimal("0.0"), total=number)


def stream(status: StreamStatus) -> Stream:
    """Something about the stream."""
    return Stream(status=status, reason=StreamReason.CONNECTION_LOST, recovered=3, complete=True)


# --- tables and views -----------------------------------------------------------------


async def test_a_row_holds_what_the_event_holds(path: Path):
    """Numbers keep their digits, booleans are 0 and 1, what is not told is NULL."""
    events = [
        with_body(1, order("o-1", OrderStatus.NEW)),
        with_body(2, stream(StreamStatus.GAP_CLOSED), origin=Origin.GATEWAY, symbol=None),
    ]
    async with open_at(path) as sink:
        await sink.deliver([item(seq, event) for seq, event in enumerate(events, start=1)])

    [row] = ask(path, "SELECT id, seq, venue_time, price, post_only, hidden, raw FROM orders")
    assert (
        events[0].id,
        1,
        "2026-01-02T03:04:05.678Z",
        "0.000009747280117178",
        0,
        None,
        None,
    ) == row
    assert [("gateway", None, "gap_closed", 3, 1)] == ask(
        path, "SELECT origin, symbol, status, recovered, complete FROM streams"
    )


async def test_the_venues_text_stands_there_on_request(path: Path):
    """`include_raw: true` fills the column `raw`."""
    async with open_at(path, include_raw=True) as sink:
        await sink.deliver([item(1, fill_event(1, raw='{"TS":1}'))])

    assert [('{"TS":1}',)] == ask(path, "SELECT raw FROM fills")


async def test_views_show_the_last_state_of_each_subject(path: Path):
    """The latest by seq, whatever the order of arrival: a replay of old events changes nothing."""
    first, second = order("o-1", OrderStatus.NEW), order("o-1", OrderStatus.FILLED)
    items = [
        item(1, with_body(1, first)),
        item(2, with_body(2, second)),
        item(3, with_body(3, order("o-2", OrderStatus.NEW))),
        item(4, with_body(4, order("o-1", OrderStatus.NEW), account="other")),
        item(5, with_body(5, balance("BTC", "1.0"))),
        item(6, with_body(6, balance("BTC", "2.0"))),
        item(7, with_body(7, stream(StreamStatus.GAP_OPENED))),
        item(8, with_body(8, stream(StreamStatus.GAP_CLOSED))),
        item(9, with_body(9, stream(StreamStatus.GAP_OPENED))),
    ]
    async with open_at(path) as sink:
        await sink.deliver(items[1:])
        await sink.deliver(items[:1])

    orders = ask(path, "SELECT account, order_id, status FROM latest_orders ORDER BY seq")
    assert [
        ("lbank-main", "o-1", "filled"),
        ("lbank-main", "o-2", "new"),
        ("other", "o-1", "new"),
    ] == orders
    assert [("BTC", "2.0")] == ask(path, "SELECT asset, total FROM latest_balances")
    assert [(8, "gap_closed"), (9, "gap_opened")] == ask(
        path, "SELECT seq, status FROM latest_streams ORDER BY seq"
    )
    assert [] == ask(path, "SELECT * FROM latest_positions")


async def test_a_column_that_an_older_file_lacks_is_added(path: Path):
    """A file of an older gateway goes on; its old rows are empty there, and the view shows it."""
    async with open_at(path) as sink:
        await sink.deliver([item(1, with_body(1, order("o-1", OrderStatus.NEW)))])
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(
            "DROP VIEW latest_orders; ALTER TABLE orders DROP COLUMN hidden;"
            "CREATE VIEW latest_orders AS SELECT order_id FROM orders"
        )
    later = msgspec.structs.replace(order("o-2", OrderStatus.NEW), hidden=True)
    async with open_at(path) as sink:
        await sink.deliver([item(2, with_body(2, later))])

    assert [("o-1", None), ("o-2", 1)] == ask(
        path, "SELECT order_id, hidden FROM latest_orders ORDER BY seq"
    )


async def test_a_reader_sees_whole_batches_only(path: Path):
    """An open read does not hold the writer up, and sees none of what comes meanwhile."""
    async with open_at(path) as sink:
        await sink.deliver(fills(10))
        with closing(apsw.Connection(str(path))) as reader:
            reader.execute("BEGIN")
            before = reader.execute("SELECT count(*) FROM fills").fetchone()
            assert [ACCEPTED] * 10 == list(await sink.deliver(fills(10, first=11)))
            assert before == reader.execute("SELECT count(*) FROM fills").fetchone() == (10,)
            reader.execute("COMMIT")
            assert (20,) == reader.execute("SELECT count(*) FROM fills").fetchone()


async def test_any_tool_reads_while_it_is_written(path: Path):
    """Another process, with Python's own SQLite, sees what was accepted."""
    code = (
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())"
    )
    query = "SELECT count(*), max(price) FROM fills"
    async with open_at(path) as sink:
        await sink.deliver(fills(7))
        done = await trio.run_process(
            [sys.executable, "-c", code, str(path), query], capture_stdout=True
        )
        await sink.deliver(fills(1, first=8))

    assert b"7 0.02455211\n" == done.stdout


async def test_the_wal_is_folded_in(path: Path):
    """After many pages the database itself holds the rows, while the sink stays open."""
    big = [item(seq, fill_event(seq, raw="x" * 8192)) for seq in range(1, CHECKPOINT_PAGES)]
    async with open_at(path, include_raw=True, timeout=Seconds(30)) as sink:
        await sink.deliver(big)

        status = os.stat(path)  # noqa: PTH116 - instant, and the loop has nothing else
        assert status.st_size > 8192 * len(big)
        assert oct(status.st_mode & 0o777) == "0o640"


# --- a file that comes to harm ---------------------------------------------------------


async def refused(sink: SqliteSink, items: list[Item]) -> str:
    """What the sink says about why it cannot take events now."""
    with pytest.raises(SinkUnavailable) as caught:
        await sink.deliver(items)
    return str(caught.value)


async def test_a_file_that_was_moved_away(path: Path, tmp_path: Path):
    """What was written stays with the moved file; a new one is begun where it stood."""
    async with open_at(path) as sink:
        await sink.deliver(fills(1))
        for name in ("", "-wal", "-shm"):
            (tmp_path / f"events.db{name}").rename(tmp_path / f"aside.db{name}")
        await sink.deliver(fills(1, first=2))

    assert [(1,)] == ask(tmp_path / "aside.db", "SELECT seq FROM fills")
    assert [(2,)] == ask(path, "SELECT seq FROM fills")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no database" * 100, "no SQLite database"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "no SQLite database|damaged"),
    ],
)
async def test_a_file_that_is_no_database(path: Path, content: bytes, words: str):
    """It is left as it is, and said to be in the way; without it the sink goes on."""
    put(path, content)
    async with open_at(path) as sink:
        said = await refused(sink, fills(1))
        assert content == contents(path)
        os.unlink(path)  # noqa: PTH108 - the same
        await sink.deliver(fills(1))

    assert any(word in said for word in words.split("|"))
    assert "move it away" in said


async def test_a_damaged_page_is_said(path: Path):
    """Rows that cannot be read back are damage, not a reason to go on silently."""
    async with open_at(path) as sink:
        await sink.deliver(fills(400))
    damage(path)
    async with open_at(path) as sink:
        assert "damaged" in await refused(sink, fills(400, first=401))


async def test_another_program_holds_the_file(path: Path):
    """A lock is waited for a while, then named; nothing is lost."""
    async with open_at(path, timeout=Seconds(0.2)) as sink:
        await sink.deliver(fills(1))
        with closing(apsw.Connection(str(path))) as other:
            other.execute("BEGIN IMMEDIATE")
            said = await refused(sink, fills(2))
        await sink.deliver(fills(2))

    assert "another program holds a lock" in said
    assert [(2,)] == ask(path, "SELECT count(*) FROM fills")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs, not even for root")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small tmpfs"
)
async def test_a_full_disk(small_disk: Path):
    """It is named, nothing of the batch is there, and with space the sink goes on by itself."""
    glutton = small_disk / "glutton"
    path = small_disk / "events.db"
    big = [item(seq, fill_event(seq, raw="x" * 1024)) for seq in range(1, 301)]
    async with open_at(path, include_raw=True) as sink:
        await sink.deliver(big[:10])
        glutton.write_bytes(b"x" * 600_000)
        said = await refused(sink, big)
        with trio.fail_after(30):
            glutton.unlink()
            await sink.deliver(big)

    assert "no space left" in said
    assert [(300,)] == ask(path, "SELECT count(*) FROM fills")


# --- configuration ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "..", "/", "journal.db", "x/journal.db"])
def test_a_path_that_cannot_be(path: str):
    """It must name a file, and not the journal's."""
    assert ["path"] == [key for key, _ in SqliteSettings(path=path).problems()]


async def test_a_probe_writes_no_event(path: Path):
    """`check --connect` makes the tables, or says what is in the way."""
    [fine] = await probe_sqlite(SqliteSettings(path=path.name), context(path.parent))
    assert [(0,)] == ask(path, "SELECT count(*) FROM fills")
    put(path, b"no database" * 100)
    [broken] = await probe_sqlite(SqliteSettings(path=path.name), context(path.parent))

    assert fine.ok
    assert not broken.ok
    assert "move it away" in broken.detail
