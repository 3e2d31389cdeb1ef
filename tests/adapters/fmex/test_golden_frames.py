"""Every documented example, and what becomes of it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from adapters.fmex.frames import (
    ClosedPage,
    Control,
    Envelope,
    MatchRow,
    OrderRow,
    Results,
    decode_as,
    decode_position_row,
)
from adapters.fmex.normalise import read_frame, tell_order, tell_position
from adapters.fmex.reconcile import reconcile
from gateway.contracts.told import (
    Told,
    ToldBalance,
    ToldFill,
    ToldOrder,
    ToldPosition,
    ToldUnrecognized,
)
from gateway.events.codec import encode
from gateway.events.model import Event, OrderStatus, Origin, PositionSide, Side
from gateway.events.times import Timestamp

Frame = Callable[[str], str]


def as_contract_writes(told: Told) -> dict[str, Any]:
    """The event without what belongs to this gateway: id, seq, time of receipt, raw."""
    body: Any = {
        ToldOrder: lambda: told.order,
        ToldFill: lambda: told.fill,
        ToldBalance: lambda: told.balance,
        ToldPosition: lambda: told.position,
    }[type(told)]()
    event = Event(
        id="",
        account="fmex-hedge",
        venue="fmex",
        symbol=getattr(told, "symbol", None),
        venue_symbol=getattr(told, "venue_symbol", None),
        origin=Origin.PUSH,
        venue_time=told.venue_time,
        received_time=Timestamp(""),
        body=body,
    )
    fields = msgspec.json.decode(b"{" + encode(event).tail.lstrip(b",") + b"}")
    del fields["received_time"]
    return fields


@pytest.mark.parametrize("name", ["account", "order", "position"])
def test_documented_push_gives_the_golden_events(name: str, frame: Frame):
    """The page's pushes come out to the last digit, an order followed by its derived fill."""
    [told] = read_frame(frame(name))

    events = [told]
    if isinstance(told, ToldOrder):
        events += reconcile(None, told).derived

    expected = msgspec.json.decode(frame(f"{name}.expected"))
    actual = [as_contract_writes(each) for each in events]
    assert expected == actual
    assert [list(each) for each in expected] == [list(each) for each in actual]
    assert frame(name) == told.raw


@pytest.mark.parametrize("name", ["hello", "ping", "topics", "refusal"])
def test_documented_control_frame_is_no_event(name: str, frame: Frame):
    """Frames about the connection are understood and tell nothing."""
    assert isinstance(read_frame(frame(name)), Control)


@pytest.mark.parametrize("name", ["ticker", "trade", "candles_answer"])
def test_documented_public_frame_is_kept_whole(name: str, frame: Frame):
    """What the private stream never asks for is kept, not guessed at."""
    assert [ToldUnrecognized(reason="unknown_type", frame=frame(name))] == read_frame(frame(name))


def results(text: str) -> list[msgspec.Raw]:
    """The rows of a list."""
    envelope = decode_as(Envelope, text.encode())
    assert envelope.status in (0, "ok")
    return decode_as(Results, envelope.data).rows


@pytest.mark.parametrize("name", ["rest_positions", "rest_positions_2019"])
def test_documented_position_row(name: str, frame: Frame):
    """Both spellings of the position list tell the same closed position."""
    [row] = results(frame(name))
    told = tell_position(decode_position_row(row), "", updated=None, symbol=None).position

    assert PositionSide.FLAT is told.side
    assert (told.quantity, told.leverage, told.margin_mode) == ("0", None, "cross")
    assert (told.realized_pnl, told.entry_price) == ("-0.036307524734501204", "11017.0")
    assert (told.maintenance_margin_rate, told.taker_fee_rate) == ("0.005", "0.001")
    assert told.risk_level == "0"


def test_documented_open_order(frame: Frame):
    """An open order by REST has lower-case words and its own update time."""
    [row] = results(frame("rest_open_orders"))
    order = tell_order(decode_as(OrderRow, row), "", updated=None, symbol=None).order

    assert OrderStatus.PARTIALLY_FILLED is order.status
    assert (
        order.filled_quantity,
        order.remaining_quantity,
        order.average_price,
    ) == ("100", "100", "1127.0")
    assert (order.side, order.type, order.time_in_force) == (Side.BUY, "limit", "gtc")
    assert (order.fee, order.fee_currency) == ("-0.000196850393700787", "BTC")


@pytest.mark.parametrize("name", ["rest_order", "rest_order_2019"])
def test_documented_single_order(name: str, frame: Frame):
    """Both forms of a single order are read; the older one names no contract."""
    envelope = decode_as(Envelope, frame(name).encode())
    told = tell_order(decode_as(OrderRow, envelope.data), "", updated=None, symbol="BTCUSD_P")

    assert (
        told.order.status,
        told.order.filled_quantity,
        told.order.average_price,
    ) == (OrderStatus.NEW, "0", None)
    assert told.symbol == "BTC/USD:BTC"


def test_documented_page_of_closed_orders(frame: Frame):
    """The page tells where the next one begins, and an order without its average price."""
    envelope = decode_as(Envelope, frame("rest_closed_orders").encode())
    page = decode_as(ClosedPage, envelope.data)
    order = tell_order(decode_as(OrderRow, page.results[0]), "", updated=None, symbol=None).order

    assert (page.has_more, page.next_offset_id) == (True, 163466438508609)
    assert (
        order.status,
        order.filled_quantity,
        order.average_price,
    ) == (OrderStatus.FILLED, "332", None)


def test_documented_execution(frame: Frame):
    """An execution's fee keeps its digits."""
    [row] = results(frame("rest_matches"))
    match = decode_as(MatchRow, row)

    assert bytes(match.fee) == b"-1.8540625233156e-05"
    assert match.taker is False
