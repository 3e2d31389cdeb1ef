import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from adapters.fmex.frames import Control
from adapters.fmex.normalise import STATUSES, order_status, read_frame
from gateway.contracts.told import (
    Told,
    ToldBalance,
    ToldOrder,
    ToldPosition,
    ToldUnrecognized,
)
from gateway.events.model import (
    MarginMode,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerDirection,
)

Frame = Callable[[str], str]


@pytest.fixture
def changed(frame: Frame) -> Callable[..., Told]:
    """What a documented push tells with some fields of its object replaced; `...` removes one."""

    def tell(name: str, **fields: Any) -> Told:
        push = msgspec.json.decode(frame(name), type=dict[str, Any])
        row = push[name] | fields
        push[name] = {key: value for key, value in row.items() if value is not ...}
        heard = read_frame(msgspec.json.encode(push).decode())
        assert not isinstance(heard, Control)
        return heard[0]

    return tell


Changed = Callable[..., Any]


@pytest.mark.parametrize(
    ("word", "status", "final"),
    [
        ("PENDING", OrderStatus.NEW, False),
        ("partial_filled", OrderStatus.PARTIALLY_FILLED, False),
        ("fully_filled", OrderStatus.FILLED, True),
        ("PARTIAL_CANCELLED", OrderStatus.CANCELED, True),
        ("fully_canceled", OrderStatus.CANCELED, True),
        ("STOP_PENDING", OrderStatus.PENDING_TRIGGER, False),
        ("STOP_FAILED", OrderStatus.REJECTED, True),
        ("stop_canceled", OrderStatus.CANCELED, True),
        ("FAILED", OrderStatus.REJECTED, True),
        ("NAPPING", OrderStatus.UNKNOWN, False),
    ],
)
def test_status(word: str, status: OrderStatus, final: bool, changed: Changed):
    """Each word has one meaning in either case; `cancelled` has one l or two."""
    order = changed("order", status=word).order

    assert (status, word, final) == (order.status, order.venue_status, order.final)


@pytest.mark.parametrize("word", list(STATUSES))
def test_status_in_lower_case(word: str):
    """Newer REST answers write in lower case what pushes write in upper case."""
    assert STATUSES[word] is order_status(word.lower())


@pytest.mark.parametrize(
    ("features", "order_type", "expected"),
    [
        (0, "LIMIT", (TimeInForce.GTC, False, False, False)),
        (1, "LIMIT", (TimeInForce.FOK, False, False, False)),
        (2, "limit", (TimeInForce.GTC, True, False, False)),
        (4, "LIMIT", (TimeInForce.GTC, False, True, False)),
        (8, "LIMIT", (TimeInForce.IOC, False, False, False)),
        (0, "market", (None, False, False, False)),
        (0x8008, "MARKET", (TimeInForce.IOC, False, False, True)),
        (0x10006, "LIMIT", (TimeInForce.GTC, True, True, False)),
        (8.0, "LIMIT", (TimeInForce.IOC, False, False, False)),
        ("2", "LIMIT", (TimeInForce.GTC, True, False, False)),
        (..., "LIMIT", (None, None, None, None)),
    ],
)
def test_features(features: Any, order_type: str, expected: Any, changed: Changed):
    """Bits tell how long an order stands and what it is; unknown bits are no harm."""
    order = changed("order", features=features, type=order_type).order

    assert expected == (order.time_in_force, order.post_only, order.hidden, order.liquidation)


@pytest.mark.parametrize("written", [1580802204215, 1580802204215.0, "1580802204215"])
def test_times_in_any_spelling(written: Any, changed: Changed):
    """A time is understood as whole number, with a fraction of zero, and as text."""
    order = changed("order", created_at=written).order

    assert order.created_time == "2020-02-04T07:43:24.215Z"


def test_trigger_of_a_plain_order_is_null(changed: Changed):
    """`trigger_on: 0` is no stop order, whatever the direction says."""
    order = changed("order", trigger_on=0.0, trigger_direction="SHORT", trailing_distance=0).order

    assert (
        order.trigger_price,
        order.trigger_direction,
        order.trailing_distance,
    ) == (None, None, None)


def test_trigger_of_a_stop_order(changed: Changed):
    """A stop order tells its trigger, and on which side of it the price has to come."""
    order = changed(
        "order", trigger_on=8000, trigger_direction="short", trailing_distance=100
    ).order

    assert (
        order.trigger_price,
        order.trigger_direction,
        order.trailing_distance,
    ) == ("8000", TriggerDirection.DOWN, "100")


def test_order_of_a_seller(changed: Changed):
    """SHORT is sell; a direction that nobody documented is not guessed at."""
    assert Side.SELL is changed("order", direction="short").order.side
    assert changed("order", direction="BOTH").order.side is None
    assert OrderType.LIMIT is changed("order", type="limit").order.type
    assert changed("order", type="ICEBERG").order.type is None


def test_untouched_order_has_no_average_price(changed: Changed):
    """`fill_price: 0` means that nothing was filled; fee 0 is a fee."""
    order = changed("order", fill_price=0.0, unfilled_quantity=1, fee=0).order

    assert (
        order.average_price,
        order.fee,
        order.filled_quantity,
        order.remaining_quantity,
    ) == (None, "0", "0", "1")


