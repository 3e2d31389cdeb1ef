"""Lines for people: what they show, what they escape, and a reader that stops reading."""

import os
import pty

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SinkUnavailable
from gateway.events.model import (
    Balance,
    Event,
    Origin,
    Stream,
    StreamReason,
    StreamStatus,
    Unrecognized,
)
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp
from gateway.sinks.console.lines import format_line
from gateway.sinks.console.output import Output
from tests.doubles.events import fill_event


def event_of(body: object, account: str = "lbank-main") -> Event:
    """An event around a body."""
    return Event(
        id="0" * 32,
        account=account,
        venue="lbank",
        origin=Origin.GATEWAY,
        received_time=Timestamp("2026-01-02T03:04:05.700123Z"),
        body=body,  # type: ignore[arg-type] # any kind
    )


GAP = Stream(
    status=StreamStatus.GAP_CLOSED,
    reason=StreamReason.PARTLY_UNREADABLE,
    since=Timestamp("2026-01-02T03:00:00.000000Z"),
    recovered=7,
    complete=False,
    detail="two pairs could not be asked",
)


def test_a_fill_in_columns():
    """A line shows time, account, what, symbol, price, quantity and order."""
    line = format_line(fill_event(1))

    assert line.split() == [
        "03:04:05.700", "lbank-main", "fill", "ETH/BTC", "0.02455211", "0.003", "order", "o-1",
    ]  # fmt: skip


def test_columns_line_up():
    """The same column begins at the same place in lines of different kinds."""
    order = format_line(fill_event(1))
    balance = format_line(
        event_of(
            Balance(
                asset="BTC",
                available=PlainDecimal("1"),
                held=PlainDecimal("0"),
                total=PlainDecimal("1"),
            )
        )
    )

    assert order.index("fill") == balance.index("balance")
    assert order.index("ETH/BTC") == balance.index("BTC")
    assert order.index("0.003") + len("0.003") == balance.index(" 1 ") + len(" 1")


def test_gaps_stand_out():
    """A gap says so in capitals, with its bounds and whether it is complete."""
    line = format_line(event_of(GAP))

    assert "STREAM" in line
    assert "gap_closed (partly_unreadable) since 2026-01-02T03:00:00.000000Z" in line
    assert "recovered 7 NOT complete - two pairs could not be asked" in line


def test_control_characters_are_escaped():
    """What a venue sends cannot move the cursor, break the line or turn the writing around."""
    nasty = "\x1b[2J\r\n\u202edrow\x07"
    line = format_line(event_of(Unrecognized(reason="not_json", frame=nasty), account=nasty))

    assert line.isprintable()
    assert r"\x1b[2J\r\n\u202edrow\x07" in line


@given(st.text())
def test_any_text_gives_one_printable_line(text: str):
    """Whatever stands in an event, the line is one line, coloured or not."""
    fill = fill_event(1)
    event = msgspec.structs.replace(fill, account=text, symbol=text)

    assert format_line(event).isprintable()
    assert "\n" not in format_line(event, colour=True)


def test_colour_is_added_around_the_same_text():
    """Colour changes nothing but the escape codes."""
    plain, coloured = (format_line(event_of(GAP), colour=colour) for colour in (False, True))

    assert "\x1b[" not in plain
    assert "\x1b[1m\x1b[33mSTREAM" in coloured


def test_lines_are_cut_to_a_width():
    """A given width is kept, and shown to have cut something."""
    line = format_line(event_of(GAP), width=40)

    assert len(line) == 40
    assert line.endswith("…")


async def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    """`auto` colours a terminal, not a pipe, and obeys NO_COLOR."""
    leader, terminal = pty.openpty()
    reading, writing = os.pipe()
    monkeypatch.delenv("NO_COLOR", raising=False)
    try:
        assert Output(terminal).wants_colour("auto")
        assert not Output(writing).wants_colour("auto")
        assert Output(writing).wants_colour("always")
        monkeypatch.setenv("NO_COLOR", "1")
        assert not Output(terminal).wants_colour("auto")
    finally:
        for descriptor in (leader, terminal, reading, writing):
            os.close(descriptor)


async def test_a_stalled_reader_does_not_hold_the_writer():
    """A full pipe that nobody reads is given up on cancellation; the next line begins anew."""
    reading, writing = os.pipe()
    output = Output(writing)
    with trio.move_on_after(0.2) as deadline:
        await output.write(b"x" * (1 << 20))
    assert deadline.cancelled_caught

    os.set_blocking(reading, False)
    stalled = await read_all(reading)
    await output.write(b"whole line\n")
    after = await read_all(reading)
    os.close(writing)
    os.close(reading)

    assert set(stalled) == {ord("x")}
    assert after == b"\nwhole line\n"


async def test_a_reader_that_left_is_reported():
    """A broken pipe is a sink that cannot take events, not a crash."""
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(SinkUnavailable, match="Broken pipe"):
        await Output(writing).write(b"x\n")
    os.close(writing)


async def read_all(descriptor: int) -> bytes:
    """What stands in a pipe now."""
    found = b""
    try:
        while chunk := os.read(descriptor, 1 << 16):
            found += chunk
    except BlockingIOError:
        return found
    return found
