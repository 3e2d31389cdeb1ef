"""What is special to the parquet sink: hours, whole files, exact decimals, no row twice."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
import trio

from gateway.contracts.sink import ACCEPTED, SinkContext, SinkOptions
from gateway.contracts.values import Seconds
from gateway.errors import SinkUnavailable
from gateway.events.model import Event, Order, OrderStatus
from gateway.events.numbers import PlainDecimal
from gateway.events.times import from_nanoseconds
from gateway.sinks.parquet import (
    DELAYED,
    LOOK_SECONDS,
    QUIET_SECONDS,
    ParquetSettings,
    ParquetSink,
    open_parquet,
    probe_parquet,
)
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import fills, item
from tests.doubles.events import fill_event
from tests.gateway.sinks.conftest import HandClock
from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount

HOUR_SECONDS = 3600


class Lake:
    """A folder of files, and sinks that fill it."""

    def __init__(self, state_dir: Path, clock: HandClock) -> None:
        self.folder = state_dir / "lake"
        self.context = SinkContext(
            name="lake",
            state_dir=state_dir,
            options=SinkOptions(type="parquet", timeout=Seconds(5), include_raw=True),
            clock=clock,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[ParquetSink]:
        """The sink on that folder."""
        return open_parquet(ParquetSettings(path="lake"), self.context)

    def sink(self) -> ParquetSink:
        """One whose files are written when a test says so."""
        return ParquetSink(self.folder, self.context)

    def files(self) -> list[str]:
        """The files that readers see."""
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.glob("**/*.parquet")
        )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask DuckDB; LAKE stands for all files."""
        files = f"read_parquet('{self.folder}/**/*.parquet', hive_partitioning = true)"
        with duckdb.connect() as connection:
            return connection.execute(query.replace("LAKE", files)).fetchall()


@pytest.fixture
def lake(tmp_path: Path, clock: HandClock) -> Lake:
    """A fresh folder; the clock stands at 03:00, events of the doubles come at 03:04."""
    return Lake(tmp_path, clock)


def received(number: int, clock: HandClock, **fields: Any) -> Event:
    """The fill that is `number`, received now."""
    now = from_nanoseconds(clock.now_ns())
    return msgspec.structs.replace(fill_event(number), received_time=now, **fields)


async def test_files_are_written_when_their_hour_is_over(lake: Lake, clock: HandClock):
    """Before that there is none; then one by kind and account, and nothing stays staged."""
    sink = lake.sink()
    others = [item(11, received(11, clock, account="b")), item(12, received(12, clock))]
    assert [ACCEPTED] * 12 == list(await sink.deliver([*fills(10), *others]))
    await sink.write_files()
    assert [] == lake.files()
    clock.turn(HOUR_SECONDS)
    await sink.aclose()
    sink = lake.sink()  # as after a crash: nothing is known but what is on disk
    await sink.write_files()
    await sink.aclose()

    assert [
        "kind=fill/account=b/2026-01-02T03.parquet",
        "kind=fill/account=lbank-main/2026-01-02T03.parquet",
    ] == lake.files()
    assert [("b", 1), ("lbank-main", 11)] == lake.ask(
        "SELECT account, count(*) FROM LAKE GROUP BY 1 ORDER BY 1"
    )
    assert oct((lake.folder / lake.files()[0]).stat().st_mode & 0o777) == "0o640"


async def test_the_sink_looks_by_itself(lake: Lake, clock: HandClock):
    """What is staged from before is written soon after the start."""
    async with lake.open() as sink:
        await sink.deliver(fills(3))
    clock.turn(HOUR_SECONDS)
    async with lake.open():
        with trio.fail_after(30):
            while not lake.files():  # noqa: ASYNC110 - a folder rings no bell
                await trio.sleep(0.01)