def test_unknown_contract_has_no_unified_symbol(changed: Changed):
    """A contract that nobody described is carried under the venue's name alone."""
    told = changed("order", symbol="ETHUSD_P", margin_currency=...)

    assert (told.symbol, told.venue_symbol, told.order.fee_currency) == (None, "ETHUSD_P", None)


def test_contract_is_taken_from_the_topic(changed: Changed):
    """A payload without its symbol is of the topic's contract."""
    assert (
        changed("order", symbol=...).symbol,
        changed("position", symbol=...).venue_symbol,
    ) == ("BTC/USD:BTC", "BTCUSD_P")


def test_update_time_of_the_payload_counts_before_that_of_the_push(changed: Changed):
    """`updated_at` is when it happened, `ts` only when it was sent."""
    assert changed("order", updated_at=1580802204230).venue_time == "2020-02-04T07:43:24.230Z"
    assert changed("account", updated_at=...).venue_time == "2020-02-04T07:40:53.662Z"


def test_cross_and_flat_positions(changed: Changed):
    """`leverage: 0` is cross margin; with `quantity: 0` the direction means nothing."""
    position = changed("position", leverage=0, quantity=0, direction="SHORT").position

    assert (
        position.side,
        position.margin_mode,
        position.leverage,
    ) == (PositionSide.FLAT, MarginMode.CROSS, None)


def test_position_without_optional_fields(changed: Changed):
    """Missing fields are null: nothing but quantity and direction is needed."""
    told = changed(
        "position", leverage=..., margin=..., entry_price=..., risk_level=..., updated_at=None
    )

    assert isinstance(told, ToldPosition)
    assert (
        told.position.margin_mode,
        told.position.margin,
        told.position.risk_level,
    ) == (None, None, None)


def test_total_sums_the_parts_that_were_told(changed: Changed):
    """Without a position's margin the total is what is left: exact, with all digits."""
    told = changed("account", position=..., frozen=msgspec.Raw(b"0E-18"))

    assert isinstance(told, ToldBalance)
    assert (
        told.balance.position_margin,
        told.balance.held,
        told.balance.total,
    ) == (None, "0.000000000000000000", "1.342428804089250000")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ("[" * 100_000, "bad_field"),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", "not_json"),
        ("[]", "bad_field"),
        ("null", "bad_field"),
        ("{}", "unknown_type"),
        ('{"status":0}', "unknown_type"),
        ('{"type":"kline.btcusd_p"}', "unknown_type"),
        ('{"type":"order.btcusd_p"}', "bad_field"),
        ('{"type":"account"}', "bad_field"),
        ('{"type":"position.btcusd_p"}', "bad_field"),
        ('{"type":"order.btcusd_p","order":{"id":1}}', "bad_field"),
        ('{"type":"order.btcusd_p","order":{"id":1,"status":7}}', "bad_field"),
        ('{"type":"order.x","order":{"id":1,"status":"PENDING","fee":1e999999}}', "bad_number"),
        ('{"type":"order.x","order":{"id":1,"status":"PENDING","fee":"NaN"}}', "bad_number"),
        ('{"type":"order.x","order":{"id":1,"status":"PENDING","fee":true}}', "bad_number"),
        ('{"type":"order.x","order":{"id":1,"status":"PENDING","fee":NaN}}', "not_json"),
        ('{"type":"order.x","order":{"id":1,"status":"PENDING"},"ts":-1}', "bad_time"),
        ('{"type":"position.x","position":{"quantity":1,"direction":"UP"}}', "bad_field"),
        ('{"type":"topics","topics":[1]}', "bad_field"),
    ],
    ids=range(21),
)
def test_what_is_not_understood_is_kept_whole(text: str, reason: str):
    """A frame that makes no sense becomes itself, with a word for why."""
    assert [ToldUnrecognized(reason=reason, frame=text)] == read_frame(text)


def test_numbers_of_thousands_of_digits_are_refused():
    """An integer that no quantity has is no event, and costs no second."""
    digits = "9" * 4000
    [told] = read_frame(
        f'{{"type":"account","account":{{"currency":"X","available":{digits},"frozen":0}}}}'
    )

    assert isinstance(told, ToldUnrecognized)
    assert told.reason == "bad_number"


def test_binary_frame_is_kept_as_base64():
    """FMEX sends text; anything binary is kept to the byte."""
    [told] = read_frame(b"\xff\x00")

    assert isinstance(told, ToldUnrecognized)
    assert (
        told.reason,
        told.encoding,
        base64.b64decode(told.frame),
    ) == ("binary", "base64", b"\xff\x00")


def test_type_is_read_in_any_case(frame: Frame):
    """Topics are compared without regard to case."""
    [told] = read_frame(frame("order").replace("order.btcusd_p", "ORDER.BTCUSD_P"))

    assert isinstance(told, ToldOrder)
    assert isinstance(read_frame('{"type":"HELLO"}'), Control)


@pytest.mark.parametrize("nothing", ["null", '""'])
def test_nothing_is_written_in_two_ways(frame: Frame, nothing: str):
    """A number that is not there may be null or an empty text."""
    [told] = read_frame(frame("order").replace("4.8449612403e-08", nothing))

    assert isinstance(told, ToldOrder)
    assert told.order.fee is None