async def test_an_hour_that_still_fills_is_left_alone(lake: Lake, clock: HandClock):
    """A sink that catches up on old hours does not write their files again and again."""
    sink = lake.sink()
    clock.turn(HOUR_SECONDS)
    await sink.deliver(fills(3))
    await sink.write_files()
    await sink.aclose()

    assert [] == lake.files()
    assert LOOK_SECONDS < QUIET_SECONDS


async def test_numbers_and_times_are_exact(lake: Lake, clock: HandClock):
    """Decimals are decimals, times are instants, flags are flags; what is not told is null."""
    body = Order(
        order_id="o-1",
        status=OrderStatus.NEW,
        venue_status="0",
        final=False,
        price=PlainDecimal("0.000009747280117178"),
        quantity=PlainDecimal("9288.0"),
    )
    event = msgspec.structs.replace(fill_event(1), body=body)
    await write(lake, clock, event)

    [row] = lake.ask(
        "SELECT price, quantity, final, hidden, status, unfit, raw,"
        " epoch_us(received_time), epoch_ms(venue_time) FROM LAKE"
    )
    assert (
        Decimal("0.000009747280117178"),
        Decimal(9288),
        False,
        None,
        "new",
        None,
        "{}",
        1767323045700123,
        1767323045678,
    ) == row


async def test_polars_and_pandas_read_the_same(lake: Lake, clock: HandClock):
    """By the words of the guide: each digit of a number, times in UTC, accounts by their folder."""
    price = "12345678901234567890.000000000000000001"
    body = msgspec.structs.replace(fill_event(1).body, price=PlainDecimal(price), fee=None)
    await write(lake, clock, msgspec.structs.replace(fill_event(1), body=body))
    by_pandas = pd.read_parquet(lake.folder / "kind=fill").to_dict("records")
    files = f"{lake.folder}/kind=fill/**/*.parquet"
    by_polars = pl.scan_parquet(files, hive_partitioning=True).collect().to_dicts()
    names = "price, quantity, fee, derived, account"
    by_duckdb = lake.ask(f"SELECT {names} FROM LAKE")

    expected = (Decimal(price), Decimal("0.003"), None, False, "lbank-main")
    assert [expected] == by_duckdb
    for [row] in (by_pandas, by_polars):
        assert expected == tuple(row[name] for name in names.split(", "))
        assert datetime(2026, 1, 2, 3, 4, 5, 700123, tzinfo=UTC) == row["received_time"]


async def test_a_number_that_no_decimal_holds_is_kept_as_text(lake: Lake, clock: HandClock):
    """More than 20 digits before the point, or 18 behind it, stand in `unfit` with all digits."""
    long = PlainDecimal("-0." + "0" * 29 + "1")
    wide = PlainDecimal("9" * 21)
    body = msgspec.structs.replace(fill_event(1).body, price=long, quantity=wide)
    fitting = msgspec.structs.replace(
        fill_event(2).body, price=PlainDecimal("9" * 20 + "." + "9" * 18 + "000")
    )
    events = [msgspec.structs.replace(fill_event(n), body=b) for n, b in ((1, body), (2, fitting))]
    await write(lake, clock, *events)

    [first, second] = lake.ask("SELECT price, quantity, unfit FROM LAKE ORDER BY seq")
    assert (None, None) == first[:2]
    assert {"price": long, "quantity": wide} == json.loads(first[2])
    assert (Decimal("9" * 20 + "." + "9" * 18), Decimal("0.003"), None) == second


async def write(lake: Lake, clock: HandClock, *events: Event) -> None:
    """Deliver events, and have their files written after the hour."""
    sink = lake.sink()
    await sink.deliver([item(seq, event) for seq, event in enumerate(events, start=1)])
    await sink.aclose()
    clock.turn(HOUR_SECONDS)
    sink = lake.sink()
    await sink.write_files()
    await sink.aclose()


async def test_a_replay_adds_only_what_is_missing(lake: Lake, clock: HandClock):
    """An hour that is delivered again is written whole again, each event once."""
    events = [fill_event(number) for number in range(1, 6)]
    await write(lake, clock, *events[:3])
    await write(lake, clock, *events)

    assert [(5, 5)] == lake.ask("SELECT count(*), count(DISTINCT id) FROM LAKE")
    assert 1 == len(lake.files())


async def test_a_crash_before_the_staging_was_emptied_repeats_no_row(lake: Lake, clock: HandClock):
    """Written, but not yet dropped from the staging: the next start writes the same file."""
    events = [fill_event(number) for number in range(1, 4)]
    await write(lake, clock, *events)
    sink = lake.sink()
    await sink.deliver([item(seq, event) for seq, event in enumerate(events, start=1)])
    await sink.aclose()
    left = lake.folder / f"{lake.files()[0]}"
    left.with_name(f".{left.name}.new").write_bytes(b"half a file")
    sink = lake.sink()
    await sink.write_files()
    await sink.aclose()

    assert [(3, 3)] == lake.ask("SELECT count(*), count(DISTINCT id) FROM LAKE")
    assert [] == list(lake.folder.glob("**/.*.new"))


async def test_a_file_of_an_older_gateway_is_taken_over(lake: Lake, clock: HandClock):
    """Columns that it lacks are null in its rows."""
    await write(lake, clock, fill_event(1))
    path = lake.folder / lake.files()[0]
    table = pyarrow.parquet.ParquetFile(path).read()
    pyarrow.parquet.write_table(table.drop_columns(["liquidity", "unfit"]), path)
    await write(lake, clock, fill_event(2))

    assert [(2, 0)] == lake.ask("SELECT count(*), count(unfit) FROM LAKE")


async def test_files_that_cannot_be_written_wait(lake: Lake, clock: HandClock):
    """Trouble with the files is told once, loses nothing, and stops no delivery."""
    sink = lake.sink()
    await sink.deliver(fills(3))
    await sink.aclose()
    clock.turn(HOUR_SECONDS)
    (lake.folder / "kind=fill").write_text("in the way")
    before = DELAYED.count
    sink = lake.sink()
    await sink.write_files()
    await sink.write_files()
    assert [ACCEPTED] == list(await sink.deliver(fills(1, first=4)))
    await sink.aclose()
    (lake.folder / "kind=fill").unlink()
    sink = lake.sink()
    await sink.write_files()
    await sink.aclose()

    assert before + 1 == DELAYED.count
    assert [(4,)] == lake.ask("SELECT count(*) FROM LAKE")


@needs_mount
async def test_a_full_disk(tmp_path: Path, clock: HandClock):
    """Events wait while nothing can be staged; with space each is in a file, once."""
    large = [item(seq, fill_event(seq, raw="x" * 4096)) for seq in range(6, 206)]
    with mounted(tmp_path / "disk", 4) as disk:
        lake = Lake(disk, clock)
        sink = lake.sink()
        await sink.deliver(fills(5))
        eat_space(disk)
        with pytest.raises(SinkUnavailable, match="no space left"):
            await sink.deliver(large)
        (disk / "glutton").unlink()
        await sink.deliver(large)
        clock.turn(HOUR_SECONDS)
        await sink.aclose()
        sink = lake.sink()
        await sink.write_files()
        await sink.aclose()

        assert [(205, 205)] == lake.ask("SELECT count(*), count(DISTINCT id) FROM LAKE")


@pytest.mark.parametrize("path", ["", ".", "/", ".."])
def test_a_path_that_cannot_be(path: str):
    """It must name a folder."""
    assert ["path"] == [key for key, _ in ParquetSettings(path=path).problems()]


async def test_a_probe_writes_no_event(lake: Lake):
    """`check --connect` opens the folder, or says what is in the way."""
    [fine] = await probe_parquet(ParquetSettings(path="lake"), lake.context)
    [broken] = await probe_parquet(ParquetSettings(path="lake/.staging.db"), lake.context)

    assert fine.ok
    assert not broken.ok
    assert [] == lake.files()
